// Owns one message on its way through the broker, and its bytes as each receiver needs them.
import type { Qos } from '../engine/engine.ts';
import { PROPERTY, putVariableInteger, variableIntegerBytes } from './wire.ts';

const NOTHING = Buffer.alloc(0);
const PUBLISH = 0x30;
const DUP = 0x08;
const RETAIN = 0x01;

export interface MessageFields {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Properties that travel on, as they stand on the wire of MQTT 5, without their length. */
  readonly properties?: Buffer;
  /** Epoch ms after which it is not delivered; 0 is never. */
  readonly expires_at_ms?: number;
  /** Client id of the publisher; empty for the broker itself. */
  readonly publisher?: string;
}

/** How one receiver gets a message. */
export interface Form {
  readonly version: 3 | 4 | 5;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 for QoS 0. */
  readonly packet_id: number;
  readonly subscription_ids: readonly number[];
  /** Number that stands for the topic on this connection; 0 for none. */
  readonly alias: number;
  /** Whether the receiver knows the alias already: then the topic itself is left out [MQTT-3.3.2-6]. */
  readonly alias_known: boolean;
}

export class Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: Buffer;
  readonly expires_at_ms: number;
  readonly publisher: string;
  #topicBytes: Buffer | undefined;
  /** The bytes that every receiver of a live QoS 0 message shares, by protocol: made once, however many there are. */
  #shared4: Buffer | undefined;
  #shared5: Buffer | undefined;

  constructor({ topic, payload, qos, retain, properties, expires_at_ms, publisher }: MessageFields) {
    this.topic = topic;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.properties = properties ?? NOTHING;
    this.expires_at_ms = expires_at_ms ?? 0;
    this.publisher = publisher ?? '';
  }

  /** Bytes that it takes in a queue, without what the queue itself adds. */
  get bytes(): number {
    return this.topic.length + this.properties.length + this.payload.length;
  }

  isExpired(nowMs: number): boolean {
    return this.expires_at_ms !== 0 && this.expires_at_ms <= nowMs;
  }

  /** The PUBLISH packet for one receiver. `nowMs` tells how much of the message's life is left [MQTT-3.3.2-6]. */
  encode(form: Form, nowMs: number): Buffer {
    const shared =
      form.qos === 0 &&
      !form.retain &&
      form.subscription_ids.length === 0 &&
      form.alias === 0 &&
      this.expires_at_ms === 0;
    if (!shared) return this.#build(form, nowMs);
    if (form.version !== 5) {
      this.#shared4 ??= this.#build(form, nowMs);
      return this.#shared4;
    }
    this.#shared5 ??= this.#build(form, nowMs);
    return this.#shared5;
  }

  #build(form: Form, nowMs: number): Buffer {
    this.#topicBytes ??= Buffer.from(this.topic);
    const topic = form.alias_known ? NOTHING : this.#topicBytes;
    const properties = form.version === 5 ? this.#propertiesFor(form, nowMs) : undefined;
    const propertiesBytes = properties === undefined ? 0 : variableIntegerBytes(properties.length) + properties.length;
    const remaining = 2 + topic.length + (form.qos > 0 ? 2 : 0) + propertiesBytes + this.payload.length;
    const bytes = Buffer.allocUnsafe(1 + variableIntegerBytes(remaining) + remaining);
    bytes[0] = PUBLISH | (form.dup ? DUP : 0) | (form.qos << 1) | (form.retain ? RETAIN : 0);
    let at = putVariableInteger(bytes, 1, remaining);
    bytes[at++] = topic.length >> 8;
    bytes[at++] = topic.length & 0xff;
    at += topic.copy(bytes, at);
    if (form.qos > 0) {
      bytes[at++] = form.packet_id >> 8;
      bytes[at++] = form.packet_id & 0xff;
    }
    if (properties !== undefined) {
      at = putVariableInteger(bytes, at, properties.length);
      at += properties.copy(bytes, at);
    }
    this.payload.copy(bytes, at);
    return bytes;
  }

  #propertiesFor({ subscription_ids, alias }: Form, nowMs: number): Buffer {
    if (this.expires_at_ms === 0 && subscription_ids.length === 0 && alias === 0) return this.properties;
    const parts = [this.properties];
    if (this.expires_at_ms !== 0) {
      const left = Buffer.allocUnsafe(5);
      left[0] = PROPERTY.message_expiry;
      left.writeUInt32BE(Math.max(1, Math.min(0xffff_ffff, Math.ceil((this.expires_at_ms - nowMs) / 1000))), 1);
      parts.push(left);
    }
    if (alias !== 0) parts.push(Buffer.from([PROPERTY.topic_alias, alias >> 8, alias & 0xff]));
    for (const id of subscription_ids) {
      const property = Buffer.allocUnsafe(1 + variableIntegerBytes(id));
      property[0] = PROPERTY.subscription_id;
      putVariableInteger(property, 1, id);
      parts.push(property);
    }
    return Buffer.concat(parts);
  }
}
