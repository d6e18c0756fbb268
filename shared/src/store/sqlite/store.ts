// Owns the store on SQLite: the embedded default. Each open store is one thread with one connection.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Delivery, Row, Store, StoreReader } from '../store.ts';
import type { OpenRequest } from './protocol.ts';
import { SqliteThread } from './thread.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../../sql/sqlite', import.meta.url));
const BUSY_TIMEOUT_MS = 5_000;

export interface SqliteOptions {
  readonly path: string;
  /** How long a call waits for another connection's lock before `store_locked`. */
  readonly busy_timeout_ms?: number;
  /** Folder of the `NNNN_*.sql` files; the release's own by default. */
  readonly migrations?: string;
}

/** The writer: makes folder (0700), file (0600) and tables where they are missing. */
export const openSqliteStore = async (options: SqliteOptions): Promise<Store> =>
  storeOn(await SqliteThread.open(openRequest('writer', options)));

/** A reader. It rejects with `store_unavailable` (retryable) until a writer has made the tables. */
export const openSqliteReader = async (options: SqliteOptions): Promise<StoreReader> =>
  readerOn(await SqliteThread.open(openRequest('reader', options)));

/** What a thread is asked first. */
export const openRequest = (role: OpenRequest['role'], options: SqliteOptions): OpenRequest => ({
  role,
  path: resolve(options.path),
  busy_timeout_ms: options.busy_timeout_ms ?? BUSY_TIMEOUT_MS,
  migrations: options.migrations ?? MIGRATIONS,
});

const readerOn = (thread: SqliteThread): StoreReader => ({
  events: (query) => thread.ask('events', query),
  messages: () => thread.ask('messages', null),
  dispositifs: () => thread.ask('dispositifs', null),
  textImages: () => thread.ask('text_images', null),
  ping: async () => {
    await thread.ask('ping', null);
  },
  [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose](),
});

/** The store over a thread that was opened as a writer. */
export const storeOn = (thread: SqliteThread): Store => ({
  ...readerOn(thread),
  apply: (deliveries) => thread.ask('apply', deliveries.map(compact)),
  ensureTables: async (tables) => {
    await thread.ask('ensure_tables', tables);
  },
  pruneInbox: (before_ms) => thread.ask('prune_inbox', before_ms),
});

/** A payload is often a view into a large network buffer, and a clone copies all of it. */
const compact = (delivery: Delivery): Delivery =>
  delivery.rows.some(isView) ? { ...delivery, rows: delivery.rows.map(owned) } : delivery;

const isView = (row: Row): boolean => row.kind === 'raw' && row.payload.byteLength !== row.payload.buffer.byteLength;

const owned = (row: Row): Row => (row.kind === 'raw' ? { ...row, payload: new Uint8Array(row.payload) } : row);
