// Owns the bare limit: the rows of the same records into the same tables, many to a statement, nothing around it.
import { randomUUIDv7 } from 'node:crypto';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { createConnection } from 'mysql2/promise';

const PER_STATEMENT = 500;

type Cells = readonly SQLInputValue[];
/** Executes one statement with its values. */
type Execute = (sql: string, values: Cells) => Promise<unknown>;

/** Records a second; one record is a row of `inbox` and `energie` and two of `reading`, as the mesh writes it. */
export async function bareInsertRate(url: string, records: number, beginMs: number): Promise<number> {
  return url.startsWith('sqlite:')
    ? bareSqlite(url.slice('sqlite:'.length), records, beginMs)
    : bareMariadb(url, records, beginMs);
}

async function bareSqlite(path: string, records: number, beginMs: number): Promise<number> {
  using db = new DatabaseSync(path);
  db.exec('PRAGMA synchronous = FULL');
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  return await rateOf(records, beginMs, async (sql, values) => {
    if (values.length === 0) return db.exec(sql);
    const statement = prepared.get(sql) ?? db.prepare(sql);
    prepared.set(sql, statement);
    return statement.run(...values);
  });
}

async function bareMariadb(url: string, records: number, beginMs: number): Promise<number> {
  const connection = await createConnection({ uri: url });
  try {
    return await rateOf(records, beginMs, (sql, values) =>
      values.length === 0 ? connection.query(sql) : connection.execute(sql, [...values] as (string | number)[]),
    );
  } finally {
    await connection.end();
  }
}

const insert = (head: string, cells: number, rows: number): string =>
  `INSERT INTO ${head} VALUES ${Array.from({ length: rows }, () => `(${Array.from({ length: cells }, () => '?').join(', ')})`).join(', ')}`;

async function rateOf(records: number, beginMs: number, execute: Execute): Promise<number> {
  await execute("INSERT INTO series (name) VALUES ('bare-conso'), ('bare-pmax')", []);
  const inbox = insert('inbox (mid, received_ms)', 2, PER_STATEMENT);
  const energie = insert('energie (date, conso, pmax)', 3, PER_STATEMENT);
  const reading = insert('reading (series_id, ts_ms, value)', 3, 2 * PER_STATEMENT);
  const all = Array.from({ length: records }, (_, index) => ({
    mid: randomUUIDv7(),
    at: beginMs + index * 1_000,
    date: new Date(beginMs + index * 1_000).toISOString().slice(0, 19).replace('T', ' '),
  }));
  const begin = performance.now();
  for (let from = 0; from + PER_STATEMENT <= records; from += PER_STATEMENT) {
    const some = all.slice(from, from + PER_STATEMENT);
    await execute('BEGIN', []);
    await execute(
      inbox,
      some.flatMap(({ mid, at }) => [mid, at]),
    );
    await execute(
      energie,
      some.flatMap(({ date }, index) => [date, 58.9, index]),
    );
    await execute(
      reading,
      some.flatMap(({ at }, index) => [1, at, 58.9, 2, at, index]),
    );
    await execute('COMMIT', []);
  }
  return (records / (performance.now() - begin)) * 1_000;
}
