// Owns the words of the chaos: messages, sessions and what is reported about them.
import { filterMatches } from '@monitor-mesh/shared/topic.ts';

export type Qos = 0 | 1 | 2;

/** One message, known by its publisher and its number. */
export interface Sent {
  readonly publisher: string;
  /** 0, 1, 2… in the order of publishing. */
  readonly seq: number;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Identity that the publisher gave it; one of MQTT 3.1.1 can not. */
  readonly mid: string | undefined;
}

export interface Delivered {
  readonly publisher: string;
  readonly seq: number;
  readonly topic: string;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly mid: string | undefined;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: Qos;
}

/** One row of device_event, in the order of writing. */
export interface EventRow {
  readonly mid: string;
  readonly device_id: string;
  readonly state: string;
}

export const DATABASE = 'database';
/** What db-writer reads of the load. */
export const DATABASE_TOPIC = 'monitor/maj';

export const RULES = [
  'lost',
  'not acknowledged',
  'double row',
  'twice at QoS 2',
  'repeated without cause',
  'order',
  'order of acks',
  'retained',
  'altered',
  'session lost',
  'connection ended',
  'crash',
] as const;
export type Rule = (typeof RULES)[number];

/** The highest QoS that a session was granted for a topic; `undefined` when nothing matches. */
export function grantedQos(subscriptions: readonly Subscription[], topic: string): Qos | undefined {
  let granted: Qos | undefined;
  for (const { filter, qos } of subscriptions)
    if (filterMatches(filter, topic) && (granted === undefined || qos > granted)) granted = qos;
  return granted;
}

/** The payload says whose message it is, so that receivers of MQTT 3.1.1 and SQL know it as well. */
export const payloadOf = ({ publisher, seq }: Pick<Sent, 'publisher' | 'seq'>): string =>
  `{"id":"${publisher}","state":"${seq}"}`;

/** `undefined` for what is not of the load. */
export function parsePayload(payload: Buffer): Pick<Sent, 'publisher' | 'seq'> | undefined {
  const found = /^\{"id":"(?<publisher>[\w-]+)","state":"(?<seq>\d+)"\}$/u.exec(payload.toString('latin1'))?.groups;
  return found ? { publisher: found.publisher ?? '', seq: Number(found.seq) } : undefined;
}
