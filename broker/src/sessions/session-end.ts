// Owns the end of sessions whose time has come, also those that an earlier life of the broker left.
import type { MessagePlane } from '../messages/message-plane.ts';
import type { SessionLedger } from './session-ledger.ts';

/** Erases every session that ended while nobody was connected. */
export function eraseEndedSessions(plane: MessagePlane, ledger: SessionLedger, nowMs: number): void {
  for (const { client_id, ends_at_ms } of ledger.sessions(nowMs)) {
    if (ends_at_ms === undefined || ends_at_ms > nowMs || ledger.isHeld(client_id)) continue;
    ledger.forget(client_id);
    plane.end(client_id);
  }
}
