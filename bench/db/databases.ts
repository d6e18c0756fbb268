// Owns the databases that are measured: an empty one each time, its URL, and a look at it beside the mesh.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { MariadbServer } from '../../shared/test/store/mariadb-server.ts';

export interface MeasuredDatabase extends AsyncDisposable {
  readonly kind: 'sqlite' | 'mariadb';
  readonly url: string;
  /** How often a count may be asked for without being felt. */
  readonly poll_ms: number;
  /** Rows of a table with a growing key. */
  count(table: 'device_event' | 'energie'): Promise<number>;
  one(sql: string): Promise<Readonly<Record<string, unknown>>>;
}

export type OpenDatabase = () => Promise<MeasuredDatabase>;

const KEY = { device_event: 'seq', energie: 'num' } as const;

export const sqliteDatabase: OpenDatabase = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sqlite-'));
  const path = join(folder, 'monitor.sqlite');
  const one = async (sql: string): Promise<Readonly<Record<string, unknown>>> => {
    using db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    return db.prepare(sql).get() ?? {};
  };
  return {
    kind: 'sqlite',
    url: `sqlite:${path}`,
    poll_ms: 10,
    one,
    // Its keys have no holes: the largest is the number, found without a walk.
    count: async (table) => Number((await one(`SELECT max(${KEY[table]}) AS n FROM ${table}`)).n ?? 0),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** A database of a server that the caller owns. */
export const mariadbDatabase =
  (server: MariadbServer): OpenDatabase =>
  async () => {
    const database = `bench_${Date.now()}`;
    await server.sql(`CREATE DATABASE ${database}`);
    const url = server.url(database);
    const one = async (sql: string): Promise<Readonly<Record<string, unknown>>> => {
      const connection = await createConnection({ uri: url });
      try {
        const [rows] = await connection.query<RowDataPacket[]>(sql);
        return rows[0] ?? {};
      } finally {
        await connection.end();
      }
    };
    return {
      kind: 'mariadb',
      url,
      poll_ms: 100,
      one,
      count: async (table) => Number((await one(`SELECT COUNT(*) AS n FROM ${table}`)).n ?? 0),
      [Symbol.asyncDispose]: async () => {
        await server.sql(`DROP DATABASE ${database}`);
      },
    };
  };

/** A server as docker-compose.yml sets it, on this machine's disk. */
export const startServer = (): Promise<MariadbServer> => MariadbServer.start(['--innodb-buffer-pool-size=64M']);
