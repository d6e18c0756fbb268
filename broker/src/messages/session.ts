// Owns one client's session: what waits for it, what it was sent and has not acknowledged, in order, under its window.
import type { Party } from '@monitor-mesh/shared/contract.ts';
import type { EngineSubscription } from '../engine/engine.ts';
import type { BrokerStore, QueueEntry, QueueExtent } from '../store/broker-store.ts';
import type { Link } from './link.ts';
import type { Message } from './message.ts';
import { ACK, REASON } from './wire.ts';

export interface SessionRules {
  readonly store: BrokerStore;
  /** Messages that a client may leave unacknowledged, whatever it would take. */
  readonly inflight_max: number;
  /** What may wait for a session that the contract does not promise; beyond it the oldest is dropped. */
  readonly queue_messages_max: number;
  readonly queue_bytes_max: number;
  /** The same for a session that has no store. */
  readonly memory_queue_bytes_max: number;
  mayRead(role: Party, topic: string): boolean;
  onExpired(topic: string): void;
  onDropped(session: Session): void;
  now(): number;
}

export interface SessionIdentity {
  readonly client_id: string;
  /** Number in the store; 0 for a session that ends with its connection. */
  readonly number: number;
  readonly durable: boolean;
}

/** Entries of a queue that are kept in memory beside the store; the rest is read when its turn comes. */
const MEMORY_ENTRIES = 1_000;
const MEMORY_BYTES = 1024 * 1024;
const READ_COUNT = 500;
/** The note of what was sent runs ahead of the sending by this much: one write for half as many messages. */
const SENT_AHEAD = 2_048;
/** Packet identifiers are 1 to 65,535 [MQTT-2.2.1-3]; each follows from the message's place in its queue. */
const PACKET_IDS = 65_535;
const SHIFT_AT = 1_000;

const packetIdOf = (seq: number): number => 1 + ((seq - 1) % PACKET_IDS);

export class Session {
  readonly client_id: string;
  readonly number: number;
  readonly durable: boolean;
  role: Party;
  readonly subscriptions = new Map<string, EngineSubscription>();
  /** Packet identifiers of QoS 2 messages that were taken but not released [MQTT-4.3.3-10]. */
  readonly incoming = new Set<number>();
  readonly #rules: SessionRules;
  #link: Link | undefined;
  #waiting: QueueEntry[] = [];
  #head = 0;
  #waitingBytes = 0;
  /** Sent and not acknowledged, in the order of sending. */
  readonly #inflight = new Map<number, QueueEntry>();
  #last: number;
  /** Everything up to this place has been in memory; what follows is only in the store. */
  #loaded: number;
  #count: number;
  #bytes: number;
  /** Places up to this one may have been sent by the last life. */
  readonly #sentBefore: number;
  /** Noted as sent, ahead of the sending; and how much of that note is on the disk. */
  #sentUpTo: number;
  #sentSafe: number;
  /** QoS 2 up to this place is on the disk. */
  #safe: number;
  /** QoS 2 that the client has, while that is on its way to the disk. */
  readonly #releasing = new Set<QueueEntry>();
  #roomWaiters: (() => void)[] = [];
  #pumping = false;

  constructor(
    { client_id, number, durable }: SessionIdentity,
    role: Party,
    rules: SessionRules,
    left?: { readonly extent?: QueueExtent | undefined; readonly incoming?: readonly number[] | undefined },
  ) {
    this.client_id = client_id;
    this.number = number;
    this.durable = durable;
    this.role = role;
    this.#rules = rules;
    this.#sentBefore = number === 0 ? 0 : rules.store.sentUpTo(number);
    this.#sentUpTo = this.#sentBefore;
    this.#sentSafe = number > 0 && rules.store.durable ? this.#sentBefore : Number.POSITIVE_INFINITY;
    const extent = left?.extent;
    // Places go on where the last life ended, so that no packet identifier in flight is given twice.
    this.#last = Math.max(extent?.last ?? 0, this.#sentUpTo);
    this.#loaded = extent === undefined ? this.#last : extent.first - 1;
    this.#safe = this.#last;
    this.#count = extent?.count ?? 0;
    this.#bytes = extent?.bytes ?? 0;
    for (const id of left?.incoming ?? []) this.incoming.add(id);
  }

  /** Whether it outlives its connection. */
  get isStored(): boolean {
    return this.number !== 0;
  }

  get link(): Link | undefined {
    return this.#link;
  }

  /** Messages that wait or are not acknowledged. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A connection takes the session up; it is sent nothing before `start`. */
  attach(link: Link): void {
    this.#link = link;
    const again = [...this.#inflight.values()];
    for (const entry of again) {
      entry.sent = true;
      this.#waitingBytes += entry.message.bytes;
    }
    this.#inflight.clear();
    this.#waiting = [...again, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
  }

  detach(link: Link): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#wakeRoomWaiters();
  }

  start(): void {
    this.#pump();
  }

