// Owns what follows from the engine's events: who is up, which queue is out, what went wrong.
import { isService } from '@monitor-mesh/shared/access.ts';
import { codeOf, reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Gauge } from '@monitor-mesh/shared/metrics.ts';
import type { ConnectGate } from './connect-gate.ts';
import { keepSubscriptions } from './durable-sessions.ts';
import type { Engine, EngineClient } from './engine.ts';
import type { Hooks } from './hooks.ts';
import type { Persistence } from './persistence.ts';
import type { SessionLedger } from './session-ledger.ts';

export interface EngineEventParts {
  readonly engine: Engine;
  readonly persistence: Persistence;
  readonly log: Log;
  readonly gate: ConnectGate;
  readonly hooks: Hooks;
  readonly ledger: SessionLedger;
  readonly clients: Gauge;
}

export function watchEngine({ engine, persistence, log, gate, hooks, ledger, clients }: EngineEventParts): void {
  const count = (): void => clients.set(engine.connectedClients);

  /** The promised subscriptions of a durable session are put back at once. */
  const onUnsubscribe = (topics: readonly string[], client: EngineClient): void => {
    const role = gate.identityOf(client)?.role;
    if (role === undefined || !isService(role) || !ledger.isDurable(client.id ?? '')) return;
    keepSubscriptions(role, topics, persistence).catch((error: unknown) =>
      log.error({ client: client.id, reason: reasonOf(error) }, 'a promised subscription could not be kept'),
    );
  };

  /** One cut connection gives many of these; only what the guard refused deserves more than debug. */
  const onFault = (client: EngineClient, error: Error): void =>
    log[codeOf(error) === 'packet_refused' ? 'warn' : 'debug'](
      { client: client.id, reason: error.message },
      'connection fault',
    );

  engine.on('client', (client: EngineClient) => {
    gate.onUp(engine, client);
    count();
  });
  engine.on('clientReady', (client: EngineClient) => hooks.onReady(client));
  engine.on('clientDisconnect', (client: EngineClient) => {
    gate.onDown(engine, client);
    count();
  });
  engine.on('sessionExpired', (client: EngineClient) => ledger.forget(client.id ?? ''));
  engine.on('unsubscribe', onUnsubscribe);
  engine.on('clientError', onFault);
  engine.on('connectionError', onFault);
  engine.on('error', (error: Error) => log.error({ err: error }, 'the persistence failed'));
}
