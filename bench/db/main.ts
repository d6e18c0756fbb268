// From MQTT to SQL: rows a second beside a bare insert in the same run, a backlog, and a database that is locked.
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { type Scope, startMesh } from '../../e2e/mesh-process.ts';
import { meshHop } from '../hops.ts';
import { measure } from '../latency.ts';
import { type Apart, startApart } from './apart.ts';
import { bareInsertRate } from './bare-insert.ts';
import { publishAll } from './publisher.ts';

const ROWS = 100_000;
const WARM_UP = 5_000;
const ROUNDS = 3;
const LOCK_MS = 2_000;
const RATE_HZ = 200;
const DEADLINE_MS = 120_000;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const rate = (rows: number, ms: number): number => (rows / ms) * 1000;
const shown = (perSecond: number): string => `${Math.round(perSecond).toLocaleString('en')} rows/s`;
const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const records = Array.from({ length: ROWS }, (_, index) =>
  JSON.stringify({ table: 'energie', values: { conso: '58.9', pmax: String(index) }, at: '2026-10-05T07:02:03.000Z' }),
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

const databaseIn = (folder: string): string => join(folder, 'monitor.sqlite');

/** Waits until a table's last row is at least `seq`; resolves with how long it took. */
async function untilRow(database: string, table: string, seq: number, begin: number): Promise<number> {
  const db = new DatabaseSync(database, { readOnly: true, timeout: 5_000 });
  const last = db.prepare(`SELECT max(seq) AS seq FROM ${table}`);
  try {
    for (;;) {
      const ms = performance.now() - begin;
      if (Number(last.get()?.seq ?? 0) >= seq) return ms;
      if (ms > DEADLINE_MS) throw new Error(`expected ${seq} rows in ${table}, got ${String(last.get()?.seq)}`);
      await pause(5);
    }
  } finally {
    db.close();
  }
}

async function throughput(at: Apart, topic: string, table: string, payloads: readonly string[]): Promise<number> {
  await publishAll(at.mqtt_port, topic, payloads.slice(0, WARM_UP), at.token);
  await untilRow(at.database, table, WARM_UP, performance.now());
  const begin = performance.now();
  await publishAll(at.mqtt_port, topic, payloads, at.token);
  return rate(payloads.length, await untilRow(at.database, table, WARM_UP + payloads.length, begin));
}

const rounds: { record: number[]; bare: number[]; maj: number[] } = { record: [], bare: [], maj: [] };
for (let round = 0; round < ROUNDS; round++) {
  await withFolder(async (scope, folder) => {
    rounds.record.push(await throughput(await startApart(scope, folder), 'db/record', 'raw_message', records));
  });
  await withFolder(async (_scope, folder) => {
    rounds.bare.push(bareInsertRate(join(folder, 'bare.sqlite'), 'db/record', records));
  });
  await withFolder(async (scope, folder) => {
    rounds.maj.push(await throughput(await startApart(scope, folder), 'monitor/maj', 'device_event', changes(ROWS)));
  });
}
const [record, bare, maj] = [middle(rounds.record), middle(rounds.bare), middle(rounds.maj)];
print(
  `${ROWS.toLocaleString('en')} messages, ${ROUNDS} rounds, medians; MQTT QoS 1 → broker with fsync → db-writer → SQLite`,
);
print(`db/record, whole       ${shown(record)}`);
print(`bare insert, 500 rows  ${shown(bare)}   ratio ${(record / bare).toFixed(2)} (aim ≥ 0.3)`);
print(`monitor/maj            ${shown(maj)} (aim ≥ 8,000; device, event, inbox and mirror each)`);

await withFolder(async (scope, folder) => {
  // A folder where the database should be: messages wait in the broker.
  mkdirSync(databaseIn(folder));
  const mesh = await startMesh(scope, { DATA_DIR: folder });
  await publishAll(mesh.mqtt_port, 'monitor/maj', changes(ROWS));
  rmdirSync(databaseIn(folder));
  let begin = performance.now();
  while (!(await fetch(`${mesh.url}/health/ready`)).ok) await pause(5);
  begin = performance.now();
  const ms = await untilRow(databaseIn(folder), 'device_event', ROWS, begin);
  print(`embedded, backlog of ${ROWS.toLocaleString('en')}     ${shown(rate(ROWS, ms))}`);
});

await withFolder(async (scope, folder) => {
  const mesh = await startMesh(scope, { DATA_DIR: folder });
  const hop = await meshHop(mesh);
  await measure(hop, RATE_HZ, RATE_HZ * 2);
  const free = await measure(hop, RATE_HZ, RATE_HZ * 6);
  const db = new DatabaseSync(databaseIn(folder), { timeout: 5_000 });
  db.exec('BEGIN IMMEDIATE');
  setTimeout(() => db.exec('ROLLBACK'), LOCK_MS);
  const locked = await measure(hop, RATE_HZ, RATE_HZ * 6);
  db.close();
  await hop[Symbol.asyncDispose]();
  print(
    `maj → SSE at ${RATE_HZ}/s   p99 ${free.p99_ms.toFixed(2)} ms, with SQLite locked for 2 s ${locked.p99_ms.toFixed(2)} ms`,
  );
});
