// Owns the broker of the mesh: MQTT for services and people, behind a seam that hides the engine.
import { randomUUID } from 'node:crypto';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type Identity, isService } from '@monitor-mesh/shared/access.ts';
import type { ServiceName } from '@monitor-mesh/shared/contract.ts';
import { codeOf, reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Metrics } from '@monitor-mesh/shared/metrics.ts';
import { type Authenticate, type Caller, ConnectGate, type Origin } from './connect-gate.ts';
import { createDurableSessions, keepSubscriptions } from './durable-sessions.ts';
import { type Engine, type EngineClient, startEngine } from './engine.ts';
import { Hooks } from './hooks.ts';
import { type BrokerImage, countWaiting, eraseSession, restoreImage, takeImage } from './image.ts';
import { isInternal } from './internal-topics.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { PacketGuard } from './packet-guard.ts';
import { createMemoryPersistence, type Persistence, watchPersistence } from './persistence.ts';
import { stamp } from './publish-decision.ts';
import { Refusals } from './refusals.ts';
import { SessionLedger } from './session-ledger.ts';
import { sysTopics } from './sys-topics.ts';
import { openTcpListener, type Listener } from './tcp-listener.ts';
import { TopicRules } from './topic-rules.ts';
import { openWebSocketListener, type WebSocketListenerOptions } from './websocket-listener.ts';

export type { Authenticate, BrokerImage, Caller, Limits, Persistence };

export interface BrokerOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly authenticate: Authenticate;
  /** Services whose durable sessions exist from the start. */
  readonly consumers: readonly ServiceName[];
  /** Told in `$SYS/broker/version`. */
  readonly version: string;
  /** Any implementation of the aedes-persistence interface; in memory when absent. */
  readonly persistence?: Persistence;
  /** What an earlier broker's `dump` gave, for an empty persistence. */
  readonly restore?: BrokerImage;
  /** Name under which messages are counted: never the same for two runs over one persistence. */
  readonly id?: string;
  readonly now?: () => number;
  readonly limits?: Partial<Limits>;
}

export interface OwnPublish {
  readonly retain?: boolean;
}

