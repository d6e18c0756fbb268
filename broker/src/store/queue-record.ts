// Owns the bytes of the store's records; a message's are a small head, then topic, properties and payload as they are.
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { Message } from '../messages/message.ts';
import type { QueueEntry, StoredSession, StoredWill } from './broker-store.ts';
import { TABLE } from './store-keys.ts';

/** Layout: format, flags, expiry (double), lengths of topic and properties, number of subscription ids; little endian. */
const FORMAT = 1;
const HEAD_BYTES = 1 + 1 + 8 + 2 + 4 + 2 + 1;
const QOS = 0x03;
const RETAIN = 0x04;
const RELEASED = 0x08;
const SUBSCRIPTION_IDS_MAX = 255;

interface Rank {
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly released: boolean;
  readonly subscription_ids: readonly number[];
}

function encode(message: Message, { qos, retain, released, subscription_ids }: Rank): Buffer {
  const ids = subscription_ids.length;
  const topic = Buffer.byteLength(message.topic);
  const publisher = Buffer.byteLength(message.publisher);
  const { properties, payload } = message;
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + ids * 4 + topic + publisher + properties.length + payload.length);
  bytes[0] = FORMAT;
  bytes[1] = qos | (retain ? RETAIN : 0) | (released ? RELEASED : 0);
  bytes.writeDoubleLE(message.expires_at_ms, 2);
  bytes.writeUInt16LE(topic, 10);
  bytes.writeUInt32LE(properties.length, 12);
  bytes.writeUInt16LE(publisher, 16);
  bytes[18] = ids;
  let at = HEAD_BYTES;
  for (const id of subscription_ids) at = bytes.writeUInt32LE(id, at);
  at += bytes.write(message.topic, at);
  at += bytes.write(message.publisher, at);
  at += properties.copy(bytes, at);
  payload.copy(bytes, at);
  return bytes;
}

const damaged = (): MeshError =>
  new MeshError('broker_store_damaged', 'a message in the store of the broker is damaged: restore it from a backup');

function decode(bytes: Buffer): { readonly message: Message; readonly rank: Rank } {
  if (bytes.length < HEAD_BYTES || bytes[0] !== FORMAT) throw damaged();
  const flags = bytes[1] ?? 0;
  const qos = flags & QOS;
  const ids = bytes[18] ?? 0;
  const topicFrom = HEAD_BYTES + ids * 4;
  const publisherFrom = topicFrom + bytes.readUInt16LE(10);
  const propertiesFrom = publisherFrom + bytes.readUInt16LE(16);
  const payloadFrom = propertiesFrom + bytes.readUInt32LE(12);
  if (payloadFrom > bytes.length || qos === 3) throw damaged();
  const rank: Rank = {
    qos: qos === 2 ? 2 : qos === 1 ? 1 : 0,
    retain: (flags & RETAIN) !== 0,
    released: (flags & RELEASED) !== 0,
    subscription_ids: Array.from({ length: ids }, (_, index) => bytes.readUInt32LE(HEAD_BYTES + index * 4)),
  };
  const message = new Message({
    topic: bytes.toString('utf8', topicFrom, publisherFrom),
    publisher: bytes.toString('utf8', publisherFrom, propertiesFrom),
    // Copies: the bytes belong to the database's page.
    properties: Buffer.from(bytes.subarray(propertiesFrom, payloadFrom)),
    payload: Buffer.from(bytes.subarray(payloadFrom)),
    qos: rank.qos,
    retain: rank.retain,
    expires_at_ms: bytes.readDoubleLE(2),
  });
  return { message, rank };
}

export function encodeEntry({ message, qos, retain, released, subscription_ids }: QueueEntry): Buffer {
  const kept =
    subscription_ids.length <= SUBSCRIPTION_IDS_MAX
      ? subscription_ids
      : subscription_ids.slice(0, SUBSCRIPTION_IDS_MAX);
  return encode(message, { qos, retain, released, subscription_ids: kept });
}

/** @throws MeshError `broker_store_damaged` */
export function decodeEntry(seq: number, bytes: Buffer): QueueEntry {
  const { message, rank } = decode(bytes);
  if (rank.qos === 0) throw damaged();
  return {
    seq,
    message,
    qos: rank.qos,
    retain: rank.retain,
    subscription_ids: rank.subscription_ids,
    released: rank.released,
    sent: false,
  };
}

export const encodeMessage = (message: Message): Buffer =>
  encode(message, { qos: message.qos, retain: message.retain, released: false, subscription_ids: [] });

/** @throws MeshError `broker_store_damaged` */
export const decodeMessage = (bytes: Buffer): Message => decode(bytes).message;

export const encodeSession = (session: StoredSession): Buffer => Buffer.from(JSON.stringify(session));

/** @throws MeshError `broker_store_damaged` */
export function decodeSession(bytes: Buffer): StoredSession {
  const session = parseObject(bytes.toString());
  if (!('number' in session && 'client_id' in session && 'subscriptions' in session)) throw damaged();
  return session as StoredSession;
}

/** Length of the head (32 bits), head as JSON, message. */
export function encodeWill({ message, ...rest }: StoredWill): Buffer {
  const head = Buffer.from(JSON.stringify(rest));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, encodeMessage(message)]);
}

/** @throws MeshError `broker_store_damaged` */
export function decodeWill(bytes: Buffer): StoredWill {
  const end = bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUInt32LE(0);
  if (end > bytes.length) throw damaged();
  const head = parseObject(bytes.toString('utf8', 4, end));
  if (!('client_id' in head && 'delay_s' in head)) throw damaged();
  return { ...(head as Omit<StoredWill, 'message'>), message: decodeMessage(bytes.subarray(end)) };
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // not even JSON
  }
  throw damaged();
}

/** Reads a record of any table, for the sake of whether it can be read. @throws MeshError `broker_store_damaged` */
export function decodeRecord(key: Buffer, value: Buffer): void {
  const table = key[0];
  if (table === TABLE.queue || table === TABLE.retained) decode(value);
  else if (table === TABLE.incoming && value.length > 0) decode(value);
  else if (table === TABLE.will) decodeWill(value);
  else if (table === TABLE.session) decodeSession(value);
  else if (table === TABLE.meta) parseObject(value.toString());
}
