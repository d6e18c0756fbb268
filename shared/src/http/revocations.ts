// Owns the way revoked sessions travel: a retained list that each service with an HTTP door follows.
import type { Bus } from '../bus/bus.ts';
import { TOPICS } from '../contract.ts';
import { decodePayload } from '../decode.ts';
import { epochOf, isoOf } from '../time.ts';
import type { RevokedSessions } from './door.ts';

/** Takes in what other services revoke. */
export function followRevocations(bus: Bus, revoked: RevokedSessions): void {
  bus.subscribe('sessions', (message) => {
    const decoded = decodePayload(TOPICS.sessions, message.payload);
    if (!decoded.ok) return bus.reject(message.topic, decoded.reason);
    for (const { session, until } of decoded.value.revoked) revoked.add(session, epochOf(until));
  });
}

/** Revokes a session here at once and everywhere as soon as the broker has it. */
export async function revokeSession(
  bus: Bus,
  revoked: RevokedSessions,
  session: string,
  untilMs: number,
  nowMs: number,
): Promise<void> {
  revoked.add(session, untilMs);
  const current = revoked.current(nowMs).map(({ session: id, until_ms }) => ({ session: id, until: isoOf(until_ms) }));
  await bus.publish('sessions', {}, { revoked: current });
}
