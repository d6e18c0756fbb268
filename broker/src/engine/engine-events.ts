// Owns what follows from the engine's events: who is up, whose packets may go on, what went wrong.
import { isService } from '@monitor-mesh/shared/access.ts';
import { codeOf } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Gauge } from '@monitor-mesh/shared/metrics.ts';
import type { ConnectGate } from '../access/connect-gate.ts';
import { PacketGuard } from '../doors/packet-guard.ts';
import type { MessagePlane } from '../messages/message-plane.ts';
import { keepSubscriptions } from '../sessions/durable-sessions.ts';
import type { SessionLedger } from '../sessions/session-ledger.ts';
import type { Engine, EngineClient } from './engine.ts';

export interface EngineEventParts {
  readonly engine: Engine;
  readonly log: Log;
  readonly gate: ConnectGate;
  readonly plane: MessagePlane;
  readonly ledger: SessionLedger;
  readonly clients: Gauge;
}

export function watchEngine({ engine, log, gate, plane, ledger, clients }: EngineEventParts): void {
  const count = (): void => clients.set(engine.connectedClients);

  /** The promised subscriptions of a durable session are put back at once. */
  const onUnsubscribe = (filters: readonly string[], client: EngineClient): void => {
    const session = plane.linkOf(client)?.session;
    if (session) plane.unsubscribe(session, filters);
    const role = gate.identityOf(client)?.role;
    if (role !== undefined && isService(role) && ledger.isDurable(client.id ?? '')) keepSubscriptions(role, plane);
    release(client);
  };

  /** One cut connection gives many of these; only what the guard refused deserves more than debug. */
  const onFault = (client: EngineClient, error: Error): void =>
    log[codeOf(error) === 'packet_refused' ? 'warn' : 'debug'](
      { client: client.id, reason: error.message },
      'connection fault',
    );

  engine.on('client', (client: EngineClient) => {
    gate.onUp(engine, client);
    const who = gate.identityOf(client);
    if (who && !client.closed && client.conn instanceof PacketGuard) plane.onUp(client, client.conn, who);
    count();
  });
  engine.on('clientReady', (client: EngineClient) => plane.onReady(client, () => release(client)));
  engine.on('clientDisconnect', (client: EngineClient) => {
    gate.onDown(engine, client);
    plane.onDown(client);
    count();
  });
  engine.on('sessionExpired', (client: EngineClient) => ledger.forget(client.id ?? ''));
  engine.on('subscribe', (_subscriptions: unknown, client: EngineClient) => release(client));
  engine.on('unsubscribe', onUnsubscribe);
  engine.on('clientError', onFault);
  engine.on('connectionError', onFault);
  engine.on('error', (error: Error) => log.error({ err: error }, 'the engine failed'));
}

/** What came behind a SUBSCRIBE, an UNSUBSCRIBE or the CONNECT waited for its answer. */
function release(client: EngineClient): void {
  if (client.conn instanceof PacketGuard && !client.closed) client.conn.release();
}
