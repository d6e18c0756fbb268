// Owns what readers of the database do not see yet of the queues: what was changed since the last batch landed.
import type { QueueEntry } from './broker-store.ts';

/** By place; `undefined` is removed. Places that are new stand in their order. */
type Changes = ReadonlyMap<number, QueueEntry | undefined>;

interface Unseen {
  readonly entries: Map<number, QueueEntry | undefined>;
  readonly incoming: Set<number>;
}

const NOTHING: Changes = new Map();

export class PendingQueues {
  #fresh = new Map<number, Unseen>();
  #flying: ReadonlyMap<number, Unseen> = new Map();

  set(number: number, seq: number, entry: QueueEntry | undefined): void {
    this.#of(number).entries.set(seq, entry);
  }

  noteIncoming(number: number, packetId: number): void {
    this.#of(number).incoming.add(packetId);
  }

  /** What happens from now on belongs to the next batch. */
  takeOff(): void {
    this.#flying = this.#fresh;
    this.#fresh = new Map();
  }

  /** Readers see the batch that took off. */
  land(): void {
    this.#flying = new Map();
  }

  changesOf(number: number): Changes {
    const flying = this.#flying.get(number)?.entries;
    const fresh = this.#fresh.get(number)?.entries;
    if (flying === undefined || fresh === undefined) return flying ?? fresh ?? NOTHING;
    return new Map([...flying, ...fresh]);
  }

  incomingOf(number: number): readonly number[] {
    return [this.#flying, this.#fresh].flatMap((side) => [...(side.get(number)?.incoming ?? [])]);
  }

  #of(number: number): Unseen {
    const known = this.#fresh.get(number);
    if (known !== undefined) return known;
    const unseen: Unseen = { entries: new Map(), incoming: new Set() };
    this.#fresh.set(number, unseen);
    return unseen;
  }
}
