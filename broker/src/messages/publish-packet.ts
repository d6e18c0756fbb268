// Owns reading a PUBLISH and its acknowledgements from the wire, strictly: what is malformed ends the connection.
import { isMid, MID_PROPERTY } from '@monitor-mesh/shared/mid.ts';
import type { Qos } from '../engine/engine.ts';
import { MALFORMED, PROPERTY, PROTOCOL_ERROR, ProtocolFault, TOPIC_NAME_INVALID } from './wire.ts';

export interface PublishPacket {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 for QoS 0. */
  readonly packet_id: number;
  readonly topic_alias: number | undefined;
  readonly expiry_s: number | undefined;
  /** The sender's own identity for the message, when it gave one that can serve. */
  readonly mid: string | undefined;
  /** Properties that travel on, as they stood on the wire; a `mid` that can not serve is not among them. */
  readonly properties: Buffer;
}

const NOTHING = Buffer.alloc(0);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const malformed = (what: string): ProtocolFault => new ProtocolFault(MALFORMED, what);

interface Cursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
}

function need(cursor: Cursor, count: number): void {
  if (cursor.at + count > cursor.end) throw malformed('expected more bytes in the packet');
}

function u16(cursor: Cursor): number {
  need(cursor, 2);
  const value = cursor.bytes.readUInt16BE(cursor.at);
  cursor.at += 2;
  return value;
}

function text(cursor: Cursor): string {
  const length = u16(cursor);
  need(cursor, length);
  const from = cursor.at;
  cursor.at += length;
  return decode(cursor.bytes, from, cursor.at);
}

/** Well-formed UTF-8 without U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2]; ASCII, which nearly all topics are, the quick way. */
function decode(bytes: Buffer, from: number, to: number): string {
  let ascii = true;
  for (let index = from; index < to; index++) {
    const byte = bytes[index] ?? 0;
    if (byte === 0) throw malformed('expected text without U+0000');
    if (byte >= 0x80) ascii = false;
  }
  if (ascii) return bytes.toString('latin1', from, to);
  try {
    return utf8.decode(bytes.subarray(from, to));
  } catch {
    throw malformed('expected well-formed UTF-8');
  }
}

function variableInteger(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift <= 21; shift += 7) {
    need(cursor, 1);
    const byte = cursor.bytes[cursor.at++] ?? 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw malformed('expected a variable byte integer of at most four bytes');
}

/**
 * A PUBLISH from its bytes.
 *
 * @param first first byte of the fixed header
 * @param from where the variable header begins; `to` is where the packet ends
 * @throws ProtocolFault
 */
export function parsePublish(bytes: Buffer, first: number, from: number, to: number, version: number): PublishPacket {
  const qos = (first >> 1) & 3;
  if (qos === 3) throw malformed('expected QoS 0, 1 or 2'); // [MQTT-3.3.1-4]
  const dup = (first & 0x08) !== 0;
  if (dup && qos === 0) throw malformed('expected DUP 0 with QoS 0'); // [MQTT-3.3.1-2]
  const cursor: Cursor = { bytes, at: from, end: to };
  const topic = text(cursor);
  for (let index = 0; index < topic.length; index++) {
    const code = topic.charCodeAt(index);
    if (code === 35 || code === 43) throw new ProtocolFault(TOPIC_NAME_INVALID, 'expected a topic without wildcards'); // [MQTT-3.3.2-2]
  }
  const packet_id = qos === 0 ? 0 : u16(cursor);
  if (qos > 0 && packet_id === 0) throw new ProtocolFault(PROTOCOL_ERROR, 'expected a packet identifier above 0'); // [MQTT-2.2.1-3]
  const found = version === 5 ? readProperties(cursor) : NO_PROPERTIES;
  if (topic === '' && found.topic_alias === undefined)
    throw new ProtocolFault(PROTOCOL_ERROR, 'expected a topic or a topic alias');
  return {
    topic,
    qos: qos as Qos,
    dup,
    packet_id,
    retain: (first & 1) !== 0,
    // A copy: a queued message must not keep the whole chunk that it came with.
    payload: Buffer.from(bytes.subarray(cursor.at, to)),
    ...found,
  };
}

