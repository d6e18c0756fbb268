// Owns how a SQLite file is opened: permissions, pragmas, and transactions that leave nothing half done.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isLocked } from './fault.ts';

/** The write-ahead log is cut back to this size after a checkpoint. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024;
const RETRY_MS = 20;

export interface ConnectionOptions {
  /** Absolute. */
  readonly path: string;
  /** How long a call waits for another connection's lock. */
  readonly busy_timeout_ms: number;
}

/** The one connection that writes. A new file is for its owner alone (0600), a new folder too (0700). */
export function openWriter({ path, busy_timeout_ms }: ConnectionOptions): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // SQLite gives its -wal and -shm files the mode of this one.
  closeSync(openSync(path, 'a', 0o600));
  return opened(new DatabaseSync(path, { timeout: busy_timeout_ms }), (db) => {
    useWriteAheadLog(db, Date.now() + busy_timeout_ms);
    db.exec(
      `PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`,
    );
  });
}

/** A connection that cannot write. The file must exist. */
export function openReadOnly({ path, busy_timeout_ms }: ConnectionOptions): DatabaseSync {
  return opened(new DatabaseSync(path, { timeout: busy_timeout_ms, readOnly: true }), (db) => {
    db.exec('PRAGMA query_only = ON; PRAGMA trusted_schema = OFF');
  });
}

function opened(db: DatabaseSync, prepare: (db: DatabaseSync) => void): DatabaseSync {
  try {
    prepare(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** SQLite answers "busy" at once, whatever the timeout, when two connections switch a new file at the same moment. */
function useWriteAheadLog(db: DatabaseSync, deadlineMs: number): void {
  for (;;) {
    try {
      db.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isLocked(error) || Date.now() >= deadlineMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

/** Runs `work` under the write lock: all of it is written, or nothing. */
export function transaction<Result>(db: DatabaseSync, work: () => Result): Result {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk or an I/O error has rolled back already.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
