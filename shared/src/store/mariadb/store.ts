// Owns the store on MariaDB, from 10.6 on: the one writer, and readers beside it.
import { fileURLToPath } from 'node:url';
import { quotedName } from '../identifier.ts';
import { readMigrations } from '../migration.ts';
import type { MeasurementTable, Store, StoreReader } from '../store.ts';
import { MariadbConnection, type MariadbOptions, type Session } from './connection.ts';
import { assertMigrated, migrate } from './migration.ts';
import * as reading from './reading.ts';
import { MEASUREMENTS, MIRRORED, numbersOf, widen } from './widening.ts';
import { apply, type Mirrors, pruneInbox, type WriterState } from './writing.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../../sql/mariadb', import.meta.url));
const PING = 'SELECT MAX(number) FROM schema_migration';

export interface MariadbStoreOptions extends MariadbOptions {
  /** Folder of the `NNNN_*.sql` files; the release's own by default. */
  readonly migrations?: string;
  /** Whether tables of the PHP site that are too narrow may be widened. Default true. */
  readonly may_widen?: boolean;
  /** Told before a table of the PHP site is changed, or what is left out because it is not. */
  readonly say?: (text: string) => void;
}

/** The writer: makes the tables that are missing, and widens those of the PHP site that are too narrow after saying so. */
export async function openMariadbStore(options: MariadbStoreOptions): Promise<Store> {
  const files = readMigrations(options.migrations ?? MIGRATIONS);
  const connection = new MariadbConnection(options);
  try {
    const mirrors = await connection.run(async (session) => {
      await migrate(session, files, Date.now());
      const wanted = [...MIRRORED, ...numbersOf(MEASUREMENTS)];
      const narrow = await widen(session, wanted, permission(options));
      return { sse: !narrow.has('sse'), messages: !narrow.has('messages') };
    });
    return storeOn(connection, mirrors, options);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** A reader. It rejects with `store_unavailable` (retryable) until a writer has made the tables. */
export async function openMariadbReader(options: MariadbStoreOptions): Promise<StoreReader> {
  const files = readMigrations(options.migrations ?? MIGRATIONS);
  const connection = new MariadbConnection(options);
  try {
    await connection.run((session) => assertMigrated(session, files));
    return readerOn(connection);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

const permission = ({ may_widen, say }: MariadbStoreOptions) => ({
  allowed: may_widen ?? true,
  say: say ?? (() => undefined),
});

const readerOn = (connection: MariadbConnection): StoreReader => ({
  events: (query) => connection.run((session) => reading.events(session, query)),
  messages: () => connection.run(reading.messages),
  dispositifs: () => connection.run(reading.dispositifs),
  textImages: () => connection.run(reading.textImages),
  ping: async () => {
    await connection.run((session) => session.rows(PING));
  },
  [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
});

const storeOn = (connection: MariadbConnection, mirrors: Mirrors, options: MariadbStoreOptions): Store => ({
  ...readerOn(connection),
  apply: writerOn(connection, { mirrors, seriesIds: new Map() }),
  ensureTables: (tables) => connection.run((session) => ensureTables(session, tables, options)),
  pruneInbox: (before_ms) => connection.run((session) => pruneInbox(session, before_ms)),
});

const writerOn =
  (connection: MariadbConnection, state: WriterState): Store['apply'] =>
  async (deliveries) => {
    if (deliveries.length === 0) return { applied: 0, duplicates: 0 };
    try {
      return await connection.transaction((session) => apply(session, deliveries, state));
    } catch (error) {
      state.seriesIds.clear();
      throw error;
    }
  };

async function ensureTables(
  session: Session,
  tables: readonly MeasurementTable[],
  options: MariadbStoreOptions,
): Promise<void> {
  for (const { table, columns } of tables) {
    const cells = columns.map((column) => `${quotedName(column, '`')} DOUBLE`).join(', ');
    await session.script(
      `CREATE TABLE IF NOT EXISTS ${quotedName(table, '`')} (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, ${cells}) ENGINE = InnoDB`,
    );
  }
  await widen(session, numbersOf(tables), permission(options));
}
