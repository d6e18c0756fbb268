// Owns the interface of aedes-persistence 10 on a store, with which a stock Aedes keeps everything there; the mesh's own
// broker moves its messages past the engine and uses EnginePersistence instead.
import { Readable } from 'node:stream';
import type { EngineSubscription } from '../engine/engine.ts';
import { RetainedMessages } from '../messages/retained.ts';
import { TopicTree } from '../messages/topic-tree.ts';
import type { BrokerStore } from './broker-store.ts';
import { messageOf, packetOf, type StockPacket, withoutIdentifier } from './stock-packet.ts';
import { StockQueue } from './stock-queue.ts';

interface ClientKey {
  readonly id: string;
}

/** A subscription as it is found by a topic; its identifier is not part of it. */
type FoundSubscription = Omit<EngineSubscription, 'subscriptionIdentifier'> & { readonly clientId: string };

interface StockClient {
  readonly number: number;
  readonly subscriptions: Map<string, EngineSubscription>;
  readonly queue: StockQueue;
  /** QoS 2 packets that were taken but not released, by identifier. */
  readonly incoming: Map<number, StockPacket>;
}

/** Life of a session, in seconds: for ever. Aedes itself ends those that do not live so long. */
const FOR_EVER_S = 0xffff_ffff;

const missing = (): Error => new Error('no such packet'); // the specification's word for it

/** Changes are visible at once; every promise resolves when they are safe. A file of it is no file of MeshBroker's. */
export class StorePersistence {
  readonly #store: BrokerStore;
  readonly #clients = new Map<string, StockClient>();
  /** Of QoS 1 and 2. */
  readonly #byTopic = new TopicTree<FoundSubscription>();
  readonly #retained = new RetainedMessages();
  readonly #wills = new Map<string, StockPacket>();
  #broker: { readonly id: string } | undefined;
  #destroyed = false;

  /** The store ends with the persistence. */
  constructor(store: BrokerStore) {
    this.#store = store;
  }

