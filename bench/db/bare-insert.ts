// Owns the bare limit: the same rows into the same tables of an empty SQLite, many to a statement, nothing around it.
import { randomUUIDv7 } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

const ROWS_PER_STATEMENT = 500;

/** Rows per second; WAL and synchronous=FULL as the mesh has them. */
export function bareInsertRate(path: string, topic: string, payloads: readonly string[]): number {
  const db = new DatabaseSync(path);
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     CREATE TABLE raw_message (seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, mid TEXT NOT NULL, topic TEXT NOT NULL,
       payload BLOB NOT NULL, received_ms INTEGER NOT NULL) STRICT;
     CREATE TABLE inbox (mid TEXT NOT NULL PRIMARY KEY, received_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE INDEX inbox_by_received ON inbox (received_ms);`,
  );
  const values = (columns: string): string => Array.from({ length: ROWS_PER_STATEMENT }, () => columns).join(', ');
  const insert = db.prepare(
    `INSERT INTO raw_message (mid, topic, payload, received_ms) VALUES ${values('(?, ?, ?, ?)')}`,
  );
  const remember = db.prepare(`INSERT INTO inbox (mid, received_ms) VALUES ${values('(?, ?)')}`);
  const mids = payloads.map(() => randomUUIDv7());
  const rows = payloads.map((payload, index) => [mids[index] ?? '', topic, Buffer.from(payload), index] as const);
  const begin = performance.now();
  for (let at = 0; at + ROWS_PER_STATEMENT <= rows.length; at += ROWS_PER_STATEMENT) {
    const some = rows.slice(at, at + ROWS_PER_STATEMENT);
    db.exec('BEGIN');
    remember.run(...some.flatMap(([mid, , , received_ms]) => [mid, received_ms]));
    insert.run(...some.flat());
    db.exec('COMMIT');
  }
  const rate = (rows.length / (performance.now() - begin)) * 1000;
  db.close();
  return rate;
}
