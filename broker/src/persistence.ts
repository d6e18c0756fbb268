// Owns the seam to where sessions, queues and retained messages are kept: the aedes-persistence interface, in memory here.
import { Readable } from 'node:stream';
import aedesPersistence from 'aedes-persistence';
import type { EnginePacket, EngineSubscription, Qos } from './engine.ts';

/** Who a session belongs to, for a persistence. */
export interface SessionKey {
  readonly id: string;
}

export interface MatchedSubscription {
  readonly clientId: string;
  readonly topic: string;
  readonly qos: Qos;
}

/** What waits in a queue: a message, or the PUBREL of one that the client has received. */
export interface QueuedPacket {
  readonly cmd: 'publish' | 'pubrel';
  readonly messageId?: number;
  readonly brokerId?: string;
  readonly brokerCounter?: number;
}

/** The interface of aedes-persistence 10, as far as the engine and the broker use it. */
export interface Persistence {
  setup(engine: unknown): Promise<void>;
  storeRetained(packet: EnginePacket): Promise<void>;
  createRetainedStream(filter: string): Readable;
  createRetainedStreamCombi(filters: readonly string[]): Readable;
  addSubscriptions(client: SessionKey, subscriptions: readonly EngineSubscription[]): Promise<unknown>;
  removeSubscriptions(client: SessionKey, topics: readonly string[]): Promise<unknown>;
  subscriptionsByClient(client: SessionKey): Promise<readonly EngineSubscription[]>;
  subscriptionsByTopic(topic: string): Promise<readonly MatchedSubscription[]>;
  cleanSubscriptions(client: SessionKey): Promise<unknown>;
  countOffline(): Promise<unknown>;
  outgoingEnqueue(to: { readonly clientId: string }, packet: EnginePacket): Promise<void>;
  outgoingEnqueueCombi(to: readonly MatchedSubscription[], packet: EnginePacket): Promise<void>;
  outgoingUpdate(client: SessionKey, packet: QueuedPacket): Promise<unknown>;
  outgoingClearMessageId(client: SessionKey, packet: { readonly messageId: number }): Promise<unknown>;
  outgoingStream(client: SessionKey): Readable;
  incomingStorePacket(client: SessionKey, packet: EnginePacket): Promise<void>;
  incomingGetPacket(client: SessionKey, packet: { readonly messageId: number }): Promise<unknown>;
  incomingDelPacket(client: SessionKey, packet: { readonly messageId: number }): Promise<unknown>;
  putWill(client: SessionKey, packet: EnginePacket): Promise<unknown>;
  getWill(client: SessionKey): Promise<unknown>;
  delWill(client: SessionKey): Promise<unknown>;
  streamWill(brokers?: Readonly<Record<string, unknown>>): Readable;
  getClientList(topic: string): Readable;
  destroy(): Promise<void>;
}

const METHODS = [
  'setup',
  'storeRetained',
  'createRetainedStream',
  'createRetainedStreamCombi',
  'addSubscriptions',
  'removeSubscriptions',
  'subscriptionsByClient',
  'subscriptionsByTopic',
  'cleanSubscriptions',
  'countOffline',
  'outgoingEnqueue',
  'outgoingEnqueueCombi',
  'outgoingUpdate',
  'outgoingClearMessageId',
  'outgoingStream',
  'incomingStorePacket',
  'incomingGetPacket',
  'incomingDelPacket',
  'putWill',
  'getWill',
  'delWill',
  'streamWill',
  'getClientList',
  'destroy',
] as const satisfies readonly (keyof Persistence)[];

const isPersistence = (value: object): value is Persistence =>
  METHODS.every((name) => name in value && typeof Reflect.get(value, name) === 'function');

/** Sessions, queues and retained messages in memory: a restart forgets them, unless an image is taken. */
export function createMemoryPersistence(): Persistence {
  // The package's types describe a default export that its CommonJS does not have.
  const factory: unknown = aedesPersistence;
  const made: unknown = typeof factory === 'function' ? factory() : undefined;
  if (typeof made === 'object' && made !== null && isPersistence(made)) return made;
  throw new TypeError('expected aedes-persistence to export a factory of its 10.x interface');
}

export interface QueueRules {
  /** Whether a message of `topic` may wait for the session. */
  mayQueue(clientId: string, topic: string): boolean;
  onRetained(topic: string, present: boolean): void;
}

const WILDCARDS = new Set(['#', '+']);
/** A filter that begins with a wildcard does not match a `$` topic [MQTT-4.7.2-1]; Aedes minds it only for what is sent live. */
const skips = (filter: string, topic: string): boolean => topic.startsWith('$') && WILDCARDS.has(filter.charAt(0));

async function* retainedOf(inner: Persistence, filters: readonly string[]): AsyncGenerator<EnginePacket> {
  for (const filter of filters)
    for await (const packet of inner.createRetainedStream(filter)) {
      const message: EnginePacket = packet;
      if (!skips(filter, message.topic)) yield message;
    }
}

/**
 * The subscriptions that put a message into a queue: each session once (the engine would queue a message once for each
 * overlapping filter), and none that the rules refuse.
 */
export function selectQueues(
  topic: string,
  matched: readonly MatchedSubscription[],
  mayQueue: QueueRules['mayQueue'],
): readonly MatchedSubscription[] {
  if (matched.length === 0) return matched;
  const chosen = new Map<string, MatchedSubscription>();
  for (const subscription of matched) {
    const known = chosen.get(subscription.clientId);
    if (known ? known.qos < subscription.qos : mayQueue(subscription.clientId, topic))
      chosen.set(subscription.clientId, subscription);
  }
  return [...chosen.values()];
}

/** A persistence that queues only what its sessions may read. The one given stays as it is. */
export function watchPersistence(inner: Persistence, rules: QueueRules): Persistence {
  const same: unknown = Object.fromEntries(METHODS.map((name) => [name, inner[name].bind(inner)]));
  const delegate = same as Persistence; // every method of METHODS, which isPersistence and the compiler hold to the interface
  return {
    ...delegate,
    async outgoingEnqueueCombi(to, packet) {
      // Aedes queues a message with the QoS of its publisher, and would replay it above what was granted [MQTT-3.8.4-8]
      const lower = packet.qos === 2 ? to.filter(({ qos }) => qos === 1) : [];
      if (lower.length === 0) return inner.outgoingEnqueueCombi(to, packet);
      await inner.outgoingEnqueueCombi(lower, { ...packet, qos: 1 });
      await inner.outgoingEnqueueCombi(
        to.filter(({ qos }) => qos !== 1),
        packet,
      );
    },
    outgoingUpdate(client, packet) {
      // a PUBREL has no identity of its own, so aedes-persistence 10.3.1 takes the second of a session for its first
      const { cmd, messageId } = packet;
      if (cmd !== 'pubrel' || messageId === undefined) return inner.outgoingUpdate(client, packet);
      return inner.outgoingUpdate(client, { cmd, messageId, brokerId: cmd, brokerCounter: messageId });
    },
    createRetainedStreamCombi: (filters) => Readable.from(retainedOf(inner, filters)),
    async subscriptionsByTopic(topic) {
      return selectQueues(topic, await inner.subscriptionsByTopic(topic), rules.mayQueue);
    },
    async storeRetained(packet) {
      await inner.storeRetained(packet);
      rules.onRetained(packet.topic, packet.payload.length > 0);
    },
  };
}
