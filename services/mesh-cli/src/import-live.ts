// Owns reading the old database where it runs: its tables, and their rows page by page. It writes nothing there.
import { MariadbConnection, type Session } from '@monitor-mesh/shared/store/mariadb/connection.ts';
import type { Cell, Listener, Source, SourceRow, SourceTable } from './import-source.ts';

/** Rows asked for at a time. */
const PAGE_ROWS = 1_000;

const COLUMNS = `SELECT c.TABLE_NAME AS t, c.COLUMN_NAME AS c, c.DATA_TYPE AS type, c.COLUMN_KEY AS k
  FROM information_schema.COLUMNS c JOIN information_schema.TABLES t
    ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.TABLE_TYPE = 'BASE TABLE'
  WHERE c.TABLE_SCHEMA = DATABASE() ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`;
const PLACE = 'SELECT @@hostname AS host, @@port AS port, @@datadir AS folder, DATABASE() AS name';
/** As a dump does it: an hour that the house's clock shows twice stays two hours. */
const UTC = "SET time_zone = '+00:00'";
const UTC_ZONE = '+00:00';

interface LiveTable extends SourceTable {
  /** Column whose order the pages follow; `undefined` when there is none, and the table is read in one piece. */
  readonly key: string | undefined;
}

export interface LiveSource extends Source, AsyncDisposable {
  /** Which database of which server this is, whatever name it was reached under. */
  place(): Promise<string>;
}

/** A database on its server, by `mysql://user:password@host:port/database`. */
export function liveSource(url: string): LiveSource {
  const connection = new MariadbConnection({ url });
  return {
    rows: (listener) => readRows(connection, listener),
    place: () => connection.run(async (session) => JSON.stringify((await session.rows(PLACE))[0])),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

/** The place of any database of MariaDB, to compare. */
export async function placeOfDatabase(url: string): Promise<string> {
  await using source = liveSource(url);
  return source.place();
}

async function* readRows(connection: MariadbConnection, listener: Listener): AsyncGenerator<readonly SourceRow[]> {
  for (const table of await connection.run(tablesOf))
    if (listener.isWanted(table)) yield* readTable(connection, table);
    else listener.onLeft(table.name, await connection.run((session) => countOf(session, table)));
}

async function* readTable(connection: MariadbConnection, table: LiveTable): AsyncGenerator<readonly SourceRow[]> {
  let after: Cell;
  for (;;) {
    const last = after;
    const rows = await connection.run((session) => readPage(session, table, last));
    if (rows.length > 0) yield rows;
    if (table.key === undefined || rows.length < PAGE_ROWS) return;
    after = rows.at(-1)?.cells.get(table.key);
  }
}

async function countOf(session: Session, { name }: LiveTable): Promise<number> {
  const [row] = await session.rows(`SELECT COUNT(*) AS count FROM ${quoted(name)}`);
  return Number(row?.count ?? 0);
}

async function tablesOf(session: Session): Promise<readonly LiveTable[]> {
  const found = new Map<string, { columns: string[]; timestamps: Set<string>; keys: string[] }>();
  for (const { t, c, type, k } of await session.rows(COLUMNS)) {
    const table = found.get(String(t)) ?? { columns: [], timestamps: new Set(), keys: [] };
    found.set(String(t), table);
    table.columns.push(String(c));
    if (type === 'timestamp') table.timestamps.add(String(c));
    if (k === 'PRI') table.keys.push(String(c));
  }
  return [...found].map(([name, { columns, timestamps, keys }]) => ({
    name,
    columns,
    timestamps,
    key: keys.length === 1 ? keys[0] : undefined,
  }));
}

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

async function readPage(session: Session, table: LiveTable, after: Cell): Promise<readonly SourceRow[]> {
  await session.script(UTC);
  const { key } = table;
  const from = `SELECT ${table.columns.map((column) => `CAST(${quoted(column)} AS CHAR) AS ${quoted(column)}`).join(', ')} FROM ${quoted(table.name)}`;
  const page = key === undefined ? '' : ` ORDER BY ${quoted(table.name)}.${quoted(key)} LIMIT ${PAGE_ROWS}`;
  const where = key === undefined || after === undefined ? '' : ` WHERE ${quoted(key)} > ?`;
  const found = await session.rows(`${from}${where}${page}`, where === '' ? [] : [after ?? null]);
  return found.map((cells) => ({
    table,
    cells: new Map(table.columns.map((column) => [column, cells[column] === null ? null : String(cells[column])])),
    zone: UTC_ZONE,
  }));
}
