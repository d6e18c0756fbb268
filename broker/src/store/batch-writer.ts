// Owns the way to the disk: everything that happens within one turn of the event loop, for every client, becomes safe
// with one fsync; a disk that refuses is asked again until it takes what it was given.
import { MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';

/** What the writer needs of lmdb. */
export interface WritableDatabase {
  /** Everything that `action` puts and removes, in one transaction; resolves when it is on the disk. */
  batch(action: () => void): Promise<boolean>;
  put(key: Buffer, value: Buffer): unknown;
  remove(key: Buffer): unknown;
}

export interface WriterEvents {
  /** What is put from now on belongs to the next batch. */
  onTakeOff(): void;
  /** Readers of the database see the batch that took off. */
  onLanded(): void;
  /** What is known of the disk beside the refusal itself, for a human. */
  describeDisk(): string;
}

/** Removals alone are worth no fsync of their own: one that is lost is a duplicate. */
const LAZY_MS = 50;
/** Pause before a disk that refused is asked again. */
const RETRY_MS = 1_000;

const ignore = (): void => undefined;

type Operation = readonly [key: Buffer, value: Buffer | undefined];
type Batch = PromiseWithResolvers<void>;

function newBatch(): Batch {
  const batch = Promise.withResolvers<void>();
  batch.promise.catch(ignore); // whoever waits for it hears of it
  return batch;
}

/** lmdb hides the cause in a promise, which would end the process as one that nobody looked at. */
const causeOf = async (error: unknown): Promise<unknown> => {
  if (!(error instanceof Error && 'commitError' in error && error.commitError instanceof Promise)) return error;
  return error.commitError.then(
    () => error,
    (cause: unknown) => cause,
  );
};

export class BatchWriter {
  readonly #db: WritableDatabase;
  readonly #events: WriterEvents;
  #operations: Operation[] = [];
  #open = newBatch();
  #flying: Batch | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #lazy: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closing = false;
  /** Why the disk refuses to keep anything now. */
  fault: string | undefined;

  constructor(db: WritableDatabase, events: WriterEvents) {
    this.#db = db;
    this.#events = events;
  }

  /** Puts a value under a key, or removes it. */
  put(key: Buffer, value: Buffer | undefined): void {
    this.#operations.push([key, value]);
    this.#lazy ??= setTimeout(() => this.#flush(), LAZY_MS);
  }

  /** Resolves when everything put so far is on the disk; while the disk refuses, it waits. Rejects at a stop. */
  commit(): Promise<void> {
    if (this.#operations.length === 0) return this.#flying?.promise ?? Promise.resolve();
    // After every socket of this turn had its say.
    this.#immediate ??= setImmediate(() => this.#flush());
    return this.#open.promise;
  }

  /** Writes what is left; what the disk refuses now is lost, and was never acknowledged. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#retry) this.#giveUp();
    while (this.#flying || this.#operations.length > 0) await this.commit().catch(ignore);
    clearTimeout(this.#lazy);
  }

  #flush(): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#lazy);
    this.#immediate = undefined;
    this.#lazy = undefined;
    if (this.#flying || this.#operations.length === 0) return; // what is flying flushes the rest when it lands
    const batch = this.#open;
    const operations = this.#operations;
    this.#open = newBatch();
    this.#operations = [];
    this.#flying = batch;
    this.#events.onTakeOff();
    this.#write(batch, operations);
  }

  #write(batch: Batch, operations: readonly Operation[]): void {
    // The database's own grouping by turns leaves a promise behind that ends the process when a commit fails.
    const written = this.#db.batch(() => {
      for (const [key, value] of operations) {
        if (value === undefined) this.#db.remove(key);
        else this.#db.put(key, value);
      }
    });
    written.then(
      () => this.#onLanded(batch),
      async (error: unknown) => this.#onRefused(batch, operations, await causeOf(error)),
    );
  }

  #onLanded(batch: Batch): void {
    this.fault = undefined;
    this.#flying = undefined;
    this.#events.onLanded();
    batch.resolve();
    if (this.#operations.length > 0) this.#flush();
  }

  /** Puts and removals may be repeated: the same batch is written again until the disk takes it. */
  #onRefused(batch: Batch, operations: readonly Operation[], cause: unknown): void {
    this.fault = `the disk refuses what the broker must keep: ${reasonOf(cause)}, ${this.#events.describeDisk()}`;
    const fault = new MeshError('broker_store_failed', this.fault, { retryable: true, cause });
    this.#giveUp = () => {
      clearTimeout(this.#retry);
      this.#retry = undefined;
      this.#flying = undefined;
      this.#operations = [];
      batch.reject(fault);
      this.#open.reject(fault);
    };
    if (this.#closing) return this.#giveUp();
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#write(batch, operations);
    }, RETRY_MS);
  }

  /** What a stop does while the disk refuses. */
  #giveUp: () => void = ignore;
}
