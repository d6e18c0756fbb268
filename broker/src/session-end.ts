// Owns the end of sessions whose time has come, also those that an image brought and the engine never saw.
import { queueOf } from './image.ts';
import type { Persistence } from './persistence.ts';
import type { SessionLedger } from './session-ledger.ts';

/** Erases every session that ended while nobody was connected. */
export async function eraseEndedSessions(
  persistence: Persistence,
  ledger: SessionLedger,
  nowMs: number,
): Promise<void> {
  for (const { client_id, ends_at_ms } of ledger.sessions(nowMs)) {
    if (ends_at_ms === undefined || ends_at_ms > nowMs || ledger.isHeld(client_id)) continue;
    ledger.forget(client_id);
    await eraseSession(persistence, client_id);
  }
}

/** Subscriptions, queue and will. The interface removes from a queue only what has a packet identifier. */
async function eraseSession(persistence: Persistence, clientId: string): Promise<void> {
  const client = { id: clientId };
  await persistence.cleanSubscriptions(client);
  await persistence.delWill(client);
  let messageId = 0;
  for (const packet of await queueOf(persistence, clientId)) {
    messageId = packet.messageId ?? messageId + 1;
    const { brokerId, brokerCounter } = packet;
    if (packet.messageId === undefined && typeof brokerId === 'string' && brokerCounter !== undefined)
      await persistence.outgoingUpdate(client, { cmd: 'publish', brokerId, brokerCounter, messageId });
    await persistence.outgoingClearMessageId(client, { messageId });
  }
}
