// Owns the table of cases: what is published, which figure is taken, and what it must reach beside mosquitto.
import type { Target } from './brokers.ts';
import type { Load } from './load.ts';

/** What a figure must reach: a multiple of the peer's, or a number of its own. */
export type Aim =
  | { readonly kind: 'ratio_min' | 'ratio_max'; readonly ratio: number }
  | { readonly kind: 'at_least' | 'at_most'; readonly value: number };

export interface Case {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  readonly load: Load;
  /** The number of the client's line that counts. */
  readonly figure: 'per_second' | 'p50_us' | 'ack_p50_us';
  /** Settings of our broker that are measured; the first one is held against the aim. */
  readonly settings: readonly ('fsync' | 'memory')[];
  readonly aim?: Aim;
}

/** Part of a case's messages that are sent before each measured run. */
export const WARM_UP_SHARE = 0.25;
/** Part that `--quick` sends. */
export const QUICK_SHARE = 0.1;
export const IDLE_CONNECTIONS = 2_000;

const atLeast = (ratio: number): Aim => ({ kind: 'ratio_min', ratio });

// QoS 0: so much is on its way that nobody idles, and so little that no buffer overflows. QoS 1 is bound by its window of
// 1,000; there the other bound only keeps a broker that acknowledges early from hoarding.
const QOS0 = { mode: 'throughput', qos: 0, outstanding: 2_000 } as const;
const QOS1 = { mode: 'throughput', qos: 1, window: 1_000, outstanding: 10_000 } as const;
const PACED = { mode: 'latency', qos: 1, rate_hz: 1_000, messages: 5_000 } as const;
/** What a house runs is judged; memory alone is for comparison. */
const BOTH = ['fsync', 'memory'] as const;

export const CASES: readonly Case[] = [
  {
    name: '1-1-qos0',
    title: '1→1 QoS 0',
    load: { ...QOS0, messages: 300_000 },
    figure: 'per_second',
    settings: BOTH,
    aim: atLeast(1.5),
  },
  {
    name: '1-1-qos1',
    title: '1→1 QoS 1',
    load: { ...QOS1, messages: 200_000 },
    figure: 'per_second',
    settings: BOTH,
    aim: atLeast(2.4),
  },
  {
    name: '1-1-qos1-persistent',
    title: '1→1 QoS 1, persistent session',
    load: { ...QOS1, messages: 100_000, persistent: 1 },
    figure: 'per_second',
    settings: BOTH,
    aim: atLeast(1.1),
  },
  {
    name: '1-100-qos0',
    title: '1→100 QoS 0',
    load: { ...QOS0, messages: 4_000, subscribers: 100 },
    figure: 'per_second',
    settings: BOTH,
    aim: atLeast(1.3),
  },
  {
    name: '1-100-qos1',
    title: '1→100 QoS 1',
    load: { ...QOS1, messages: 3_000, subscribers: 100 },
    figure: 'per_second',
    settings: BOTH,
    aim: atLeast(1.1),
  },
  {
    name: '50-1-qos0',
    title: '50→1 QoS 0',
    load: { ...QOS0, messages: 5_000, publishers: 50, outstanding: 200 },
    figure: 'per_second',
    settings: BOTH,
  },
  {
    name: '50-1-qos1',
    title: '50→1 QoS 1',
    load: { ...QOS1, messages: 4_000, publishers: 50, outstanding: 200 },
    figure: 'per_second',
    settings: BOTH,
    aim: atLeast(1),
  },
  {
    name: 'latency-memory',
    title: 'p50 at 1,000/s QoS 1, µs',
    load: PACED,
    figure: 'p50_us',
    settings: ['memory', 'fsync'],
    aim: { kind: 'ratio_max', ratio: 2 },
  },
  {
    name: 'latency-fsync',
    title: 'p50 at 1,000/s QoS 1, persistent session, µs',
    load: { ...PACED, persistent: 1 },
    figure: 'p50_us',
    settings: ['fsync', 'memory'],
    aim: { kind: 'at_most', value: 1_000 },
  },
  {
    name: 'puback-fsync', // a message may arrive before it is safe, its acknowledgement may not
    title: 'p50 until PUBACK at 1,000/s, persistent session, µs',
    load: { ...PACED, persistent: 1 },
    figure: 'ack_p50_us',
    settings: ['fsync', 'memory'],
    aim: { kind: 'at_most', value: 1_000 },
  },
  {
    name: 'one-at-a-time-away',
    title: 'one at a time, session away',
    load: { mode: 'one_at_a_time', messages: 5_000, offline: 1 },
    figure: 'per_second',
    settings: BOTH,
    aim: { kind: 'at_least', value: 1_000 },
  },
  {
    name: 'one-at-a-time-connected',
    title: 'one at a time, session connected',
    load: { mode: 'one_at_a_time', messages: 5_000, persistent: 1 },
    figure: 'per_second',
    settings: BOTH,
    aim: { kind: 'at_least', value: 1_000 },
  },
];

/** Name of the case that looks at memory; it runs by itself (memory.ts). */
export const MEMORY_CASE = 'memory';

/** Our settings and the peer in turn: ours, mosquitto, ours. */
export const turnOf = ([judged, ...others]: Case['settings']): readonly Target[] => [
  ...(judged === undefined ? [] : [judged]),
  'mosquitto',
  ...others,
];

/** A part of a load, never less than what one window holds. */
export const shareOf = (load: Load, share: number): Load => ({
  ...load,
  messages: Math.max(50, Math.round((load.messages ?? 0) * share)),
});
