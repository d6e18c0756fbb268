// Owns the sessions that the contract promises: they exist before their first visit, with their subscriptions.
import { durableClientId, type Party, type ServiceName, TOPIC_LIST } from '@monitor-mesh/shared/contract.ts';
import { filterOf } from '@monitor-mesh/shared/topic.ts';
import type { EngineSubscription } from './engine.ts';
import type { Persistence } from './persistence.ts';
import type { SessionLedger } from './session-ledger.ts';

/** The filters whose messages wait for a service when it is away. */
export const durableFilters = (service: Party): readonly string[] =>
  TOPIC_LIST.filter(({ durable }) => durable.some((consumer) => consumer === service)).map(({ pattern }) =>
    filterOf(pattern),
  );

const subscriptionsOf = (service: ServiceName): readonly EngineSubscription[] =>
  durableFilters(service).map((topic) => ({ topic, qos: 1 }));

/** Creates what is missing of the sessions of `consumers`. */
export async function createDurableSessions(
  consumers: readonly ServiceName[],
  persistence: Persistence,
  ledger: SessionLedger,
): Promise<void> {
  for (const service of consumers) {
    const subscriptions = subscriptionsOf(service);
    if (subscriptions.length === 0) continue;
    const client_id = durableClientId(service);
    ledger.enter({ client_id, user: service, role: service, durable: true });
    await persistence.addSubscriptions({ id: client_id }, subscriptions);
  }
}

/** Puts back what a service unsubscribed from: the session keeps what the contract promises. */
export async function keepSubscriptions(
  service: ServiceName,
  dropped: readonly string[],
  persistence: Persistence,
): Promise<void> {
  const kept = subscriptionsOf(service).filter(({ topic }) => dropped.includes(topic));
  if (kept.length > 0) await persistence.addSubscriptions({ id: durableClientId(service) }, kept);
}