export interface MeshBroker extends AsyncDisposable {
  /** A connection inside the process: bytes of MQTT, no password; the identity is the host's word. */
  attach(identity: Identity): Duplex;
  /** @throws the system's error (EADDRINUSE…) */
  listenTcp(options: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  /** Never anonymous. @throws the system's error (EADDRINUSE…) */
  listenWebSocket(options: WebSocketListenerOptions): Promise<{ readonly port: number }>;
  /** The broker's own messages; QoS as in the contract. Resolves when the message is queued and sent. */
  publishOwn(topic: string, payload: string | Buffer, options?: OwnPublish): Promise<void>;
  /** Messages queued for absent or slow persistent sessions. */
  waiting(): Promise<number>;
  /** Retained messages and persistent sessions; whole when taken after `close`. */
  dump(): Promise<BrokerImage>;
  /** Ends every connection. Last wills are published first. */
  close(): Promise<void>;
}

/** A broker without a listener, with the contract's sessions in place. */
export async function createBroker(options: BrokerOptions): Promise<MeshBroker> {
  const broker = new Broker(options);
  await broker.start(options);
  return broker;
}

/** Sockets that have not said who they are yet, on top of `connections_max`. */
const STRANGERS_MAX = 200;

class Broker implements MeshBroker {
  readonly #log: Log;
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #ledger = new SessionLedger();
  readonly #rules = new TopicRules();
  readonly #retained = new Set<string>();
  readonly #traffic = { received: 0, sent: 0 };
  readonly #guards = new Set<PacketGuard>();
  readonly #listeners: Listener[] = [];
  readonly #persistence: Persistence;
  readonly #refusals: Refusals;
  readonly #gate: ConnectGate;
  readonly #hooks: Hooks;
  readonly #clients;
  #engine: Engine | undefined;
  #housekeeping: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor({ log, metrics, authenticate, persistence, now = Date.now, limits }: BrokerOptions) {
    this.#log = log;
    this.#now = now;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#clients = metrics.gauge('mqtt_clients', 'Clients that are connected');
    this.#persistence = watchPersistence(persistence ?? createMemoryPersistence(), {
      mayQueue: (clientId, topic) => this.#mayQueue(clientId, topic),
      onRetained: (topic, present) => void (present ? this.#retained.add(topic) : this.#retained.delete(topic)),
    });
    this.#refusals = new Refusals({
      log,
      metrics,
      now,
      window_ms: this.#limits.reject_window_ms,
      publish: (topic, payload) => this.#publishInBackground(topic, payload),
    });
    this.#gate = new ConnectGate({
      log,
      authenticate,
      now,
      ledger: this.#ledger,
      refused: metrics.counter('mqtt_connect_refused_total', 'Connections that were refused'),
      connections_max: this.#limits.connections_max,
    });
    this.#hooks = new Hooks({
      log,
      now,
      gate: this.#gate,
      ledger: this.#ledger,
      rules: this.#rules,
      refusals: this.#refusals,
      traffic: this.#traffic,
      received: metrics.counter('mqtt_messages_received_total', 'Publishes that clients sent'),
      sent: metrics.counter('mqtt_messages_sent_total', 'Publishes that were sent to clients'),
      unsent_bytes_max: this.#limits.unsent_bytes_max,
      engine: () => this.#running,
    });
  }

  get #running(): Engine {
    if (!this.#engine) throw new TypeError('expected a started broker');
    return this.#engine;
  }

  async start({ id = randomUUID(), consumers, restore, version }: BrokerOptions): Promise<void> {
    const persistence = this.#persistence;
    const { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward } = this.#hooks;
    const hooks = { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward };
    const engine = await startEngine({ ...hooks, id, persistence, drain_timeout_ms: this.#limits.drain_timeout_ms });
    this.#engine = engine;
    this.#watch(engine);
    if (restore) {
      if (restore.engine_id === id) engine.counter = restore.counter;
      await restoreImage(restore, persistence, this.#ledger, this.#now());
    }
    await createDurableSessions(consumers, persistence, this.#ledger);
    for await (const { topic } of persistence.createRetainedStream('#')) this.#retained.add(topic);
    const started_ms = this.#now();
    const sources = { engine, version, started_ms, traffic: this.#traffic, now: this.#now, retained: () => this.#retained.size };
    const keepHouse = (): void => {
      for (const [topic, text] of sysTopics(sources)) this.#publishInBackground(topic, text, { retain: true });
      this.#eraseEnded().catch((error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'ended sessions could not be erased'));
    };
    keepHouse();
    this.#housekeeping = setInterval(keepHouse, this.#limits.sys_interval_ms).unref();
  }

  #watch(engine: Engine): void {
    const count = (): void => this.#clients.set(engine.connectedClients);
    engine.on('client', (client: EngineClient) => {
      this.#gate.onUp(engine, client);
      count();
    });
    engine.on('clientReady', (client: EngineClient) => this.#hooks.onReady(client));
    engine.on('clientDisconnect', (client: EngineClient) => {
      this.#gate.onDown(engine, client);
      count();
    });
    engine.on('sessionExpired', (client: EngineClient) => this.#ledger.forget(client.id ?? ''));
    engine.on('unsubscribe', (topics: readonly string[], client: EngineClient) => this.#onUnsubscribe(topics, client));
    engine.on('clientError', (client: EngineClient, error: Error) => this.#onClientError(client, error));
    engine.on('connectionError', (client: EngineClient, error: Error) => this.#onClientError(client, error));
    engine.on('error', (error: Error) => this.#log.error({ err: error }, 'the persistence failed'));
  }

  #onClientError(client: EngineClient, error: Error): void {
    const level = codeOf(error) === 'packet_refused' ? 'warn' : 'debug';
    this.#log[level]({ client: client.id, reason: error.message }, 'connection fault');
  }

  #onUnsubscribe(topics: readonly string[], client: EngineClient): void {
    const role = this.#gate.identityOf(client)?.role;
    if (role === undefined || !isService(role) || !this.#ledger.isDurable(client.id ?? '')) return;
    keepSubscriptions(role, topics, this.#persistence).catch((error: unknown) =>
      this.#log.error({ client: client.id, reason: reasonOf(error) }, 'a promised subscription could not be kept'),
    );
  }

  /** An unknown session belongs to a persistence that was filled elsewhere: what it may read is judged when it comes. */
  #mayQueue(clientId: string, topic: string): boolean {
    if (isInternal(topic)) return false;
    const role = this.#ledger.roleOf(clientId);
    return role === undefined || this.#rules.of(role, topic).readable;
  }

  async #eraseEnded(): Promise<void> {
    const now = this.#now();
    for (const { client_id, ends_at_ms } of this.#ledger.sessions()) {
      if (ends_at_ms === undefined || ends_at_ms > now || this.#ledger.isHeld(client_id)) continue;
      this.#ledger.forget(client_id);
      await eraseSession(this.#persistence, client_id);
    }
  }

  #open(connection: Duplex, origin: Origin): void {
    if (this.#closed || this.#guards.size >= this.#limits.connections_max + STRANGERS_MAX) {
      connection.on('error', () => connection.destroy());
      connection.destroy();
      return;
    }
    const guard = new PacketGuard(connection, this.#limits);
    this.#guards.add(guard);
    guard.once('close', () => this.#guards.delete(guard));
    this.#gate.admit(guard, origin);
    this.#running.handle(guard);
  }

  attach(identity: Identity): Duplex {
    const [inner, outer] = duplexPair({ allowHalfOpen: false });
    inner.once('close', () => (outer.readableLength === 0 ? outer.destroy() : outer.once('end', () => outer.destroy())));
    outer.once('close', () => inner.destroy());
    this.#open(inner, { identity });
    return outer;
  }

  async listenTcp(options: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }> {
    return this.#listen(openTcpListener(options, (connection, caller) => this.#open(connection, { caller })));
  }

  async listenWebSocket(options: WebSocketListenerOptions): Promise<{ readonly port: number }> {
    return this.#listen(openWebSocketListener(options, (connection, caller) => this.#open(connection, { caller })));
  }

  async #listen(opening: Promise<Listener>): Promise<{ readonly port: number }> {
    const listener = await opening;
    this.#listeners.push(listener);
    return { port: listener.port };
  }

  publishOwn(topic: string, payload: string | Buffer, { retain }: OwnPublish = {}): Promise<void> {
    const rule = this.#rules.of('broker', topic);
    if (!rule.publish.allowed && !topic.startsWith('$SYS/')) throw new TypeError(rule.publish.reason);
    const { properties, expires_at_ms } = stamp({}, rule, this.#now());
    const packet = {
      cmd: 'publish' as const,
      topic,
      payload: Buffer.from(payload),
      qos: rule.definition?.qos ?? 0,
      retain: retain ?? rule.definition?.retain ?? false,
      ...(properties && { properties }),
      ...(expires_at_ms !== undefined && { messageExpiry: expires_at_ms }),
    };
    return new Promise((resolve, reject) => {
      this.#running.publish(packet, null, (error) => (error ? reject(error) : resolve()));
    });
  }

  #publishInBackground(topic: string, payload: string, options?: OwnPublish): void {
    this.publishOwn(topic, payload, options).catch((error: unknown) =>
      this.#log.error({ topic, reason: reasonOf(error) }, 'own message could not be published'),
    );
  }

  waiting(): Promise<number> {
    return countWaiting(this.#persistence, this.#ledger);
  }

  dump(): Promise<BrokerImage> {
    return takeImage(this.#running, this.#persistence, this.#ledger);
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stop(): Promise<void> {
    clearInterval(this.#housekeeping);
    const closing = this.#listeners.map((listener) => listener.close());
    this.#refusals[Symbol.dispose]();
    // a client that takes nothing would hold its DISCONNECT, and so the stop, until the drain time-out
    for (const guard of this.#guards) if (guard.writableNeedDrain) guard.destroy();
    await new Promise<void>((resolve) => this.#running.close(resolve));
    for (const guard of this.#guards) guard.destroy();
    await Promise.all(closing);
    await turn(); // wills of the last clients reach the queues
  }
}
