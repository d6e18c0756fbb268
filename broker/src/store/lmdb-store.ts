// Owns the broker's memory on the disk, in lmdb: its tables, and what readers see before it is written.
import { mkdirSync, statfsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';
import { open, type RootDatabase } from 'lmdb';
import type { Message } from '../messages/message.ts';
import { BatchWriter } from './batch-writer.ts';
import type { BrokerStore, QueueEntry, QueueExtent, StoredSession, StoredWill, StoreImage } from './broker-store.ts';
import { PendingQueues } from './pending-queues.ts';
import * as record from './queue-record.ts';
import { checkStoreFile, markClosed, markOpen } from './store-file.ts';
import { keyOf, META_KEY, nameKey, numberOf, rangeOf, readSeq, seqBytes, seqOf, TABLE } from './store-keys.ts';
import { encodeMeta, readMeta, type StoreMeta } from './store-meta.ts';

const NOTHING = Buffer.alloc(0);
type Database = RootDatabase<Buffer, Buffer>;

export class LmdbStore implements BrokerStore {
  readonly durable = true;
  readonly boot: number;
  readonly #db: Database;
  readonly #path: string;
  readonly #meta: StoreMeta;
  readonly #writer: BatchWriter;
  readonly #pending = new PendingQueues();
  readonly #sent = new Map<number, number>();

  /**
   * Opens the store in a file, made when it is missing.
   *
   * @throws MeshError `broker_store_damaged`, `broker_store_foreign`, `broker_store_newer`, `broker_store_unusable`
   */
  static async open(path: string): Promise<LmdbStore> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    await checkStoreFile(path);
    markOpen(path);
    let db: Database;
    try {
      db = open<Buffer, Buffer>({
        path,
        noSubdir: true,
        keyEncoding: 'binary',
        encoding: 'binary',
        overlappingSync: false, // the promise of a batch means: on the disk
        eventTurnBatching: false, // batch-writer.ts says why
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

  private constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
    this.#meta = readMeta(db, path);
    this.#meta.boot += 1;
    this.boot = this.#meta.boot;
    this.#writer = new BatchWriter(db, {
      onTakeOff: () => this.#pending.takeOff(),
      onLanded: () => this.#pending.land(),
      describeDisk: () => describeFree(path),
    });
    this.#putMeta();
  }

  get fault(): string | undefined {
    return this.#writer.fault;
  }

  load(): StoreImage {
    const queues = new Map<number, QueueExtent>();
    for (const { key, value } of this.#rows(TABLE.queue)) {
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
    const incoming_messages = new Map<number, Map<number, Message>>();
    for (const { key, value } of this.#rows(TABLE.incoming)) {
      const number = numberOf(key);
      const ids = incoming.get(number) ?? [];
      ids.push(seqOf(key));
      incoming.set(number, ids);
      if (value.length === 0) continue;
      const messages = incoming_messages.get(number) ?? new Map<number, Message>();
      incoming_messages.set(number, messages.set(seqOf(key), record.decodeMessage(value)));
    }
    return {
      sessions: Array.from(this.#rows(TABLE.session), ({ value }) => record.decodeSession(value)),
      queues,
      incoming,
      incoming_messages,
      retained: Array.from(this.#rows(TABLE.retained), ({ value }) => record.decodeMessage(value)),
      wills: Array.from(this.#rows(TABLE.will), ({ value }) => record.decodeWill(value)),
    };
  }

  newNumber(): number {
    this.#meta.numbers += 1;
    this.#putMeta();
    return this.#meta.numbers;
  }

  putSession(session: StoredSession): void {
    this.#put(keyOf(TABLE.session, session.number), record.encodeSession(session));
  }

  deleteSession(number: number): void {
    this.#put(keyOf(TABLE.session, number), undefined);
    this.#put(keyOf(TABLE.sent, number), undefined);
    this.#sent.delete(number);
    const seqs = [...this.#places(TABLE.queue, number), ...this.#pending.changesOf(number).keys()];
    for (const seq of new Set(seqs)) this.remove(number, seq);
    const packetIds = [...this.#places(TABLE.incoming, number), ...this.#pending.incomingOf(number)];
    for (const packetId of new Set(packetIds)) this.deleteIncoming(number, packetId);
  }

  append(number: number, entry: QueueEntry): void {
    this.#pending.set(number, entry.seq, entry);
    this.#put(keyOf(TABLE.queue, number, entry.seq), record.encodeEntry(entry));
  }

  release(number: number, entry: QueueEntry): void {
    this.append(number, entry);
  }

  remove(number: number, seq: number): void {
    this.#pending.set(number, seq, undefined);
    this.#put(keyOf(TABLE.queue, number, seq), undefined);
  }

  read(number: number, seq: number, count: number): readonly QueueEntry[] {
    const changes = this.#pending.changesOf(number);
    const found: QueueEntry[] = [];
    const range = { start: keyOf(TABLE.queue, number, seq), end: keyOf(TABLE.queue, number + 1, 0) };
    let last = seq - 1;
    this.#refresh();
    for (const { key, value } of this.#db.getRange(changes.size === 0 ? { ...range, limit: count } : range)) {
      if (found.length === count) return found;
      last = seqOf(key);
      const entry = changes.has(last) ? changes.get(last) : record.decodeEntry(last, value);
      if (entry !== undefined) found.push(entry);
    }
    for (const [place, entry] of changes) {
      if (found.length === count) return found;
      if (place > last && entry !== undefined) found.push(entry);
    }
    return found;
  }

  noteSent(number: number, seq: number): void {
    this.#sent.set(number, seq);
    this.#put(keyOf(TABLE.sent, number), seqBytes(seq));
  }

  sentUpTo(number: number): number {
    const noted = this.#sent.get(number);
    if (noted !== undefined) return noted;
    const stored = this.#db.get(keyOf(TABLE.sent, number));
    return stored === undefined ? 0 : readSeq(stored);
  }

  putIncoming(number: number, packetId: number, message?: Message): void {
    this.#pending.noteIncoming(number, packetId);
    this.#put(keyOf(TABLE.incoming, number, packetId), message ? record.encodeMessage(message) : NOTHING);
  }

  deleteIncoming(number: number, packetId: number): void {
    this.#put(keyOf(TABLE.incoming, number, packetId), undefined);
  }

  putRetained(message: Message): void {
    const key = nameKey(TABLE.retained, message.topic);
    this.#put(key, message.payload.length === 0 ? undefined : record.encodeMessage(message));
  }

  putWill(will: StoredWill): void {
    this.#put(nameKey(TABLE.will, will.client_id), record.encodeWill(will));
  }

  deleteWill(clientId: string): void {
    this.#put(nameKey(TABLE.will, clientId), undefined);
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(dirname(this.#path));
    return bavail * bsize;
  }

  commit(): Promise<void> {
    return this.#writer.commit();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#db.close();
    markClosed(this.#path);
  }

  #put(key: Buffer, value: Buffer | undefined): void {
    this.#writer.put(key, value);
  }

  #putMeta(): void {
    this.#put(META_KEY, encodeMeta(this.#meta));
  }

  /** The database's readers keep their picture for a turn: it must not be older than a batch that has just landed. */
  #refresh(): void {
    this.#db.resetReadTxn();
  }

  /** Key and value belong to the database's page, until the next one is asked for. */
  #rows(table: number): Iterable<{ readonly key: Buffer; readonly value: Buffer }> {
    this.#refresh();
    return this.#db.getRange(rangeOf(table));
  }

  #places(table: number, number: number): readonly number[] {
    this.#refresh();
    return Array.from(this.#db.getKeys(rangeOf(table, number)), seqOf);
  }
}

function describeFree(path: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return `with ${Math.floor((bavail * bsize) / 1024)} KiB free`;
  } catch (error) {
    return `and its free space is not known (${reasonOf(error)})`;
  }
}
