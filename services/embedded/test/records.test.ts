// Measurements from a shell to the tables that the old pages draw, on both databases.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { MariadbServer, noMariadb } from '../../../shared/test/store/mariadb-server.ts';
import { bearer, openMqtt, startMesh, type TestMesh, until } from './rig.ts';

const GOOD = [
  'energie#conso#58.9#2026-10-05#09:02:03#pmax#11.8',
  'temp_cave#valeur#17.0#2026-10-05 10:00:00',
  '{"table":"ph_spa","values":{"valeur":7.3},"at":"2026-10-05T08:00:00Z"}',
];
const BAD = [
  'energie#conso',
  'users#x#1#2026-10-05#10:00:00',
  'energie#conso)--#1#2026-10-05#10:00:00',
  '{"table":"energie"}',
];
const TABLES = { energie: 'date, conso, pmax', temp_cave: 'date, valeur', ph_spa: 'date, valeur' } as const;
const EXPECTED = {
  energie: [{ date: '2026-10-05 09:02:03', conso: 58.9, pmax: 11.8 }],
  temp_cave: [{ date: '2026-10-05 10:00:00', valeur: 17 }],
  ph_spa: [{ date: '2026-10-05 10:00:00', valeur: 7.3 }],
};

/** Publishes all of them and looks at the tables once the last good one is there. */
async function story(
  t: Parameters<typeof startMesh>[0],
  mesh: TestMesh,
  rows: (sql: string) => Promise<readonly object[]>,
) {
  const client = await openMqtt(t, mesh.mqtt_url);
  const rejected: string[] = [];
  client.on('message', (_topic, payload) => void rejected.push(payload.toString()));
  await client.subscribeAsync('mesh/reject', { qos: 1 });
  for (const record of [...BAD, ...GOOD]) await client.publishAsync('db/record', record, { qos: 1 });
  await until('the last record', async () => (await rows('SELECT date FROM ph_spa').catch(() => [])).length === 1);

  const found = Object.entries(TABLES).map(async ([table, columns]) => [
    table,
    await rows(`SELECT ${columns} FROM ${table}`),
  ]);
  assert.deepEqual(Object.fromEntries(await Promise.all(found)), EXPECTED);
  assert.deepEqual(await rows('SELECT name, value FROM reading JOIN series ON series.id = series_id ORDER BY name'), [
    { name: 'energie-conso', value: 58.9 },
    { name: 'energie-pmax', value: 11.8 },
    { name: 'ph_spa', value: 7.3 },
    { name: 'temp_cave', value: 17 },
  ]);
  await until('a refusal with its reason', () => rejected.some((text) => text.includes('"topic":"db/record"')));
  await client.publishAsync('monitor/maj', '{"id":"317","state":"On"}', { qos: 1 });
  await until('history', async () => {
    const answer = await fetch(`${mesh.url}/api/v1/events?id=317`, { headers: bearer(mesh.token) });
    return answer.ok && (await answer.text()).includes('"317"');
  });
}

test('records reach their tables and curves on SQLite, and bad ones are refused whole with their reason', async (t) => {
  const mesh = await startMesh(t);
  await story(t, mesh, async (sql) => {
    using db = new DatabaseSync(join(mesh.folder, 'monitor.sqlite'), { readOnly: true, timeout: 5_000 });
    return db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  });
});

test('the same on a MariaDB server that DATABASE_URL names', { skip: noMariadb }, async (t) => {
  const server = await MariadbServer.start();
  t.after(() => server[Symbol.asyncDispose]());
  await server.sql('CREATE DATABASE monitor');
  const mesh = await startMesh(t, { DATABASE_URL: server.url('monitor') });
  await story(t, mesh, async (sql) => (await server.sql(sql, 'monitor')).map((row) => ({ ...row })));
  assert.ok(!mesh.lines.some((line) => line.includes('mesh-password')), 'the password of the database is in the log');
});