  /** QoS 0, or a copy at QoS 0: sent now or not at all. */
  sendNow(message: Message, retain: boolean, subscription_ids: readonly number[]): void {
    this.#link?.sendNow(message, retain, subscription_ids);
  }

  enqueue(message: Message, qos: 1 | 2, retain: boolean, subscription_ids: readonly number[]): void {
    const { store } = this.#rules;
    this.#last += 1;
    const entry: QueueEntry = { seq: this.#last, message, qos, retain, subscription_ids, released: false, sent: false };
    this.#count += 1;
    this.#bytes += message.bytes;
    if (this.isStored) {
      store.append(this.number, entry);
      if (qos === 2) this.#makeSafe(entry.seq);
    }
    if (!this.isStored || (this.#loaded === entry.seq - 1 && this.#hasMemory)) this.#keep(entry);
    if (!this.durable) this.#dropBeyondCaps();
    this.#pump();
  }

  /**
   * A QoS 2 message is sent only when a kill can no longer take it back: its receiver keeps the packet identifier, and
   * would take another message under it for the same one.
   */
  #makeSafe(seq: number): void {
    const { store } = this.#rules;
    if (!store.durable) {
      this.#safe = seq;
      return;
    }
    store.commit().then(
      () => {
        this.#safe = Math.max(this.#safe, seq);
        this.#pump();
      },
      () => undefined, // the store is closing: whoever waits for an answer hears of it
    );
  }

  /** Calls back when few enough messages wait for whoever fills the queue from elsewhere. */
  whenRoom(callback: () => void): void {
    if (this.#waitingCount < MEMORY_ENTRIES || !this.#link) setImmediate(callback);
    else this.#roomWaiters.push(callback);
  }

  /** The connection takes bytes again. */
  onDrain(): void {
    this.#pump();
  }

  onPuback(packetId: number): void {
    const entry = this.#inflight.get(packetId);
    if (entry?.qos !== 1) return;
    this.#finish(packetId, entry);
    this.#pump();
  }

  onPubrec(packetId: number, reason: number): void {
    const entry = this.#inflight.get(packetId);
    if (entry?.qos !== 2) {
      if (reason < REASON.unspecified) this.#link?.sendAck(ACK.pubrel, packetId, REASON.packet_id_unknown);
      return;
    }
    if (reason >= REASON.unspecified) {
      this.#finish(packetId, entry); // the client does not want it [MQTT-4.3.3-4]
      this.#pump();
      return;
    }
    if (entry.released) {
      if (!this.#releasing.has(entry)) this.#link?.sendAck(ACK.pubrel, packetId, REASON.success);
      return;
    }
    entry.released = true;
    this.#release(packetId, entry);
  }

  /**
   * PUBREL lets the client forget the identifier. After a kill the message must not come under it again, so that the
   * client has it is on the disk first.
   */
  #release(packetId: number, entry: QueueEntry): void {
    const { store } = this.#rules;
    if (this.isStored) store.release(this.number, entry);
    if (!this.isStored || !store.durable) {
      this.#link?.sendAck(ACK.pubrel, packetId, REASON.success);
      return;
    }
    this.#releasing.add(entry);
    store.commit().then(
      () => {
        this.#releasing.delete(entry);
        if (this.#inflight.get(packetId) === entry) this.#link?.sendAck(ACK.pubrel, packetId, REASON.success);
        this.#pump();
      },
      () => undefined, // the store is closing
    );
  }

  onPubcomp(packetId: number): void {
    const entry = this.#inflight.get(packetId);
    if (!entry?.released) return;
    this.#finish(packetId, entry);
    this.#pump();
  }

  /** Forgets every message; subscriptions are the router's. */
  clear(): void {
    const { store } = this.#rules;
    if (this.isStored) {
      for (const { seq } of [...this.#inflight.values(), ...this.#waiting.slice(this.#head)])
        store.remove(this.number, seq);
      for (;;) {
        const rest = this.#loaded < this.#last ? store.read(this.number, this.#loaded + 1, READ_COUNT) : [];
        const last = rest.at(-1);
        if (last === undefined) break;
        for (const { seq } of rest) store.remove(this.number, seq);
        this.#loaded = last.seq;
      }
      for (const id of this.incoming) store.deleteIncoming(this.number, id);
    }
    this.#inflight.clear();
    this.#releasing.clear();
    this.#waiting = [];
    this.#head = 0;
    this.#waitingBytes = 0;
    this.#loaded = this.#last;
    this.#count = 0;
    this.#bytes = 0;
    this.incoming.clear();
    this.#wakeRoomWaiters();
  }

  /** Sends as much as window and connection allow, oldest first [MQTT-4.6.0-6]. */
  #pump(): void {
    const link = this.#link;
    if (!link?.isReady || this.#pumping) return;
    this.#pumping = true;
    const window = Math.min(this.#rules.inflight_max, link.receive_maximum);
    while (this.#inflight.size < window && link.takes) {
      const entry = this.#peek();
      if (entry === undefined || !this.#isNoted(entry.seq)) break;
      this.#take(entry);
      this.#send(entry, link);
    }
    this.#pumping = false;
    if (this.#waitingCount < MEMORY_ENTRIES) this.#wakeRoomWaiters();
  }

  /**
   * Whether a place may be sent: only when the next life will know of it, so that it marks what it sends again
   * [MQTT-3.3.1-1] and gives nobody else its packet identifier. The note runs ahead: in general nobody waits for it.
   */
  #isNoted(seq: number): boolean {
    const { store } = this.#rules;
    if (this.isStored && seq + SENT_AHEAD / 2 > this.#sentUpTo) {
      const upTo = seq + SENT_AHEAD;
      this.#sentUpTo = upTo;
      store.noteSent(this.number, upTo);
      if (store.durable)
        store.commit().then(
          () => {
            this.#sentSafe = Math.max(this.#sentSafe, upTo);
            this.#pump();
          },
          () => undefined, // the store is closing
        );
    }
    return seq <= this.#sentSafe;
  }

  /** What may not be sent is finished with. */
  #send(entry: QueueEntry, link: Link): void {
    const packet_id = packetIdOf(entry.seq);
    if (entry.released) {
      this.#inflight.set(packet_id, entry);
      link.sendAck(ACK.pubrel, packet_id, REASON.success); // [MQTT-4.4.0-1]
      return;
    }
    const { message } = entry;
    const { mayRead, onExpired, now } = this.#rules;
    // A QoS 2 message that may have been sent left its identifier with the client: only its course to the end frees it.
    const expired = message.isExpired(now()) && !(entry.sent && entry.qos === 2);
    if (expired || !mayRead(this.role, message.topic)) {
      if (expired) onExpired(message.topic);
      this.#finish(packet_id, entry);
      return;
    }
    this.#inflight.set(packet_id, entry);
    const { qos, retain, subscription_ids } = entry;
    const dup = entry.sent; // [MQTT-3.3.1-1]
    entry.sent = true;
    if (link.sendMessage(message, { qos, retain, dup, packet_id, subscription_ids })) return;
    this.#finish(packet_id, entry); // larger than the client takes: as if it had been sent [MQTT-3.1.2-25]
  }

  /** The oldest that waits, unless it must wait longer. */
  #peek(): QueueEntry | undefined {
    if (this.#waitingCount === 0 && this.#loaded < this.#last) this.#load();
    const entry = this.#waiting[this.#head];
    if (entry === undefined) return undefined;
    // One that is 65,535 places older and still in flight has the same packet identifier.
    if (this.#inflight.has(packetIdOf(entry.seq))) return undefined;
    if (entry.qos === 2 && this.isStored && (entry.seq > this.#safe || this.#releasing.has(entry))) return undefined;
    return entry;
  }

  /** Takes out what `#peek` gave. */
  #take(entry: QueueEntry): void {
    this.#head += 1;
    this.#waitingBytes -= entry.message.bytes;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head >= SHIFT_AT) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  #load(): void {
    const entries = this.#rules.store.read(this.number, this.#loaded + 1, READ_COUNT);
    for (const entry of entries) {
      if (entry.seq <= this.#sentBefore) entry.sent = true;
      this.#keep(entry);
    }
    if (entries.length === 0) this.#loaded = this.#last;
  }

  #keep(entry: QueueEntry): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.message.bytes;
    this.#loaded = entry.seq;
  }

  get #waitingCount(): number {
    return this.#waiting.length - this.#head;
  }

  get #hasMemory(): boolean {
    return this.#waitingCount < MEMORY_ENTRIES && this.#waitingBytes < MEMORY_BYTES;
  }

  #finish(packetId: number, entry: QueueEntry): void {
    this.#inflight.delete(packetId);
    this.#forget(entry);
  }

  #forget({ seq, message }: QueueEntry): void {
    this.#count -= 1;
    this.#bytes = this.#count === 0 ? 0 : Math.max(0, this.#bytes - message.bytes);
    if (this.isStored) this.#rules.store.remove(this.number, seq);
  }

  #dropBeyondCaps(): void {
    const { queue_messages_max, queue_bytes_max, memory_queue_bytes_max, onDropped } = this.#rules;
    const bytesMax = this.isStored ? queue_bytes_max : memory_queue_bytes_max;
    while (this.#count > queue_messages_max || this.#bytes > bytesMax) {
      const oldest = this.#peek();
      if (oldest === undefined) return; // all of it is in flight: the window bounds that
      this.#take(oldest);
      this.#forget(oldest);
      onDropped(this);
    }
  }

  #wakeRoomWaiters(): void {
    const waiters = this.#roomWaiters;
    if (waiters.length === 0) return;
    this.#roomWaiters = [];
    for (const waiter of waiters) setImmediate(waiter);
  }
}
