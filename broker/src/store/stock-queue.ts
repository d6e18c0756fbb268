// Owns one client's queue for a stock Aedes: its packets in the store, found by their identity or packet identifier.
import type { BrokerStore, QueueEntry } from './broker-store.ts';
import { messageOf, packetOf, type StockPacket, withoutIdentifier } from './stock-packet.ts';

const READ_COUNT = 100;

const identityOf = ({ brokerId, brokerCounter }: StockPacket): string | undefined =>
  brokerId === undefined || brokerId === null ? undefined : `${brokerId} ${brokerCounter}`;

export class StockQueue {
  readonly #store: BrokerStore;
  readonly #number: number;
  readonly #byIdentity = new Map<string, number>();
  /** The one that was given an identifier last, where two have the same. */
  readonly #byPacketId = new Map<number, number>();
  #last = 0;
  #count = 0;

  constructor(store: BrokerStore, number: number) {
    this.#store = store;
    this.#number = number;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Takes up what the last life left. */
  restore(): void {
    for (const entry of this.#entries(1)) {
      this.#last = entry.seq;
      this.#count += 1;
      this.#index(entry.seq, packetOf(entry.message));
    }
  }

  add(packet: StockPacket): void {
    this.#last += 1;
    this.#count += 1;
    const fresh = withoutIdentifier(packet);
    this.#index(this.#last, fresh);
    this.#store.append(this.#number, this.#entry(this.#last, fresh));
  }

  /** Gives a packet its identifier, or puts a PUBREL in its place. Whether there is one. */
  update(packet: StockPacket): boolean {
    const identity = identityOf(packet);
    const known = identity === undefined ? undefined : this.#byIdentity.get(identity);
    const seq = known ?? this.#find(packet);
    const before = seq === undefined ? undefined : this.#packet(seq);
    if (seq === undefined || before === undefined) return false;
    this.#unindex(seq, before);
    const after = known === undefined ? packet : { ...before, messageId: packet.messageId };
    this.#index(seq, after);
    this.#store.release(this.#number, this.#entry(seq, after));
    return true;
  }

  /** Removes the packet with this identifier and gives it. */
  take(packet: StockPacket): StockPacket | undefined {
    const seq = this.#find(packet);
    const taken = seq === undefined ? undefined : this.#packet(seq);
    if (seq === undefined || taken === undefined) return undefined;
    this.#unindex(seq, taken);
    this.#count -= 1;
    this.#store.remove(this.#number, seq);
    return taken;
  }

  /** What waits now, in order; what comes later is not among it. */
  *packets(): Generator<StockPacket> {
    const last = this.#last;
    for (const { seq, message } of this.#entries(1)) {
      if (seq > last) return;
      yield packetOf(message);
    }
  }

  *#entries(from: number): Generator<QueueEntry> {
    for (let next = from; ; ) {
      const entries = this.#store.read(this.#number, next, READ_COUNT);
      yield* entries;
      const last = entries.at(-1);
      if (last === undefined) return;
      next = last.seq + 1;
    }
  }

  #find({ messageId }: StockPacket): number | undefined {
    return messageId === undefined ? undefined : this.#byPacketId.get(messageId);
  }

  #packet(seq: number): StockPacket | undefined {
    const entry = this.#store.read(this.#number, seq, 1)[0];
    return entry?.seq === seq ? packetOf(entry.message) : undefined;
  }

  #entry(seq: number, packet: StockPacket): QueueEntry {
    const message = messageOf(packet);
    const released = packet.cmd === 'pubrel';
    const qos = released || message.qos === 2 ? 2 : 1;
    return { seq, message, qos, retain: message.retain, subscription_ids: [], released, sent: false };
  }

  #index(seq: number, packet: StockPacket): void {
    const identity = identityOf(packet);
    if (identity !== undefined) this.#byIdentity.set(identity, seq);
    if (packet.messageId !== undefined) this.#byPacketId.set(packet.messageId, seq);
  }

  #unindex(seq: number, packet: StockPacket): void {
    const identity = identityOf(packet);
    if (identity !== undefined && this.#byIdentity.get(identity) === seq) this.#byIdentity.delete(identity);
    const { messageId } = packet;
    if (messageId !== undefined && this.#byPacketId.get(messageId) === seq) this.#byPacketId.delete(messageId);
  }
}