type Properties = Pick<PublishPacket, 'topic_alias' | 'expiry_s' | 'mid' | 'properties'>;
const NO_PROPERTIES: Properties = { topic_alias: undefined, expiry_s: undefined, mid: undefined, properties: NOTHING };

function readProperties(outer: Cursor): Properties {
  const length = variableInteger(outer);
  need(outer, length);
  if (length === 0) return NO_PROPERTIES;
  const cursor: Cursor = { bytes: outer.bytes, at: outer.at, end: outer.at + length };
  outer.at += length;
  const forwarded: Buffer[] = [];
  const seen = new Set<number>();
  let topic_alias: number | undefined;
  let expiry_s: number | undefined;
  let mid: string | undefined;
  while (cursor.at < cursor.end) {
    const from = cursor.at;
    const name = cursor.bytes[cursor.at++] ?? 0;
    if (name !== PROPERTY.user) {
      if (seen.has(name)) throw new ProtocolFault(PROTOCOL_ERROR, 'expected each property once');
      seen.add(name);
    }
    let forward = true;
    switch (name) {
      case PROPERTY.payload_format:
        need(cursor, 1);
        if ((cursor.bytes[cursor.at++] ?? 0) > 1)
          throw new ProtocolFault(PROTOCOL_ERROR, 'expected a payload format of 0 or 1');
        break;
      case PROPERTY.message_expiry:
        need(cursor, 4);
        expiry_s = cursor.bytes.readUInt32BE(cursor.at);
        cursor.at += 4;
        forward = false;
        break;
      case PROPERTY.content_type:
        text(cursor);
        break;
      case PROPERTY.response_topic:
        if (/[#+]/u.test(text(cursor)))
          throw new ProtocolFault(PROTOCOL_ERROR, 'expected a response topic without wildcards'); // [MQTT-3.3.2-14]
        break;
      case PROPERTY.correlation_data: {
        const bytes = u16(cursor);
        need(cursor, bytes);
        cursor.at += bytes;
        break;
      }
      case PROPERTY.topic_alias:
        topic_alias = u16(cursor);
        forward = false;
        break;
      case PROPERTY.user:
        if (text(cursor) === MID_PROPERTY) {
          const value = text(cursor);
          if (mid === undefined && isMid(value)) mid = value;
          else forward = false;
        } else text(cursor);
        break;
      default: // [MQTT-3.3.4-6] a client sends no subscription identifier; anything else is not a PUBLISH's
        throw new ProtocolFault(PROTOCOL_ERROR, `expected a property of PUBLISH, got ${name}`);
    }
    if (forward) forwarded.push(cursor.bytes.subarray(from, cursor.at));
  }
  if (cursor.at !== cursor.end) throw malformed('expected properties of the length they announce');
  return { topic_alias, expiry_s, mid, properties: forwarded.length === 0 ? NOTHING : Buffer.concat(forwarded) };
}

/** A user property as it stands on the wire. */
export function userProperty(name: string, value: string): Buffer {
  const [key, text_] = [Buffer.from(name), Buffer.from(value)];
  const bytes = Buffer.allocUnsafe(5 + key.length + text_.length);
  bytes[0] = PROPERTY.user;
  bytes.writeUInt16BE(key.length, 1);
  key.copy(bytes, 3);
  bytes.writeUInt16BE(text_.length, 3 + key.length);
  text_.copy(bytes, 5 + key.length);
  return bytes;
}

export interface AckPacket {
  readonly packet_id: number;
  readonly reason: number;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP from its bytes. @throws ProtocolFault */
export function parseAck(bytes: Buffer, first: number, from: number, to: number, version: number): AckPacket {
  const flags = first & 0x0f;
  if (flags !== (first >> 4 === 6 ? 2 : 0)) throw malformed('expected the reserved flags of an acknowledgement'); // [MQTT-3.6.1-1]
  const length = to - from;
  if (length < 2 || (version !== 5 && length !== 2)) throw malformed('expected a packet identifier');
  const packet_id = bytes.readUInt16BE(from);
  if (packet_id === 0) throw new ProtocolFault(PROTOCOL_ERROR, 'expected a packet identifier above 0');
  return { packet_id, reason: length > 2 ? (bytes[from + 2] ?? 0) : 0 };
}