  get broker(): { readonly id: string } {
    if (this.#broker === undefined) throw new TypeError('expected a persistence that was set up');
    return this.#broker;
  }

  /** Takes up what the last life left. */
  async setup(broker: { readonly id: string }): Promise<void> {
    this.#broker = broker;
    const image = this.#store.load();
    for (const { client_id, number, subscriptions } of image.sessions) {
      const client = this.#enter(client_id, number);
      for (const subscription of subscriptions) this.#file(client_id, client, subscription);
      for (const [id, message] of image.incoming_messages.get(number) ?? []) client.incoming.set(id, packetOf(message));
      if (image.queues.has(number)) client.queue.restore();
    }
    for (const message of image.retained) this.#retained.put(message);
    for (const { client_id, message } of image.wills) this.#wills.set(client_id, packetOf(message));
    await this.#store.commit();
  }

  async storeRetained(packet: StockPacket): Promise<void> {
    const message = messageOf(packet);
    this.#retained.put(message);
    this.#store.putRetained(message);
    await this.#store.commit();
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter]);
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(filters.flatMap((filter) => this.#retained.matching(filter)).map(packetOf));
  }

  async addSubscriptions({ id }: ClientKey, subscriptions: readonly EngineSubscription[]): Promise<void> {
    const client = this.#client(id);
    for (const subscription of subscriptions) this.#file(id, client, subscription);
    this.#put(id, client);
    await this.#store.commit();
  }

  async removeSubscriptions({ id }: ClientKey, filters: readonly string[]): Promise<void> {
    const client = this.#clients.get(id);
    if (client === undefined) return;
    for (const filter of filters) {
      client.subscriptions.delete(filter);
      this.#byTopic.delete(filter, id);
    }
    this.#put(id, client);
    await this.#settle(id, client);
  }

  async subscriptionsByClient({ id }: ClientKey): Promise<readonly EngineSubscription[]> {
    return [...(this.#clients.get(id)?.subscriptions.values() ?? [])];
  }

  async subscriptionsByTopic(topic: string): Promise<readonly FoundSubscription[]> {
    return this.#byTopic.matching(topic);
  }

  async countOffline(): Promise<{ readonly subsCount: number; readonly clientsCount: number }> {
    const all = [...this.#clients.values()].map(({ subscriptions }) => [...subscriptions.values()]);
    return {
      subsCount: all.flat().filter(({ qos }) => qos > 0).length,
      clientsCount: all.filter((subscriptions) => subscriptions.length > 0).length,
    };
  }

  /** Ends a session: what waits for it goes as well [MQTT-3.1.2-6]. */
  async cleanSubscriptions({ id }: ClientKey): Promise<void> {
    const client = this.#clients.get(id);
    if (client === undefined) return;
    for (const filter of client.subscriptions.keys()) this.#byTopic.delete(filter, id);
    this.#clients.delete(id);
    this.#store.deleteSession(client.number);
    await this.#store.commit();
  }

  outgoingEnqueue({ clientId }: { readonly clientId: string }, packet: StockPacket): Promise<void> {
    return this.outgoingEnqueueCombi([{ clientId }], packet);
  }

  /** Once for each client, however many of its subscriptions match. */
  async outgoingEnqueueCombi(receivers: readonly { readonly clientId: string }[], packet: StockPacket): Promise<void> {
    for (const id of new Set(receivers.map(({ clientId }) => clientId))) this.#client(id).queue.add(packet);
    await this.#store.commit();
  }

  async outgoingUpdate({ id }: ClientKey, packet: StockPacket): Promise<void> {
    if (this.#clients.get(id)?.queue.update(packet) !== true) throw missing();
    await this.#store.commit();
  }

  async outgoingClearMessageId({ id }: ClientKey, packet: StockPacket): Promise<StockPacket | undefined> {
    const client = this.#clients.get(id);
    const taken = client?.queue.take(packet);
    if (client !== undefined && taken !== undefined) await this.#settle(id, client);
    return taken;
  }

  outgoingStream({ id }: ClientKey): Readable {
    return Readable.from(this.#clients.get(id)?.queue.packets() ?? []);
  }

  async incomingStorePacket({ id }: ClientKey, packet: StockPacket): Promise<void> {
    const { messageId } = packet;
    if (messageId === undefined) throw missing();
    const client = this.#client(id);
    const kept = { ...withoutIdentifier(packet), messageId };
    client.incoming.set(messageId, kept);
    this.#store.putIncoming(client.number, messageId, messageOf(kept));
    await this.#store.commit();
  }

  async incomingGetPacket({ id }: ClientKey, { messageId }: StockPacket): Promise<StockPacket> {
    const packet = messageId === undefined ? undefined : this.#clients.get(id)?.incoming.get(messageId);
    if (packet === undefined) throw missing();
    return packet;
  }

  async incomingDelPacket({ id }: ClientKey, { messageId }: StockPacket): Promise<void> {
    const client = this.#clients.get(id);
    if (client === undefined || messageId === undefined || !client.incoming.delete(messageId)) throw missing();
    this.#store.deleteIncoming(client.number, messageId);
    await this.#settle(id, client);
  }

  async putWill({ id }: ClientKey, packet: StockPacket): Promise<void> {
    // Aedes finds out by these two whose will it is.
    Object.assign(packet, { brokerId: this.broker.id, clientId: id });
    this.#wills.set(id, packet);
    const delay_s = packet.properties?.willDelayInterval ?? 0;
    this.#store.putWill({ client_id: id, delay_s, message: messageOf(packet) });
    await this.#store.commit();
  }

  async getWill({ id }: ClientKey): Promise<StockPacket | undefined> {
    return this.#wills.get(id);
  }

  async delWill({ id }: ClientKey): Promise<StockPacket | undefined> {
    const will = this.#wills.get(id);
    if (will === undefined) return undefined;
    this.#wills.delete(id);
    this.#store.deleteWill(id);
    await this.#store.commit();
    return will;
  }

  /** Wills of brokers that are not among the living. */
  streamWill(brokers: Readonly<Record<string, unknown>> = {}): Readable {
    return Readable.from([...this.#wills.values()].filter(({ brokerId }) => !brokers[brokerId ?? '']));
  }

  /** Ids of the clients that subscribed to exactly this filter. */
  getClientList(filter: string): Readable {
    const subscribed = [...this.#clients].filter(([, { subscriptions }]) => subscriptions.has(filter));
    return Readable.from(subscribed.map(([id]) => id));
  }

  async destroy(): Promise<void> {
    if (this.#destroyed) throw new Error('destroyed called twice!');
    this.#destroyed = true;
    await this.#store[Symbol.asyncDispose]();
  }

  #client(id: string): StockClient {
    const known = this.#clients.get(id);
    if (known !== undefined) return known;
    const client = this.#enter(id, this.#store.newNumber());
    this.#put(id, client);
    return client;
  }

  #enter(id: string, number: number): StockClient {
    const queue = new StockQueue(this.#store, number);
    const client: StockClient = { number, subscriptions: new Map(), queue, incoming: new Map() };
    this.#clients.set(id, client);
    return client;
  }

  #file(id: string, client: StockClient, subscription: EngineSubscription): void {
    const { topic, qos } = subscription;
    client.subscriptions.set(topic, { ...subscription });
    const { subscriptionIdentifier: _, ...found } = subscription;
    if (qos > 0) this.#byTopic.set(topic, id, { clientId: id, ...found });
    else this.#byTopic.delete(topic, id);
  }

  /** Resolves when all is safe; a client of which nothing is left is forgotten. */
  async #settle(id: string, { number, subscriptions, queue, incoming }: StockClient): Promise<void> {
    if (subscriptions.size === 0 && queue.isEmpty && incoming.size === 0) {
      this.#clients.delete(id);
      this.#store.deleteSession(number);
    }
    await this.#store.commit();
  }

  #put(id: string, { number, subscriptions }: StockClient): void {
    const owner = { user: '', role: 'device', durable: false, expiry_s: FOR_EVER_S } as const;
    this.#store.putSession({ number, client_id: id, ...owner, subscriptions: [...subscriptions.values()] });
  }
}
