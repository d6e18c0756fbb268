// Owns MariaDB databases to test with, each of its own on one server.
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type MariadbStoreOptions, openMariadbReader, openMariadbStore } from '../../src/store/mariadb/store.ts';
import type { MariadbServer } from './mariadb-server.ts';
import type { TableRow } from './store-model.ts';
import type { Bench } from './store-suite.ts';

const CLEAR = `DELETE FROM device; DELETE FROM device_event; DELETE FROM message; DELETE FROM inbox;
  DELETE FROM raw_message; DELETE FROM messages; DELETE FROM energie; DELETE FROM reading;
  DELETE FROM dispositifs; DELETE FROM text_image; UPDATE sse SET id = '', state = '', date = ''`;

export interface MariadbBench extends Bench {
  readonly database: string;
  readonly url: string;
}

/** A new database. The server's own defaults are those of an old house: a narrow character set, a lax mode. */
export async function mariadbBench(
  server: MariadbServer,
  t: TestContext,
  options: Omit<MariadbStoreOptions, 'url'> = {},
): Promise<MariadbBench> {
  const database = `mesh_${randomBytes(6).toString('hex')}`;
  await server.sql(`CREATE DATABASE ${database} CHARACTER SET latin1`);
  t.after(() => server.sql(`DROP DATABASE IF EXISTS ${database}`).catch(() => undefined));
  const url = server.url(database);
  return {
    database,
    url,
    open: () => openMariadbStore({ ...options, url }),
    openReader: () => openMariadbReader({ ...options, url }),
    rows: async (sql) => (await server.rows(sql, database)).map((row) => ({ ...row }) as TableRow),
    clear: async () => {
      await server.sql(CLEAR, database);
    },
  };
}
