// Owns the broker's memory on the disk, in lmdb. Everything that happens within one turn of the event loop, for every
// client, becomes safe with one fsync.
import { mkdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';
import { open, type RootDatabase } from 'lmdb';
import { z } from 'zod';
import type { Message } from '../messages/message.ts';
import type { BrokerStore, QueueEntry, QueueExtent, StoredSession, StoredWill, StoreImage } from './broker-store.ts';
import { decodeEntry, decodeMessage, encodeEntry, encodeMessage, TABLE } from './queue-record.ts';
import { checkAfterCrash, checkStoreFile, markClosed, markOpen } from './store-file.ts';

const FORMAT = 1;
const NAME = 'monitor-mesh broker';
/** Removals alone are worth no fsync of their own: one that is lost is a duplicate. */
const LAZY_MS = 50;
/** Pause before a disk that refused is asked again. */
const RETRY_MS = 1_000;
const NUMBER_BYTES = 4;
const SEQ_BYTES = 6;
/** lmdb's own limit on a key is 1,978 bytes; a topic may be longer than that. */
const KEY_TEXT_BYTES_MAX = 1_900;

const meta = z.object({ name: z.literal(NAME), format: z.number(), boot: z.number(), numbers: z.number() });
type Meta = z.output<typeof meta>;
const META_KEY = Buffer.from([TABLE.meta]);

const ignore = (): void => undefined;

function keyOf(table: number, number: number, seq?: number): Buffer {
  const key = Buffer.allocUnsafe(1 + NUMBER_BYTES + (seq === undefined ? 0 : SEQ_BYTES));
  key[0] = table;
  key.writeUInt32BE(number, 1);
  if (seq !== undefined) key.writeUIntBE(seq, 1 + NUMBER_BYTES, SEQ_BYTES);
  return key;
}

function textKey(table: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > KEY_TEXT_BYTES_MAX)
    throw new MeshError('name_too_long', `expected at most ${KEY_TEXT_BYTES_MAX} bytes, got ${bytes.length}`);
  return Buffer.concat([Buffer.from([table]), bytes]);
}

const seqOf = (key: Buffer): number => key.readUIntBE(1 + NUMBER_BYTES, SEQ_BYTES);
const numberOf = (key: Buffer): number => key.readUInt32BE(1);

interface Batch {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Entries that no reader of the database sees yet, by session. */
  readonly entries: Map<number, QueueEntry[]>;
}

function newBatch(): Batch {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(ignore); // whoever waits for it hears of it
  return { promise, resolve, reject, entries: new Map() };
}

type Operation = readonly [key: Buffer, value: Buffer | undefined];

export class LmdbStore implements BrokerStore {
  readonly durable = true;
  readonly boot: number;
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #path: string;
  readonly #meta: Meta;
  #operations: Operation[] = [];
  #open = newBatch();
  #flying: Batch | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #lazy: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closing = false;
  /** Why the disk refuses to keep anything now; it is asked again until it does. */
  fault: string | undefined;

