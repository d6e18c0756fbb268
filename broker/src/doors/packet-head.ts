// Owns the fixed header of an MQTT packet.
import { MeshError } from '@monitor-mesh/shared/errors.ts';

export interface PacketHead {
  readonly first: number;
  /** Where the variable header begins. */
  readonly body: number;
  readonly remaining: number;
}

/** A packet that ends its connection. */
export const packetFault = (reason: string): MeshError => new MeshError('packet_refused', reason);

/** The fixed header at `at`, or `undefined` when the bytes end within it [MQTT-2.2.3]. */
export function readHead(bytes: Buffer, at: number): PacketHead | undefined {
  let remaining = 0;
  for (let index = 1; index <= 4; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    remaining += (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return { first: bytes[at] ?? 0, body: at + index + 1, remaining };
  }
  throw packetFault('expected a remaining length of at most four bytes');
}
