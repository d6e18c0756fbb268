// Owns a store that forgets everything with its process: for tests, and for who says DURABILITY=memory.
import type { Message } from '../messages/message.ts';
import type { BrokerStore, QueueEntry, StoredSession, StoredWill, StoreImage } from './broker-store.ts';

const DONE = Promise.resolve();

export class MemoryStore implements BrokerStore {
  readonly durable = false;
  readonly fault = undefined;
  readonly boot = 1;
  #numbers = 0;
  /** In the order of their places, since they are appended in it. */
  readonly #queues = new Map<number, Map<number, QueueEntry>>();
  readonly #sent = new Map<number, number>();

  load(): StoreImage {
    return {
      sessions: [],
      queues: new Map(),
      incoming: new Map(),
      incoming_messages: new Map(),
      retained: [],
      wills: [],
    };
  }

  newNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  putSession(_session: StoredSession): void {
    // what is known of a session is known by its owner; there is no next life to tell it to
  }

  deleteSession(number: number): void {
    this.#queues.delete(number);
    this.#sent.delete(number);
  }

  append(number: number, entry: QueueEntry): void {
    let queue = this.#queues.get(number);
    if (queue === undefined) {
      queue = new Map();
      this.#queues.set(number, queue);
    }
    queue.set(entry.seq, entry);
  }

  release(number: number, entry: QueueEntry): void {
    const queue = this.#queues.get(number);
    if (queue?.has(entry.seq)) queue.set(entry.seq, entry);
  }

  remove(number: number, seq: number): void {
    this.#queues.get(number)?.delete(seq);
  }

  read(number: number, seq: number, count: number): readonly QueueEntry[] {
    const found: QueueEntry[] = [];
    for (const entry of this.#queues.get(number)?.values() ?? []) {
      if (entry.seq < seq) continue;
      found.push(entry);
      if (found.length === count) break;
    }
    return found;
  }

  noteSent(number: number, seq: number): void {
    this.#sent.set(number, seq);
  }

  sentUpTo(number: number): number {
    return this.#sent.get(number) ?? 0;
  }

  putIncoming(_number: number, _packetId: number): void {
    // no next life
  }

  deleteIncoming(_number: number, _packetId: number): void {
    // no next life
  }

  putRetained(_message: Message): void {
    // no next life
  }

  putWill(_will: StoredWill): void {
    // no next life
  }

  deleteWill(_clientId: string): void {
    // no next life
  }

  async freeBytes(): Promise<undefined> {
    return undefined;
  }

  commit(): Promise<void> {
    return DONE;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return DONE;
  }
}
