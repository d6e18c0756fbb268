// Owns SQLite databases to test with, each in a temporary folder of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { openSqliteReader, openSqliteStore, type SqliteOptions } from '../../src/store/sqlite/store.ts';
import type { TableRow } from './store-model.ts';
import type { Bench } from './store-suite.ts';

const CLEAR = `DELETE FROM device; DELETE FROM device_event; DELETE FROM message; DELETE FROM inbox;
  DELETE FROM raw_message; DELETE FROM messages; DELETE FROM energie; DELETE FROM reading;
  DELETE FROM dispositifs; DELETE FROM text_image; UPDATE sse SET id = '', state = '', date = ''`;

/** A folder that is removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'monitor-mesh-store-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Rows of a query on a database file, by a connection of the test's own. */
export function rowsIn(path: string, sql: string): readonly TableRow[] {
  using db = new DatabaseSync(path, { timeout: 5_000 });
  return db
    .prepare(sql)
    .all()
    .map((row) => ({ ...row }) as TableRow);
}

/** Opens and closes again, so that an opening expected to be refused leaves no thread behind when it is not. */
export async function tryStore(options: SqliteOptions): Promise<void> {
  await using store = await openSqliteStore(options);
  await store.ping();
}

/** The same with a reader. */
export async function tryReader(options: SqliteOptions): Promise<void> {
  await using reader = await openSqliteReader(options);
  await reader.ping();
}

export async function sqliteBench(t: TestContext): Promise<Bench & { readonly path: string }> {
  const path = join(await temporaryFolder(t), 'mesh.db');
  return {
    path,
    open: () => openSqliteStore({ path }),
    openReader: () => openSqliteReader({ path }),
    rows: async (sql) => rowsIn(path, sql),
    clear: async () => {
      using db = new DatabaseSync(path, { timeout: 5_000 });
      db.exec(CLEAR);
    },
  };
}
