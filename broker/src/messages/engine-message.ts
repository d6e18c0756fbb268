// Owns the way from a message as the engine holds it (a last will) to one of the plane.
import { isMid, MID_PROPERTY } from '@monitor-mesh/shared/mid.ts';
import type { Offered } from '../access/publish-decision.ts';
import type { EnginePacket, PacketProperties } from '../engine/engine.ts';
import { userProperty } from './publish-packet.ts';
import { PROPERTY } from './wire.ts';

function text(name: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const property = Buffer.allocUnsafe(3 + bytes.length);
  property[0] = name;
  property.writeUInt16BE(bytes.length, 1);
  bytes.copy(property, 3);
  return property;
}

/** The properties that travel on with a message, as they stand on the wire. */
export function encodeProperties(properties: PacketProperties | undefined): Buffer {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties ?? {};
  const parts: Buffer[] = [];
  if (payloadFormatIndicator !== undefined)
    parts.push(Buffer.from([PROPERTY.payload_format, payloadFormatIndicator ? 1 : 0]));
  if (typeof contentType === 'string') parts.push(text(PROPERTY.content_type, contentType));
  if (typeof responseTopic === 'string') parts.push(text(PROPERTY.response_topic, responseTopic));
  if (correlationData !== undefined) parts.push(text(PROPERTY.correlation_data, correlationData));
  for (const [name, value] of Object.entries(userProperties ?? {}))
    for (const one of typeof value === 'string' ? [value] : value) parts.push(userProperty(name, one));
  return Buffer.concat(parts);
}

/** A message of the engine as if it came from the wire. */
export function offeredOf({ topic, payload, retain, properties }: EnginePacket): Offered {
  const given = properties?.userProperties?.[MID_PROPERTY];
  return {
    topic,
    payload: Buffer.from(payload),
    retain,
    expiry_s: properties?.messageExpiryInterval,
    mid: typeof given === 'string' && isMid(given) ? given : undefined,
    properties: encodeProperties(properties),
  };
}
