// Owns the way of every message: from a publisher to the queues and connections of who gets it, and the answer when it
// is safe. The engine keeps connections and subscriptions; messages do not pass through it.
import { setImmediate as turn } from 'node:timers/promises';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import { decidePublish, type Offered, type PublishDecision, stamp } from '../access/publish-decision.ts';
import type { Refusals } from '../access/refusals.ts';
import type { TopicRules } from '../access/topic-rules.ts';
import type { PacketFate, PacketGuard, PacketReader } from '../doors/packet-guard.ts';
import type { EngineClient, EngineSubscription } from '../engine/engine.ts';
import { isInternal, shortTopic } from '../internal-topics.ts';
import type { Limits } from '../limits.ts';
import type { SessionLedger } from '../sessions/session-ledger.ts';
import type { BrokerStore, StoredSession, StoreImage } from '../store/broker-store.ts';
import type { Traffic } from '../sys-topics.ts';
import { Link } from './link.ts';
import { Message } from './message.ts';
import { parseAck, parsePublish } from './publish-packet.ts';
import { RetainedMessages } from './retained.ts';
import { Router } from './router.ts';
import { Session, type SessionRules } from './session.ts';
import { ACK, ProtocolFault, REASON, RECEIVE_MAXIMUM_EXCEEDED } from './wire.ts';

export interface PlaneParts {
  readonly log: Log;
  readonly store: BrokerStore;
  readonly ledger: SessionLedger;
  readonly rules: TopicRules;
  readonly refusals: Refusals;
  readonly limits: Limits;
  readonly traffic: Traffic;
  readonly now: () => number;
}

const PUBLISH = 3;
const PUBACK = 4;
const PUBREC = 5;
const PUBREL = 6;
const PUBCOMP = 7;

const SLASH = 47;

function levelsOf(topic: string): number {
  let levels = 1;
  for (let index = 0; index < topic.length; index++) if (topic.charCodeAt(index) === SLASH) levels += 1;
  return levels;
}

const tooDeep = (topic: string, max: number): PublishDecision => ({
  kind: 'refuse',
  topic: shortTopic(topic),
  reason: `expected at most ${max} levels in a topic`,
});

const fullReason = ({ client_id }: Session): string => `the queue of ${client_id} is full`;

export class MessagePlane implements PacketReader {
  readonly retained = new RetainedMessages();
  readonly #parts: PlaneParts;
  readonly #router: Router;
  readonly #sessions = new Map<string, Session>();
  readonly #links = new WeakMap<EngineClient, Link>();
  /** Clients that were ready before they were announced. */
  readonly #early = new WeakMap<EngineClient, () => void>();
  readonly #byGuard = new WeakMap<PacketGuard, Link>();
  readonly #rules: SessionRules;
  /** Sessions whose record in the store is older than they are. */
  readonly #changed = new Set<Session>();
  /** Connections of old clients that wait for an answer which can not be given now. */
  readonly #starved = new Set<PacketGuard>();
  /** Why nothing can be kept now. */
  #blocked: string | undefined;

