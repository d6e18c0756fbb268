// Clocks that are wrong: a sender's, and the machine's own, set back a day and years ahead.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { connectAsync } from 'mqtt';
import { type MeshProcess, startMesh, temporaryFolder } from './mesh-process.ts';
import { bearer, until } from './rig.ts';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const skip = existsSync(LIBRARY) ? false : 'no libfaketime here (as root on Debian: apt-get install faketime)';
/** Wall clock of the whole process; what measures durations stays true. */
const clock = (shift: string): Readonly<Record<string, string>> => ({
  LD_PRELOAD: LIBRARY,
  FAKETIME: shift,
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
});

async function publish(mesh: MeshProcess, state: string, at?: string): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${mesh.mqtt_port}`);
  const change = { id: 'porte', state, ...(at === undefined ? {} : { at }) };
  await client.publishAsync('monitor/maj', JSON.stringify(change), { qos: 1 });
  await client.endAsync();
}
const stateOf = async (mesh: MeshProcess): Promise<string> => {
  const answer = await fetch(`${mesh.url}/api/v1/devices/porte`, { headers: bearer(mesh.login) });
  return ((await answer.json()) as { state: string }).state;
};
const rowsIn = (folder: string, sql: string) => {
  using db = new DatabaseSync(join(folder, 'monitor.sqlite'), { readOnly: true, timeout: 5_000 });
  return db.prepare(sql).all();
};

test('states follow the order of arrival when a sender lives in 2099 and the machine is set back a day and ahead a century', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const folder = temporaryFolder(t);
  const shifts = ['+0', '-1d', '+36500d', '-1d', '+0'];
  let count = 0;
  for (const shift of shifts) {
    const mesh = await startMesh(t, { DATA_DIR: folder, ...clock(shift) });
    for (const at of ['2099-01-01T00:00:00Z', undefined, '2001-01-01T00:00:00Z']) {
      count += 1;
      await publish(mesh, `state-${count}`, at);
      await until('the state', async () => (await stateOf(mesh)) === `state-${count}`);
    }
    await until('the rows', () => rowsIn(folder, 'SELECT 1 FROM device_event').length === count);
    await mesh.stop();
  }

  const expected = Array.from({ length: count }, (_, index) => `state-${index + 1}`);
  const events = rowsIn(folder, 'SELECT state FROM device_event ORDER BY seq').map(({ state }) => state);
  assert.deepEqual(events, expected);
  assert.deepEqual(
    rowsIn(folder, 'SELECT state FROM device').map((row) => ({ ...row })),
    [{ state: `state-${count}` }],
  );
  assert.equal(rowsIn(folder, 'SELECT 1 FROM inbox').length, count);
});
