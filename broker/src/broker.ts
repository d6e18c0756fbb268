// Owns the broker of the mesh: MQTT for services and people, behind a seam that hides the engine.
import { randomUUID } from 'node:crypto';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import { reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import { ConnectGate, type Origin } from './connect-gate.ts';
import { createDurableSessions } from './durable-sessions.ts';
import { type Engine, startEngine } from './engine.ts';
import { watchEngine } from './engine-events.ts';
import { Hooks } from './hooks.ts';
import { type BrokerImage, countWaiting, restoreImage, takeImage } from './image.ts';
import { isInternal } from './internal-topics.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { BrokerOptions, MeshBroker, OwnPublish } from './mesh-broker.ts';
import { PacketGuard } from './packet-guard.ts';
import { createMemoryPersistence, type Persistence, watchPersistence } from './persistence.ts';
import { stamp } from './publish-decision.ts';
import { Refusals } from './refusals.ts';
import { eraseEndedSessions } from './session-end.ts';
import { SessionLedger } from './session-ledger.ts';
import { sysTopics } from './sys-topics.ts';
import { type Listener, openTcpListener } from './tcp-listener.ts';
import { TopicRules } from './topic-rules.ts';
import { openWebSocketListener, type WebSocketListenerOptions } from './websocket-listener.ts';

export type { Authenticate, Caller } from './connect-gate.ts';
export type { BrokerImage } from './image.ts';
export type { BrokerOptions, MeshBroker } from './mesh-broker.ts';

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
    watchEngine({
      engine,
      persistence,
      log: this.#log,
      gate: this.#gate,
      hooks: this.#hooks,
      ledger: this.#ledger,
      clients: this.#clients,
    });
    if (restore) {
      if (restore.engine_id === id) engine.counter = restore.counter;
      await restoreImage(restore, persistence, this.#ledger, this.#now());
    }
    await createDurableSessions(consumers, persistence, this.#ledger);
    for await (const { topic } of persistence.createRetainedStream('#')) this.#retained.add(topic);
    const started_ms = this.#now();
    const sources = {
      engine,
      version,
      started_ms,
      traffic: this.#traffic,
      now: this.#now,
      retained: () => this.#retained.size,
    };
    const keepHouse = (): void => {
      for (const [topic, text] of sysTopics(sources)) this.#publishInBackground(topic, text, { retain: true });
      eraseEndedSessions(persistence, this.#ledger, this.#now()).catch((error: unknown) =>
        this.#log.error({ reason: reasonOf(error) }, 'ended sessions could not be erased'),
      );
    };
    keepHouse();
    this.#housekeeping = setInterval(keepHouse, this.#limits.sys_interval_ms).unref();
  }

  /** An unknown session belongs to a persistence that was filled elsewhere: what it may read is judged when it comes. */
  #mayQueue(clientId: string, topic: string): boolean {
    if (isInternal(topic)) return false;
    const role = this.#ledger.roleOf(clientId);
    return role === undefined || this.#rules.of(role, topic).readable;
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
    inner.once('close', () => {
      if (inner.writableFinished && outer.readableLength > 0) outer.once('end', () => outer.destroy());
      else outer.destroy();
    });
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
    return takeImage(this.#running, this.#persistence, this.#ledger, this.#now());
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
