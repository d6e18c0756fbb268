// From MQTT to SQL on SQLite and MariaDB: records a second beside a bare insert in the same run, a backlog after a time
// without a database, and screens while the database is locked. `--away-s 600` is the backlog's ten minutes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Scope, startMesh } from '../../e2e/mesh-process.ts';
import { noMariadb } from '../../shared/test/store/mariadb-server.ts';
import { meshHop } from '../hops.ts';
import { measure } from '../latency.ts';
import { startApart } from './apart.ts';
import { bareInsertRate } from './bare-insert.ts';
import { type MeasuredDatabase, mariadbDatabase, type OpenDatabase, sqliteDatabase, startServer } from './databases.ts';
import { publishAll } from './publisher.ts';

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    backlog: { type: 'string', default: '200000' },
    'away-s': { type: 'string', default: '10' },
  },
});
const RECORDS = Number(options.records);
const ROUNDS = Number(options.rounds);
const BACKLOG = Number(options.backlog);
const AWAY_MS = Number(options['away-s']) * 1_000;
const WARM_UP = 5_000;
const LOCK_MS = 2_000;
const RATE_HZ = 200;
const DEADLINE_MS = 300_000;
const BEGIN_MS = Date.UTC(2020, 0, 1);

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const rate = (rows: number, ms: number): number => (rows / ms) * 1000;
const shown = (perSecond: number): string => `${Math.round(perSecond).toLocaleString('en').padStart(8)}/s`;
const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const records = Array.from({ length: RECORDS + WARM_UP }, (_, index) =>
  JSON.stringify({
    table: 'energie',
    values: { conso: '58.9', pmax: String(index) },
    at: new Date(BEGIN_MS + index * 1_000).toISOString(),
  }),
);
const changes = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ id: `d${index % 50}`, state: String(index) }));

/** Works in a folder and a scope that end with the work. */
async function withFolder(work: (scope: Scope, folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-db-'));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    await work({ after: (end) => void ends.unshift(end) }, folder);
  } finally {
    for (const end of ends) await end();
  }
}

type Table = Parameters<MeasuredDatabase['count']>[0];

/** Waits until a table has its rows; resolves with how long it took. */
async function untilRows(database: MeasuredDatabase, table: Table, rows: number, begin: number): Promise<number> {
  for (;;) {
    const found = await database.count(table).catch(() => 0); // the database is not back yet
    const ms = performance.now() - begin;
    if (found >= rows) return ms;
    if (ms > DEADLINE_MS) throw new Error(`expected ${rows} rows in ${table}, got ${found}`);
    await pause(database.poll_ms);
  }
}

async function throughput(
  open: OpenDatabase,
  topic: string,
  table: Table,
  payloads: readonly string[],
): Promise<number> {
  let result = Number.NaN;
  await withFolder(async (scope, folder) => {
    await using database = await open();
    const at = await startApart(scope, folder, database.url);
    await publishAll(at.mqtt_port, topic, payloads.slice(0, WARM_UP), at.token);
    await untilRows(database, table, WARM_UP, performance.now());
    const begin = performance.now();
    await publishAll(at.mqtt_port, topic, payloads.slice(WARM_UP), at.token);
    result = rate(payloads.length - WARM_UP, await untilRows(database, table, payloads.length, begin));
  });
  return result;
}

/** The tables that the mesh makes, without the mesh. */
async function bare(open: OpenDatabase): Promise<number> {
  await using database = await open();
  await withFolder(async (scope, folder) => {
    await startApart(scope, folder, database.url);
  });
  return await bareInsertRate(database.url, RECORDS, BEGIN_MS);
}

async function compare(name: string, open: OpenDatabase): Promise<void> {
  const rounds: { record: number[]; bare: number[]; maj: number[] } = { record: [], bare: [], maj: [] };
  for (let round = 0; round < ROUNDS; round++) {
    rounds.record.push(await throughput(open, 'db/record', 'energie', records));
    rounds.bare.push(await bare(open));
    rounds.maj.push(await throughput(open, 'monitor/maj', 'device_event', changes(RECORDS)));
  }
  const ratio = middle(rounds.record) / middle(rounds.bare);
  print(
    `${name.padEnd(8)} db/record ${shown(middle(rounds.record))}   bare ${shown(middle(rounds.bare))}   ratio ${ratio.toFixed(2)} (aim ≥ 0.3)`,
  );
  print(
    `${name.padEnd(8)} monitor/maj ${shown(middle(rounds.maj))} (aim ≥ 8,000; device, event, inbox and mirror each)`,
  );
}

print(
  `${RECORDS.toLocaleString('en')} messages, ${ROUNDS} rounds, medians; MQTT QoS 1 → broker with fsync → db-writer → SQL`,
);
await compare('SQLite', sqliteDatabase);

if (noMariadb) print(`MariaDB is left out: ${noMariadb}`);
else {
  await using server = await startServer();
  const open = mariadbDatabase(server);
  await compare('MariaDB', open);
  await withFolder(async (scope, folder) => {
    await using database = await open();
    const at = await startApart(scope, folder, database.url);
    await server.down('SIGKILL');
    const away = pause(AWAY_MS);
    await publishAll(at.mqtt_port, 'monitor/maj', changes(BACKLOG), at.token);
    await away;
    await server.up();
    const ms = await untilRows(database, 'device_event', BACKLOG, performance.now());
    const found = await database.one('SELECT COUNT(*) AS n, COUNT(DISTINCT mid) AS mids FROM device_event');
    print(
      `MariaDB  away for ${AWAY_MS / 1_000} s, backlog of ${BACKLOG.toLocaleString('en')}: ${shown(rate(BACKLOG, ms))} from its start, ` +
        `lost ${BACKLOG - Number(found.mids)}, double ${Number(found.n) - Number(found.mids)}`,
    );
  });
}

await withFolder(async (scope, folder) => {
  const mesh = await startMesh(scope, { DATA_DIR: folder });
  const hop = await meshHop(mesh);
  await measure(hop, RATE_HZ, RATE_HZ * 2);
  const free = await measure(hop, RATE_HZ, RATE_HZ * 6);
  const db = new DatabaseSync(join(folder, 'monitor.sqlite'), { timeout: 5_000 });
  db.exec('BEGIN IMMEDIATE');
  setTimeout(() => db.exec('ROLLBACK'), LOCK_MS);
  const locked = await measure(hop, RATE_HZ, RATE_HZ * 6);
  db.close();
  await hop[Symbol.asyncDispose]();
  print(
    `maj → SSE at ${RATE_HZ}/s   p99 ${free.p99_ms.toFixed(2)} ms, with SQLite locked for 2 s ${locked.p99_ms.toFixed(2)} ms`,
  );
});
