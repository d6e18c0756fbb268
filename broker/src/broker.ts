// Owns the broker of the mesh: MQTT for services and people, behind a seam that hides the engine.
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import { reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import { ConnectGate, type Origin } from './access/connect-gate.ts';
import { ConnectRate } from './access/connect-rate.ts';
import { Refusals } from './access/refusals.ts';
import { TopicRules } from './access/topic-rules.ts';
import { PacketGuard } from './doors/packet-guard.ts';
import { type Listener, openTcpListener } from './doors/tcp-listener.ts';
import { openTlsListener, type TlsListenerOptions } from './doors/tls-listener.ts';
import { openWebSocketListener, type WebSocketListenerOptions } from './doors/websocket-listener.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { EngineBus } from './engine/engine-bus.ts';
import { watchEngine } from './engine/engine-events.ts';
import { EnginePersistence } from './engine/engine-persistence.ts';
import { Hooks } from './engine/hooks.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import type { BrokerOptions, MeshBroker, OwnPublish } from './mesh-broker.ts';
import { offeredOf } from './messages/engine-message.ts';
import { MessagePlane } from './messages/message-plane.ts';
import { createDurableSessions } from './sessions/durable-sessions.ts';
import { eraseEndedSessions } from './sessions/session-end.ts';
import { SESSION_NEVER_EXPIRES, SessionLedger } from './sessions/session-ledger.ts';
import type { BrokerStore, StoredWill } from './store/broker-store.ts';
import { MemoryStore } from './store/memory-store.ts';
import { sysTopics, Traffic } from './sys-topics.ts';

export type { Authenticate, Caller } from './access/connect-gate.ts';
export type { BrokerOptions, MeshBroker } from './mesh-broker.ts';

/** Connections that may come at once beyond what may be open: everybody comes back, and some twice. */
const CONNECTS_SPARE = 1_000;
/** Longest delay of a will over a restart: what timers of this platform can count. */
const WILL_DELAY_MS_MAX = 2 ** 31 - 1;

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
  readonly #ledger: SessionLedger;
  readonly #rules = new TopicRules();
  readonly #traffic: Traffic;
  readonly #guards = new Set<PacketGuard>();
  readonly #listeners: Listener[] = [];
  readonly #store: BrokerStore;
  readonly #plane: MessagePlane;
  readonly #refusals: Refusals;
  readonly #gate: ConnectGate;
  readonly #hooks: Hooks;
  readonly #rate: ConnectRate;
  readonly #clients;
  #engine: Engine | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  #closed: Promise<void> | undefined;

  constructor({ log, metrics, authenticate, store, now = Date.now, limits }: BrokerOptions) {
    this.#log = log;
    this.#now = now;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#ledger = new SessionLedger(this.#limits.sessions_max);
    this.#clients = metrics.gauge('mqtt_clients', 'Clients that are connected');
    this.#store = store ?? new MemoryStore();
    this.#traffic = new Traffic(metrics);
    this.#refusals = new Refusals({
      log,
      metrics,
      now,
      window_ms: this.#limits.reject_window_ms,
      publish: (topic, payload) => this.#publishInBackground(topic, payload),
    });
    this.#plane = new MessagePlane({
      log,
      now,
      store: this.#store,
      ledger: this.#ledger,
      rules: this.#rules,
      refusals: this.#refusals,
      limits: this.#limits,
      traffic: this.#traffic,
    });
    this.#gate = new ConnectGate({
      log,
      authenticate,
      now,
      ledger: this.#ledger,
      refused: metrics.counter('mqtt_connect_refused_total', 'Connections that were refused'),
      connections_max: this.#limits.connections_max,
    });
    const { connects_per_second_max, connections_max } = this.#limits;
    this.#rate = new ConnectRate(connects_per_second_max, connections_max + CONNECTS_SPARE, now);
    this.#hooks = new Hooks({
      log,
      now,
      gate: this.#gate,
      ledger: this.#ledger,
      plane: this.#plane,
      rules: this.#rules,
      refusals: this.#refusals,
      limits: this.#limits,
    });
  }

  get #running(): Engine {
    if (!this.#engine) throw new TypeError('expected a started broker');
    return this.#engine;
  }

  get waiting(): number {
    return this.#plane.waiting;
  }

  get obstacle(): string | undefined {
    return this.#plane.obstacle;
  }

  async start({ consumers, version }: BrokerOptions): Promise<void> {
    const wills = this.#takeUp();
    createDurableSessions(consumers, this.#plane, this.#ledger);
    await this.#plane.commit();
    // A name for each life of the broker, rising, so that nothing of two lives is ever taken for the same.
    const id = `b${String(this.#store.boot).padStart(6, '0')}`;
    const { preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward } = this.#hooks;
    const engine = await startEngine({
      ...{ preConnect, authenticate, authorizePublish, authorizeSubscribe, authorizeForward },
      id,
      persistence: new EnginePersistence(this.#plane, this.#store, id),
      mq: new EngineBus(id, (packet) =>
        this.#plane.publish(packet.topic, offeredOf(packet), packet.qos, packet.clientId),
      ),
      topic_levels_max: this.#limits.topic_levels_max,
      receive_maximum: this.#limits.receive_maximum,
    });
    this.#engine = engine;
    const log = this.#log;
    watchEngine({ engine, log, gate: this.#gate, plane: this.#plane, ledger: this.#ledger, clients: this.#clients });
    for (const will of wills) this.#publishWill(will);
    this.#keepHouse(engine, version);
  }

  /** What the last life left. A session that was connected when the broker died ends as if it had been cut now. */
  #takeUp(): readonly StoredWill[] {
    const image = this.#store.load();
    const now = this.#now();
    for (const session of image.sessions) {
      const { expiry_s, ends_at_ms } = session;
      const finite = !session.durable && expiry_s < SESSION_NEVER_EXPIRES;
      this.#ledger.enter(finite ? { ...session, ends_at_ms: ends_at_ms ?? now + expiry_s * 1000 } : session);
    }
    this.#plane.restore(image);
    eraseEndedSessions(this.#plane, this.#ledger, now);
    return image.wills;
  }

  /** The will of a client that was connected when the broker died, unless it is back before its delay is over. */
  #publishWill({ client_id, message, delay_s, expiry_s }: StoredWill): void {
    const publish = (): void => {
      if (this.#ledger.isHeld(client_id)) return;
      this.#store.deleteWill(client_id);
      const { topic, payload, retain, properties, qos } = message;
      this.#plane
        .publish(topic, { payload, retain, properties, expiry_s, mid: undefined }, qos, client_id)
        .catch((error: unknown) =>
          this.#log.error({ topic, reason: reasonOf(error) }, 'a last will was not published'),
        );
    };
    if (delay_s === 0) publish();
    else this.#timers.push(setTimeout(publish, Math.min(delay_s * 1000, WILL_DELAY_MS_MAX)).unref());
  }

  #keepHouse(engine: Engine, version: string): void {
    const started_ms = this.#now();
    const retained = (): number => this.#plane.retained.count;
    const sources = { engine, version, started_ms, retained, traffic: this.#traffic, now: this.#now };
    const keepHouse = (): void => {
      for (const [topic, text] of sysTopics(sources)) this.#publishInBackground(topic, text, { retain: true });
      eraseEndedSessions(this.#plane, this.#ledger, this.#now());
    };
    const lookAtDisk = async (): Promise<void> => {
      const free = await this.#store.freeBytes();
      const { free_disk_bytes_min: min } = this.#limits;
      const low = free !== undefined && free < min;
      this.#plane.block(low ? `less than ${Math.round(min / 1024 ** 2)} MiB are free on the disk` : undefined);
    };
    keepHouse();
    this.#timers.push(
      setInterval(keepHouse, this.#limits.sys_interval_ms).unref(),
      setInterval(
        () =>
          lookAtDisk().catch((error: unknown) =>
            this.#log.warn({ reason: reasonOf(error) }, 'the free space of the disk is not known'),
          ),
        this.#limits.disk_look_ms,
      ).unref(),
    );
  }

  #open(connection: Duplex, origin: Origin): void {
    const paced = 'caller' in origin && !this.#rate.take(origin.caller.address);
    if (this.#closed || paced || this.#guards.size >= this.#limits.connections_max + STRANGERS_MAX) {
      connection.on('error', () => connection.destroy());
      connection.destroy();
      return;
    }
    const guard = new PacketGuard(connection, this.#limits, this.#plane);
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

  async listenTls(options: TlsListenerOptions): Promise<{ readonly port: number }> {
    return this.#listen(openTlsListener(options, (connection, caller) => this.#open(connection, { caller })));
  }

  async #listen(opening: Promise<Listener>): Promise<{ readonly port: number }> {
    const listener = await opening;
    this.#listeners.push(listener);
    return { port: listener.port };
  }

  publishOwn(topic: string, payload: string | Buffer, { retain }: OwnPublish = {}): Promise<void> {
    const rule = this.#rules.of('broker', topic);
    if (!rule.publish.allowed && !topic.startsWith('$SYS/')) throw new TypeError(rule.publish.reason);
    const offered = {
      payload: Buffer.from(payload),
      retain: retain ?? rule.definition?.retain ?? false,
      properties: Buffer.alloc(0),
      mid: undefined,
      expiry_s: undefined,
    };
    return this.#plane.publish(topic, offered, rule.definition?.qos ?? 0);
  }

  #publishInBackground(topic: string, payload: string, options?: OwnPublish): void {
    this.publishOwn(topic, payload, options).catch((error: unknown) =>
      this.#log.error({ topic, reason: reasonOf(error) }, 'own message could not be published'),
    );
  }

  close(): Promise<void> {
    this.#closed ??= this.#stop();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const closing = this.#listeners.map((listener) => listener.close());
    this.#refusals[Symbol.dispose]();
    await new Promise<void>((resolve) => this.#running.close(resolve));
    for (const guard of this.#guards) guard.destroy();
    await Promise.all(closing);
    await turn(); // wills of the last clients reach the queues
    await this.#plane
      .commit()
      .catch((error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'what was not acknowledged is not kept'));
    await this.#store[Symbol.asyncDispose]();
  }
}