  constructor(parts: PlaneParts) {
    this.#parts = parts;
    const { rules, limits, now, store } = parts;
    const mayRead: SessionRules['mayRead'] = (role, topic) => !isInternal(topic) && rules.of(role, topic).readable;
    this.#router = new Router((session, topic) => mayRead(session.role, topic));
    this.#rules = {
      store,
      mayRead,
      now,
      inflight_max: limits.inflight_max,
      queue_messages_max: limits.queue_messages_max,
      queue_bytes_max: limits.queue_bytes_max,
      memory_queue_bytes_max: limits.memory_queue_bytes_max,
      onExpired: (topic) => parts.refusals.onExpired(topic),
      onDropped: () => void parts.traffic.dropped++,
    };
  }

  /** Takes up what the last life left. */
  restore({ sessions, queues, incoming, retained }: StoreImage): void {
    for (const message of retained) this.retained.put(message);
    for (const stored of sessions) {
      const left = { extent: queues.get(stored.number), incoming: incoming.get(stored.number) };
      const session = new Session(stored, stored.role, this.#rules, left);
      this.#sessions.set(stored.client_id, session);
      for (const subscription of stored.subscriptions) this.#file(session, subscription);
    }
  }

  session(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** A stored session that exists without a connection: one of the contract's. */
  ensureStored(clientId: string): Session {
    const known = this.#sessions.get(clientId);
    if (known?.isStored) return known;
    return this.#create(clientId, true);
  }

  subscribe(session: Session, subscription: EngineSubscription): void {
    this.#file(session, subscription);
    if (session.isStored) this.#changed.add(session);
  }

  unsubscribe(session: Session, filters: readonly string[]): void {
    for (const filter of filters) {
      if (!session.subscriptions.delete(filter)) continue;
      this.#router.remove(session, filter);
      if (session.isStored) this.#changed.add(session);
    }
  }

  /** Ends a session: subscriptions, queue and all. */
  end(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    this.#sessions.delete(clientId);
    this.#changed.delete(session);
    for (const filter of session.subscriptions.keys()) this.#router.remove(session, filter);
    session.subscriptions.clear();
    session.clear();
    if (session.isStored) this.#parts.store.deleteSession(session.number);
  }

  /** The record of a session has changed: who owns it, when it ends. */
  note(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session?.isStored) this.#changed.add(session);
    this.commit().catch(() => undefined); // heard of by whoever waits for an answer
  }

  /** A client is up, not yet told so. */
  onUp(client: EngineClient, guard: PacketGuard, who: Identity): void {
    const clientId = client.id ?? '';
    const known = this.#sessions.get(clientId);
    const session = known?.isStored === !client.clean ? known : this.#create(clientId, !client.clean);
    if (session.role !== who.role) {
      session.role = who.role;
      this.#router.forget();
    }
    const { limits, now, traffic } = this.#parts;
    const link = new Link(client, session, guard, {
      now,
      unsent_bytes_max: limits.unsent_bytes_max,
      receive_maximum: limits.receive_maximum,
      traffic,
    });
    this.#links.set(client, link);
    this.#byGuard.set(guard, link);
    session.attach(link);
    guard.onDrained(() => session.onDrain());
    this.note(clientId);
    const release = this.#early.get(client);
    if (release) this.onReady(client, release);
  }

  /** The client was told that it is up: its queue begins to move. */
  onReady(client: EngineClient, release: () => void): void {
    const link = this.#links.get(client);
    if (!link) {
      // It takes over from a connection that is still being closed: the engine announces it only after that.
      this.#early.set(client, release);
      return;
    }
    // Behind the CONNACK, which leaves at the end of this turn.
    setImmediate(() => {
      if (!client.closed) {
        link.isReady = true;
        link.session.start();
      }
      release();
    });
  }

  /** Any packet keeps a connection alive [MQTT-3.1.2-22]; the engine sees only some of them. */
  onChunk(guard: PacketGuard): void {
    this.#byGuard.get(guard)?.client._keepaliveTimer?.refresh();
  }

  /** A client of MQTT 5 is told what was wrong (§4.13); any other just loses its connection. */
  onFault(guard: PacketGuard, error: Error): void {
    const link = this.#byGuard.get(guard);
    this.#parts.log.debug({ client: link?.session.client_id, reason: error.message }, 'connection ended for a fault');
    if (!(error instanceof ProtocolFault) || link?.version !== 5) {
      guard.destroy(error);
      return;
    }
    link.client.disconnect({ reasonCode: error.reason_code, properties: { reasonString: error.message } });
  }

  /** The client has said its last; what it sent still gets its answers. */
  onEnd(guard: PacketGuard, done: () => void): void {
    const link = this.#byGuard.get(guard);
    if (link) link.whenAnswered(done);
    else done();
  }

  onDown(client: EngineClient): void {
    const link = this.#links.get(client);
    if (!link) return;
    link.isReady = false;
    const { session } = link;
    session.detach(link);
    if (!session.isStored && this.#sessions.get(session.client_id) === session) this.end(session.client_id);
    else this.note(session.client_id);
  }

  linkOf(client: EngineClient): Link | undefined {
    return this.#links.get(client);
  }

  /** What becomes of one packet of a connection. @throws ProtocolFault */
  onPacket(guard: PacketGuard, bytes: Buffer, from: number, body: number, to: number): PacketFate {
    const first = bytes[from] ?? 0;
    const type = first >> 4;
    if (type < PUBLISH || type > PUBCOMP) return 'engine';
    const link = this.#byGuard.get(guard);
    if (!link?.isReady) return 'wait';
    switch (type) {
      case PUBLISH:
        this.#onPublish(link, guard, bytes, first, body, to);
        break;
      default:
        this.#onAck(link, type, bytes, first, body, to);
    }
    return 'taken';
  }

  #onAck(link: Link, type: number, bytes: Buffer, first: number, body: number, to: number): void {
    const { packet_id, reason } = parseAck(bytes, first, body, to, link.version);
    const { session } = link;
    switch (type) {
      case PUBACK:
        return session.onPuback(packet_id);
      case PUBREC:
        return session.onPubrec(packet_id, reason);
      case PUBCOMP:
        return session.onPubcomp(packet_id);
      case PUBREL:
        return this.#onPubrel(link, packet_id);
    }
  }

  /** The identifier is free again only once the store knows it: a mark that outlived its PUBCOMP would swallow a message. */
  #onPubrel(link: Link, packetId: number): void {
    const { session } = link;
    const known = session.incoming.delete(packetId);
    const { store } = this.#parts;
    if (known && session.isStored) store.deleteIncoming(session.number, packetId);
    const commit = known && session.isStored && store.durable ? store.commit() : undefined;
    link.answer(ACK.pubcomp, packetId, commit, known ? REASON.success : REASON.packet_id_unknown);
  }

  #onPublish(link: Link, guard: PacketGuard, bytes: Buffer, first: number, body: number, to: number): void {
    const { traffic, rules, refusals, now, store, limits } = this.#parts;
    const packet = parsePublish(bytes, first, body, to, link.version);
    const topic = link.topicOf(packet);
    const { session } = link;
    const { qos, packet_id } = packet;
    traffic.received++;
    const type = qos === 2 ? ACK.pubrec : ACK.puback;
    if (qos === 2 && session.incoming.has(packet_id)) {
      link.answer(type, packet_id, store.durable && session.isStored ? store.commit() : undefined);
      return;
    }
    if (qos === 2 && session.incoming.size >= limits.receive_maximum && link.version === 5)
      throw new ProtocolFault(RECEIVE_MAXIMUM_EXCEEDED, `expected at most ${limits.receive_maximum} open publishes`); // [MQTT-3.3.4-9]
    const decision =
      levelsOf(topic) > limits.topic_levels_max
        ? tooDeep(topic, limits.topic_levels_max)
        : decidePublish({ ...packet, topic }, rules.of(session.role, topic), now());
    if (decision.kind === 'refuse') {
      refusals.onDenied(session.client_id, decision.topic, decision.reason);
      // An old client would come back and send the same again: it is answered as if all were well.
      const reason = link.version === 5 ? REASON.not_authorized : REASON.success;
      if (qos > 0) link.answer(type, packet_id, undefined, reason, decision.reason);
      return;
    }
    const { retain, promised, properties, expires_at_ms } = decision;
    const offered = promised && qos === 0 ? 1 : qos;
    const obstacle = offered > 0 ? this.#obstacleOf(topic) : undefined;
    if (obstacle !== undefined) {
      refusals.onDenied(session.client_id, topic, obstacle);
      if (qos === 0) return;
      if (link.version === 5) link.answer(type, packet_id, undefined, REASON.quota_exceeded, obstacle);
      else this.#starve(guard);
      return;
    }
    const { payload } = packet;
    const message = new Message({
      topic,
      payload,
      qos,
      retain,
      properties,
      expires_at_ms,
      publisher: session.client_id,
    });
    let kept = this.#route(message, offered);
    if (qos === 2) {
      session.incoming.add(packet_id);
      if (session.isStored) store.putIncoming(session.number, packet_id);
      kept ||= session.isStored;
    }
    const commit = kept && store.durable ? store.commit() : undefined;
    if (qos > 0) link.answer(type, packet_id, commit);
  }

  /** A message of the broker itself, or of the engine (a last will). Resolves when it is safe. */
  async publish(topic: string, offered: Omit<Offered, 'topic'>, qos: 0 | 1 | 2, publisher = ''): Promise<void> {
    const { rules, now, store } = this.#parts;
    const rule = rules.of('broker', topic);
    const { properties, expires_at_ms } = stamp(offered, rule, now());
    const retain = offered.retain;
    const { definition } = rule;
    const promised = definition !== undefined && definition.foreign === undefined && definition.durable.length > 0;
    const message = new Message({ topic, payload: offered.payload, qos, retain, properties, expires_at_ms, publisher });
    const kept = this.#route(message, promised && qos === 0 ? 1 : qos);
    if (kept) await store.commit();
    else await turn();
  }

  /** A retained message for one client that has just subscribed; `done` when it may have the next. */
  deliverRetained(client: EngineClient, topic: string, subscriptionId: number | undefined, done: () => void): void {
    const link = this.#links.get(client);
    const message = this.retained.get(topic);
    const session = link?.session;
    const receiver = session && this.#router.receiversOf(topic).find((candidate) => candidate.session === session);
    if (!session || !message || !receiver || message.isExpired(this.#parts.now())) return void setImmediate(done);
    const ids = subscriptionId === undefined ? [] : [subscriptionId];
    const qos = Math.min(message.qos, receiver.qos);
    if (qos === 0) session.sendNow(message, true, ids);
    else session.enqueue(message, qos === 2 ? 2 : 1, true, ids);
    session.whenRoom(done);
  }

  /** Forgets a retained message whose time is over. */
  forgetExpired(topic: string): void {
    const message = this.retained.get(topic);
    if (message?.isExpired(this.#parts.now()))
      this.#retain(new Message({ topic, payload: Buffer.alloc(0), qos: 0, retain: true }));
  }

  /** Resolves when everything until now is safe. */
  commit(): Promise<void> {
    const { store } = this.#parts;
    for (const session of this.#changed) {
      const stored = this.#recordOf(session);
      if (stored) store.putSession(stored);
    }
    this.#changed.clear();
    return store.commit();
  }

  /** Remembers a connection that gets no answer, as long as it lasts. */
  #starve(guard: PacketGuard): void {
    if (this.#starved.has(guard)) return;
    this.#starved.add(guard);
    guard.once('close', () => this.#starved.delete(guard));
  }

  /** Nothing can be kept for a while, or it can again: then old clients come back and send again what had no answer. */
  block(reason: string | undefined): void {
    this.#blocked = reason;
    if (this.#starved.size === 0 || this.obstacle !== undefined) return;
    for (const guard of this.#starved) guard.destroy();
    this.#starved.clear();
  }

  /** Why nothing can be promised now; `undefined` in health. */
  get obstacle(): string | undefined {
    const reason = this.#blocked ?? this.#parts.store.fault;
    if (reason !== undefined) return reason;
    for (const session of this.#sessions.values())
      if (session.durable && this.#isFull(session)) return fullReason(session);
    return undefined;
  }

  #isFull({ count, bytes }: Session): boolean {
    const { promised_messages_max, promised_bytes_max } = this.#parts.limits;
    return count >= promised_messages_max || bytes >= promised_bytes_max;
  }

  /** Messages that wait or are not acknowledged, in all stored sessions. */
  get waiting(): number {
    let waiting = 0;
    for (const session of this.#sessions.values()) if (session.isStored) waiting += session.count;
    return waiting;
  }

  /** Whether anything was written that must be safe before it is acknowledged. */
  #route(message: Message, offered: number): boolean {
    let kept = false;
    for (const receiver of this.#router.receiversOf(message.topic)) {
      const { session, subscription_ids } = receiver;
      if (receiver.no_local && session.client_id === message.publisher) continue; // [MQTT-3.8.3-3]
      const qos = Math.min(offered, receiver.qos);
      const retain = receiver.retain_as_published && message.retain;
      if (qos === 0) session.sendNow(message, retain, subscription_ids);
      else {
        session.enqueue(message, qos === 2 ? 2 : 1, retain, subscription_ids);
        kept ||= session.isStored;
      }
    }
    return (message.retain && this.#retain(message)) || kept;
  }

  /** Keeps it as its topic's last word. The broker's own figures are not worth the disk. */
  #retain(message: Message): boolean {
    const { store, limits } = this.#parts;
    if (message.payload.length > 0 && this.retained.bytes + message.bytes > limits.retained_bytes_max) {
      this.#parts.refusals.onDenied('', message.topic, 'too many bytes are retained already');
      return false;
    }
    this.retained.put(message);
    if (message.topic.startsWith('$')) return false;
    store.putRetained(message);
    return true;
  }

  /** Why a message of this topic can not be promised to those that it is promised to. */
  #obstacleOf(topic: string): string | undefined {
    const reason = this.#blocked ?? this.#parts.store.fault;
    for (const { session, qos } of this.#router.receiversOf(topic)) {
      if (qos === 0 || !session.isStored) continue;
      if (reason !== undefined) return reason;
      if (session.durable && this.#isFull(session)) return fullReason(session);
    }
    return undefined;
  }

  #file(session: Session, subscription: EngineSubscription): void {
    const { topic, qos, rh, rap, nl, subscriptionIdentifier } = subscription;
    const kept: EngineSubscription = {
      topic,
      qos,
      ...(rh === undefined ? {} : { rh }),
      ...(rap === undefined ? {} : { rap }),
      ...(nl === undefined ? {} : { nl }),
      ...(subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier }),
    };
    session.subscriptions.set(topic, kept);
    this.#router.add(session, kept);
  }

  #create(clientId: string, stored: boolean): Session {
    this.end(clientId);
    const { ledger, store } = this.#parts;
    const entry = ledger.find(clientId);
    const identity = { client_id: clientId, number: stored ? store.newNumber() : 0, durable: entry?.durable ?? false };
    const session = new Session(identity, entry?.role ?? 'device', this.#rules);
    this.#sessions.set(clientId, session);
    if (stored) this.#changed.add(session);
    return session;
  }

  #recordOf(session: Session): StoredSession | undefined {
    const entry = this.#parts.ledger.find(session.client_id);
    if (!entry || !session.isStored) return undefined;
    const { user, role, durable, expiry_s, ends_at_ms } = entry;
    return {
      number: session.number,
      client_id: session.client_id,
      user,
      role,
      durable,
      expiry_s,
      ...(ends_at_ms === undefined ? {} : { ends_at_ms }),
      subscriptions: [...session.subscriptions.values()],
    };
  }
}
