// Owns what the engine may ask of the broker's memory. Queues are the plane's: to the engine they are always empty.
import { Readable } from 'node:stream';
import { offeredOf } from '../messages/engine-message.ts';
import { Message } from '../messages/message.ts';
import type { MessagePlane } from '../messages/message-plane.ts';
import type { BrokerStore } from '../store/broker-store.ts';
import type { EnginePacket, EngineSubscription } from './engine.ts';

interface ClientKey {
  readonly id: string;
}

const NOTHING = Buffer.alloc(0);
/** What the engine asks of queues that it never fills. */
const nothing = async (): Promise<void> => undefined;

/** A retained message as the engine carries it to the plane's own delivery, which looks it up again by its topic. */
const noteOf = (message: Message): EnginePacket => ({
  cmd: 'publish',
  topic: message.topic,
  payload: NOTHING,
  qos: message.qos,
  retain: true,
  ...(message.expires_at_ms === 0 ? {} : { messageExpiry: message.expires_at_ms }),
});

/** The interface of aedes-persistence 10 over the plane. */
export class EnginePersistence {
  readonly #plane: MessagePlane;
  readonly #store: BrokerStore;
  readonly #engineId: string;

  constructor(plane: MessagePlane, store: BrokerStore, engineId: string) {
    this.#plane = plane;
    this.#store = store;
    this.#engineId = engineId;
  }

  async setup(): Promise<void> {
    // nothing to be done: the plane was filled before the engine began
  }

  /** Retained messages come by the bus; here the engine only removes what it found expired. */
  async storeRetained({ topic, payload }: EnginePacket): Promise<void> {
    if (payload.length === 0) this.#plane.forgetExpired(topic);
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter]);
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(filters.flatMap((filter) => this.#plane.retained.matching(filter).map(noteOf)));
  }

  /** Subscriptions were filed when they were allowed; the SUBACK waits until they are safe. */
  addSubscriptions(): Promise<void> {
    return this.#plane.commit();
  }

  async removeSubscriptions({ id }: ClientKey, filters: readonly string[]): Promise<void> {
    const session = this.#plane.session(id);
    if (session) this.#plane.unsubscribe(session, filters);
    await this.#plane.commit();
  }

  async subscriptionsByClient({ id }: ClientKey): Promise<readonly EngineSubscription[]> {
    const session = this.#plane.session(id);
    return session?.isStored ? [...session.subscriptions.values()] : [];
  }

  async cleanSubscriptions({ id }: ClientKey): Promise<void> {
    this.#plane.end(id);
    await this.#plane.commit();
  }

  async subscriptionsByTopic(): Promise<readonly never[]> {
    return [];
  }

  async countOffline(): Promise<{ readonly subsCount: number; readonly clientsCount: number }> {
    return { subsCount: 0, clientsCount: 0 };
  }

  readonly outgoingEnqueue = nothing;
  readonly outgoingEnqueueCombi = nothing;
  readonly outgoingUpdate = nothing;
  readonly outgoingClearMessageId = nothing;
  readonly incomingStorePacket = nothing;
  readonly incomingDelPacket = nothing;
  readonly destroy = nothing;

  outgoingStream(): Readable {
    return Readable.from([]);
  }

  async incomingGetPacket(): Promise<never> {
    throw new Error('no such packet'); // the engine's word for it
  }

  async putWill({ id }: ClientKey, packet: EnginePacket): Promise<void> {
    // The engine finds out by these two whose will it is.
    Object.assign(packet, { brokerId: this.#engineId, clientId: id });
    const { topic, payload, retain, properties, expiry_s } = offeredOf(packet);
    const message = new Message({ topic, payload, retain, properties, qos: packet.qos, publisher: id });
    const delay_s = packet.properties?.willDelayInterval ?? 0;
    this.#store.putWill({ client_id: id, delay_s, message, ...(expiry_s === undefined ? {} : { expiry_s }) });
    await this.#plane.commit();
  }

  async getWill(): Promise<undefined> {
    return undefined;
  }

  async delWill({ id }: ClientKey): Promise<void> {
    this.#store.deleteWill(id);
  }

  /** Wills of a broker that died are published by the next one before the engine begins. */
  streamWill(): Readable {
    return Readable.from([]);
  }

  getClientList(): Readable {
    return Readable.from([]);
  }
}
