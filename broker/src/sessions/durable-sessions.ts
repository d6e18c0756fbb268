// Owns the sessions that the contract promises: they exist before their first visit, with their subscriptions.
import { durableClientId, type Party, type ServiceName, TOPIC_LIST } from '@monitor-mesh/shared/contract.ts';
import { filterOf } from '@monitor-mesh/shared/topic.ts';
import type { MessagePlane } from '../messages/message-plane.ts';
import { SESSION_NEVER_EXPIRES, type SessionLedger } from './session-ledger.ts';

/** The filters whose messages wait for a service when it is away. */
export const durableFilters = (service: Party): readonly string[] =>
  TOPIC_LIST.filter(({ durable }) => durable.some((consumer) => consumer === service)).map(({ pattern }) =>
    filterOf(pattern),
  );

/** Creates what is missing of the sessions of `consumers`. */
export function createDurableSessions(
  consumers: readonly ServiceName[],
  plane: MessagePlane,
  ledger: SessionLedger,
): void {
  for (const service of consumers) {
    if (durableFilters(service).length === 0) continue;
    const client_id = durableClientId(service);
    ledger.enter({ client_id, user: service, role: service, durable: true, expiry_s: SESSION_NEVER_EXPIRES });
    keepSubscriptions(service, plane);
  }
}

/** Files what the contract promises; a service that unsubscribed from it is subscribed again. */
export function keepSubscriptions(service: ServiceName, plane: MessagePlane): void {
  const session = plane.ensureStored(durableClientId(service));
  for (const topic of durableFilters(service))
    if (!session.subscriptions.has(topic)) plane.subscribe(session, { topic, qos: 1 });
}
