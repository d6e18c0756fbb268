// Owns the smallest pieces of the wire: variable byte integers, acknowledgements, names of properties.

/** Property identifiers of a PUBLISH (MQTT 5.0, table 2-4). */
export const PROPERTY = {
  payload_format: 0x01,
  message_expiry: 0x02,
  content_type: 0x03,
  response_topic: 0x08,
  correlation_data: 0x09,
  subscription_id: 0x0b,
  topic_alias: 0x23,
  user: 0x26,
  reason_string: 0x1f,
} as const;

/** Packet types, as the first byte of an acknowledgement. */
export const ACK = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;
export type AckType = (typeof ACK)[keyof typeof ACK];

export const REASON = {
  success: 0x00,
  unspecified: 0x80,
  not_authorized: 0x87,
  packet_id_unknown: 0x92,
  quota_exceeded: 0x97,
} as const;

/** A malformed packet or a broken rule of the protocol: the connection ends with this reason (MQTT 5.0 §4.13). */
export class ProtocolFault extends Error {
  readonly reason_code: number;
  constructor(reason_code: number, message: string) {
    super(message);
    this.reason_code = reason_code;
  }
}
export const MALFORMED = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
export const TOPIC_ALIAS_INVALID = 0x94;
export const TOPIC_NAME_INVALID = 0x90;

export const variableIntegerBytes = (value: number): number =>
  value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;

/** Writes a variable byte integer [MQTT-1.5.5-1]; returns where it ends. */
export function putVariableInteger(bytes: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP; a reason other than success exists in MQTT 5 only. */
export function ackBytes(type: AckType, packetId: number, version: number, reason = 0, text?: string): Buffer {
  if (version !== 5 || reason === 0) return Buffer.from([type, 2, packetId >> 8, packetId & 0xff]);
  if (text === undefined) return Buffer.from([type, 3, packetId >> 8, packetId & 0xff, reason]);
  const told = Buffer.from(text).subarray(0, 1_000);
  const properties = 3 + told.length;
  const remaining = 3 + variableIntegerBytes(properties) + properties;
  const bytes = Buffer.allocUnsafe(1 + variableIntegerBytes(remaining) + remaining);
  bytes[0] = type;
  let at = putVariableInteger(bytes, 1, remaining);
  bytes[at++] = packetId >> 8;
  bytes[at++] = packetId & 0xff;
  bytes[at++] = reason;
  at = putVariableInteger(bytes, at, properties);
  bytes[at++] = PROPERTY.reason_string;
  bytes[at++] = told.length >> 8;
  bytes[at++] = told.length & 0xff;
  told.copy(bytes, at);
  return bytes;
}
