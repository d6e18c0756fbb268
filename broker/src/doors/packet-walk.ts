// Owns the walk along MQTT packets in a stream of bytes: what passes, what is replaced, what ends the connection.
import { isOwnTopic } from '@monitor-mesh/shared/topic-index.ts';
import { formatOversized, OVERSIZED_TOPIC, type Oversized, shortTopic } from '../internal-topics.ts';
import type { Limits } from '../limits.ts';
import { type PacketHead, packetFault, readHead } from './packet-head.ts';

const CONNECT = 1;
const PUBLISH = 3;
const DUP_AND_QOS = 0x0e;
const NOTHING = Buffer.alloc(0);
/** Packets below it have a remaining length of one or two bytes. */
const SMALL_BYTES = 0x4000;

type PacketLimits = Pick<
  Limits,
  | 'first_packet_bytes_max'
  | 'own_publish_bytes_max'
  | 'other_publish_bytes_max'
  | 'other_packet_bytes_max'
  | 'packet_bytes_max'
>;

type Judgement = 'pass' | 'incomplete' | { readonly replacement: Buffer };

const lengthBytes = (length: number): number[] =>
  length < 0x80 ? [length] : [(length & 0x7f) | 0x80, ...lengthBytes(length >>> 7)];

/** The small PUBLISH that stands for an oversized one: same QoS and packet identifier, never retained. */
export function formatReplacement(first: number, packetId: Buffer, version: number, oversized: Oversized): Buffer {
  const topic = Buffer.from(OVERSIZED_TOPIC);
  const body = Buffer.concat([
    Buffer.from([topic.length >> 8, topic.length & 0xff]),
    topic,
    packetId,
    version === 5 ? Buffer.from([0]) : NOTHING,
    formatOversized(oversized),
  ]);
  return Buffer.concat([Buffer.from([(PUBLISH << 4) | (first & DUP_AND_QOS), ...lengthBytes(body.length)]), body]);
}

/** Walks one direction of one connection. Chunks within the limits come out as the very same buffers. */
export class PacketWalk {
  readonly #limits: PacketLimits;
  /** Whether no small packet can be above a limit. */
  readonly #allowsSmall: boolean;
  /** Protocol level of the CONNECT; 0 before it. */
  #version = 0;
  #held: Buffer = NOTHING;
  /** Bytes of the current packet that are still to come. */
  #left = 0;
  #swallowing = false;

  constructor(limits: PacketLimits) {
    this.#limits = limits;
    this.#allowsSmall = Math.min(limits.own_publish_bytes_max, limits.other_packet_bytes_max) >= SMALL_BYTES;
  }

  /**
   * What goes on of a chunk: in general the chunk itself.
   *
   * @throws MeshError `packet_refused` when the connection must end
   */
  walk(chunk: Buffer): readonly Buffer[] {
    if (this.#isWhole(chunk)) return [chunk];
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    const out: Buffer[] = [];
    let at = Math.min(this.#left, bytes.length);
    this.#left -= at;
    let from = this.#swallowing ? at : 0;
    while (at < bytes.length) {
      const head = readHead(bytes, at);
      const judgement = head === undefined ? 'incomplete' : this.#judge(bytes, head);
      if (head === undefined || judgement === 'incomplete') {
        this.#held = bytes.subarray(at);
        break;
      }
      this.#swallowing = judgement !== 'pass';
      if (judgement !== 'pass') out.push(bytes.subarray(from, at), judgement.replacement);
      const end = head.body + head.remaining;
      this.#left = Math.max(0, end - bytes.length);
      at = Math.min(end, bytes.length);
      if (this.#swallowing) from = at;
    }
    out.push(from === 0 && at === bytes.length ? bytes : bytes.subarray(from, at));
    return out.filter(({ length }) => length > 0);
  }

  /** The common case: nothing is held, and the chunk is whole small packets. */
  #isWhole(chunk: Buffer): boolean {
    if (!this.#allowsSmall || this.#version === 0 || this.#held.length > 0 || this.#left > 0) return false;
    let at = 0;
    while (at < chunk.length) {
      // a remaining length of one or two bytes, far below any limit
      const low = chunk[at + 1] ?? 0x80;
      const high = low < 0x80 ? 0 : (chunk[at + 2] ?? 0x80);
      if (high >= 0x80) return false;
      at += low < 0x80 ? 2 + low : 3 + (low & 0x7f) + (high << 7);
    }
    return at === chunk.length;
  }

  #judge(bytes: Buffer, head: PacketHead): Judgement {
    if (this.#version === 0) return this.#judgeConnect(bytes, head);
    if (head.first >> 4 === PUBLISH) return this.#judgePublish(bytes, head);
    if (head.remaining > this.#limits.other_packet_bytes_max)
      throw packetFault(
        `expected a packet of at most ${this.#limits.other_packet_bytes_max} bytes, got ${head.remaining}`,
      );
    return 'pass';
  }

  /** The first packet is held until it is complete: the guard must know its protocol level. */
  #judgeConnect(bytes: Buffer, { first, body, remaining }: PacketHead): Judgement {
    if (first >> 4 !== CONNECT) throw packetFault(`expected CONNECT as the first packet, got type ${first >> 4}`); // [MQTT-3.1.0-1]
    if (remaining > this.#limits.first_packet_bytes_max)
      throw packetFault(
        `expected a first packet of at most ${this.#limits.first_packet_bytes_max} bytes, got ${remaining}`,
      );
    if (bytes.length < body + remaining) return 'incomplete';
    const level = remaining < 2 ? undefined : bytes[body + 2 + bytes.readUInt16BE(body)];
    if (level === undefined) throw packetFault('expected a protocol level in CONNECT, got nothing');
    this.#version = Math.max(1, level & 0x7f);
    return 'pass';
  }

  #judgePublish(bytes: Buffer, { first, body, remaining }: PacketHead): Judgement {
    const limits = this.#limits;
    if (remaining <= limits.own_publish_bytes_max) return 'pass';
    if (remaining > limits.packet_bytes_max)
      throw packetFault(`expected a packet of at most ${limits.packet_bytes_max} bytes, got ${remaining}`);
    if (bytes.length < body + 2) return 'incomplete';
    const topicEnd = body + 2 + bytes.readUInt16BE(body);
    const idEnd = topicEnd + ((first & 0x06) === 0 ? 0 : 2);
    if (idEnd > body + remaining) throw packetFault('expected a topic within its packet');
    if (bytes.length < idEnd) return 'incomplete';
    const topic = bytes.toString('utf8', body + 2, topicEnd);
    const limit = isOwnTopic(topic) ? limits.own_publish_bytes_max : limits.other_publish_bytes_max;
    if (remaining <= limit) return 'pass';
    const oversized = { topic: shortTopic(topic), bytes: remaining, limit };
    return { replacement: formatReplacement(first, bytes.subarray(topicEnd, idEnd), this.#version, oversized) };
  }
}