  /**
   * Opens the store in a file, made when it is missing.
   *
   * @throws MeshError `broker_store_damaged`, `broker_store_foreign`, `broker_store_newer`, `broker_store_unusable`
   */
  static async open(path: string): Promise<LmdbStore> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    checkStoreFile(path);
    await checkAfterCrash(path);
    markOpen(path);
    let db: RootDatabase<Buffer, Buffer>;
    try {
      // overlappingSync: false makes the promise of a put mean: on the disk.
      db = open<Buffer, Buffer>({
        path,
        noSubdir: true,
        keyEncoding: 'binary',
        encoding: 'binary',
        overlappingSync: false,
      });
    } catch (error) {
      throw new MeshError(
        'broker_store_unusable',
        `cannot open the store of the broker ${path}: ${reasonOf(error)}; restore it from a backup, or move it away to start empty`,
        { cause: error },
      );
    }
    try {
      return new LmdbStore(db, path);
    } catch (error) {
      await db.close();
      markClosed(path);
      throw error;
    }
  }

  private constructor(db: RootDatabase<Buffer, Buffer>, path: string) {
    this.#db = db;
    this.#path = path;
    this.#meta = readMeta(db, path);
    this.#meta.boot += 1;
    this.boot = this.#meta.boot;
    this.#putMeta();
  }

  #putMeta(): void {
    this.#put(META_KEY, Buffer.from(JSON.stringify(this.#meta)));
  }

  load(): StoreImage {
    const sessions = [...this.#range(TABLE.session)].map(({ value }) => JSON.parse(value.toString()) as StoredSession);
    const queues = new Map<number, QueueExtent>();
    for (const { key, value } of this.#range(TABLE.queue)) {
      const known = queues.get(numberOf(key));
      const seq = seqOf(key);
      queues.set(numberOf(key), {
        first: known?.first ?? seq,
        last: seq,
        count: (known?.count ?? 0) + 1,
        bytes: (known?.bytes ?? 0) + value.length,
      });
    }
    const incoming = new Map<number, number[]>();
    for (const { key } of this.#range(TABLE.incoming)) {
      const ids = incoming.get(numberOf(key));
      if (ids) ids.push(seqOf(key));
      else incoming.set(numberOf(key), [seqOf(key)]);
    }
    const retained = [...this.#range(TABLE.retained)].map(({ value }) => decodeMessage(value));
    const wills = [...this.#range(TABLE.will)].map(({ value }) => decodeWill(value));
    return { sessions, queues, incoming, retained, wills };
  }

  newNumber(): number {
    this.#meta.numbers += 1;
    this.#putMeta();
    return this.#meta.numbers;
  }

  putSession(session: StoredSession): void {
    this.#put(keyOf(TABLE.session, session.number), Buffer.from(JSON.stringify(session)));
  }

  deleteSession(number: number): void {
    this.#put(keyOf(TABLE.session, number), undefined);
    this.#put(keyOf(TABLE.sent, number), undefined);
    for (const table of [TABLE.queue, TABLE.incoming])
      for (const { key } of this.#range(table, number)) this.#put(key, undefined);
    for (const batch of [this.#flying, this.#open]) {
      for (const { seq } of batch?.entries.get(number) ?? []) this.#put(keyOf(TABLE.queue, number, seq), undefined);
      batch?.entries.delete(number);
    }
  }

  append(number: number, entry: QueueEntry): void {
    const fresh = this.#open.entries.get(number);
    if (fresh) fresh.push(entry);
    else this.#open.entries.set(number, [entry]);
    this.#put(keyOf(TABLE.queue, number, entry.seq), encodeEntry(entry));
  }

  release(number: number, entry: QueueEntry): void {
    this.#put(keyOf(TABLE.queue, number, entry.seq), encodeEntry(entry));
  }

  remove(number: number, seq: number): void {
    this.#put(keyOf(TABLE.queue, number, seq), undefined);
  }

  read(number: number, seq: number, count: number): readonly QueueEntry[] {
    const found: QueueEntry[] = [];
    // The database's readers keep their picture for a turn: it must not be older than the batch that has just landed.
    this.#db.resetReadTxn();
    const range = { start: keyOf(TABLE.queue, number, seq), end: keyOf(TABLE.queue, number + 1, 0), limit: count };
    for (const { key, value } of this.#db.getRange(range)) found.push(decodeEntry(seqOf(key), value));
    let last = found.at(-1)?.seq ?? seq - 1;
    for (const batch of [this.#flying, this.#open])
      for (const entry of batch?.entries.get(number) ?? []) {
        if (found.length >= count) return found;
        if (entry.seq <= last) continue;
        found.push(entry);
        last = entry.seq;
      }
    return found;
  }

  noteSent(number: number, seq: number): void {
    const value = Buffer.allocUnsafe(SEQ_BYTES);
    value.writeUIntBE(seq, 0, SEQ_BYTES);
    this.#put(keyOf(TABLE.sent, number), value);
  }

  sentUpTo(number: number): number {
    return this.#db.get(keyOf(TABLE.sent, number))?.readUIntBE(0, SEQ_BYTES) ?? 0;
  }

  putIncoming(number: number, packetId: number): void {
    this.#put(keyOf(TABLE.incoming, number, packetId), Buffer.alloc(0));
  }

  deleteIncoming(number: number, packetId: number): void {
    this.#put(keyOf(TABLE.incoming, number, packetId), undefined);
  }

  putRetained(message: Message): void {
    const key = textKey(TABLE.retained, message.topic);
    this.#put(key, message.payload.length === 0 ? undefined : encodeMessage(message));
  }

  putWill(will: StoredWill): void {
    this.#put(textKey(TABLE.will, will.client_id), encodeWill(will));
  }

  deleteWill(clientId: string): void {
    this.#put(textKey(TABLE.will, clientId), undefined);
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(dirname(this.#path));
    return bavail * bsize;
  }

  commit(): Promise<void> {
    if (this.#operations.length > 0) {
      this.#flushSoon();
      return this.#open.promise;
    }
    return this.#flying?.promise ?? Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#lazy);
    if (this.#retry) this.#giveUp();
    while (this.#flying || this.#operations.length > 0) await this.commit().catch(ignore);
    await this.#db.close();
    markClosed(this.#path);
  }

  #put(key: Buffer, value: Buffer | undefined): void {
    this.#operations.push([key, value]);
    this.#lazy ??= setTimeout(() => this.#flush(), LAZY_MS);
  }

  /** After every socket of this turn had its say. */
  #flushSoon(): void {
    this.#immediate ??= setImmediate(() => this.#flush());
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
    this.#write(batch, operations);
  }

  #write(batch: Batch, operations: readonly Operation[]): void {
    let last: Promise<unknown> = Promise.resolve();
    for (const [key, value] of operations) {
      last = value === undefined ? this.#db.remove(key) : this.#db.put(key, value);
      last.catch(ignore); // they are one transaction: the last one speaks for all
    }
    last.then(
      () => this.#onLanded(batch),
      (error: unknown) => this.#onFault(batch, operations, error),
    );
  }

  #onLanded(batch: Batch): void {
    this.fault = undefined;
    this.#flying = undefined;
    batch.resolve();
    if (this.#operations.length > 0) this.#flush();
  }

  /** Puts and removals may be repeated: the same batch is written again until the disk takes it. */
  #onFault(batch: Batch, operations: readonly Operation[], cause: unknown): void {
    this.fault = `the disk refuses what the broker must keep: ${reasonOf(cause)}`;
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

  /** What a stop does while the disk refuses: nothing of it was acknowledged. */
  #giveUp: () => void = ignore;

  #range(table: number, number?: number): readonly { readonly key: Buffer; readonly value: Buffer }[] {
    const range =
      number === undefined
        ? { start: Buffer.from([table]), end: Buffer.from([table + 1]) }
        : { start: keyOf(table, number), end: keyOf(table, number + 1) };
    return [...this.#db.getRange(range)].map(({ key, value }) => ({
      key: Buffer.from(key),
      value: Buffer.from(value),
    }));
  }
}

function readMeta(db: RootDatabase<Buffer, Buffer>, path: string): Meta {
  const stored = db.get(META_KEY);
  if (stored === undefined) {
    for (const _ of db.getKeys({ limit: 1 }))
      throw new MeshError('broker_store_foreign', `expected the store of a broker in ${path}, found another database`);
    return { name: NAME, format: FORMAT, boot: 0, numbers: 0 };
  }
  const parsed = meta.safeParse(parseJson(stored));
  if (!parsed.success)
    throw new MeshError('broker_store_foreign', `expected the store of a broker in ${path}, found another database`);
  if (parsed.data.format > FORMAT)
    throw new MeshError(
      'broker_store_newer',
      `the store of the broker ${path} was written by a newer release (format ${parsed.data.format}): start that release`,
    );
  return parsed.data;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined; // the schema says what was expected
  }
}

function encodeWill({ message, ...rest }: StoredWill): Buffer {
  const head = Buffer.from(JSON.stringify(rest));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, encodeMessage(message)]);
}

function decodeWill(bytes: Buffer): StoredWill {
  const end = 4 + bytes.readUInt32LE(0);
  const head = JSON.parse(bytes.toString('utf8', 4, end)) as Omit<StoredWill, 'message'>;
  return { ...head, message: decodeMessage(bytes.subarray(end)) };
}
