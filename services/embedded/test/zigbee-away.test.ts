// What Zigbee2MQTT says while zigbee-bridge is away, and what comes twice: nothing is lost, and nothing is told a second time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROKER_ALONE_VARIABLES, startBroker } from '@monitor-mesh/broker/run-broker.ts';
import { readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { readConfig } from '@monitor-mesh/shared/config.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { freePort } from '../../../e2e/free-port.ts';
import { startMesh as startProcess } from '../../../e2e/mesh-process.ts';
import { bearer, openMqtt, startMesh, type TestMesh, temporaryFolder, until } from './rig.ts';

interface Change {
  readonly id: string;
  readonly state: string;
}

const eventsOf = async (mesh: Pick<TestMesh, 'url' | 'token'>): Promise<readonly Change[]> => {
  const answer = await fetch(`${mesh.url}/api/v1/events?limit=1000`, { headers: bearer(mesh.token) });
  if (!answer.ok) return [];
  const { events } = (await answer.json()) as { readonly events: readonly Change[] };
  return events.map(({ id, state }) => ({ id, state })).reverse();
};

test('a report that was acknowledged before the bridge ever ran is a change when it comes, in its order', async (t) => {
  const folder = temporaryFolder(t);
  const mqtt = await freePort();
  const ports = { HTTP_PORT: '0', MQTT_PORT: String(mqtt), MQTT_WS_PORT: '0' };
  const broker = await startBroker(
    readConfig(BROKER_ALONE_VARIABLES, { ...ports, DATA_DIR: folder }),
    createLog('test', 'error', { write: () => undefined }),
  );
  t.after(() => broker[Symbol.asyncDispose]());
  const sender = await openMqtt(t, `mqtt://127.0.0.1:${mqtt}`, {
    username: 'admin',
    password: readFirstLogin(folder)?.password ?? '',
  });
  for (const state of ['ON', 'OFF', 'ON'])
    await sender.publishAsync('zigbee2mqtt/lampe_entree', JSON.stringify({ state }), { qos: 1 });
  await sender.endAsync();
  await broker.stop();

  const mesh = await startMesh(t, {}, folder);
  await until('three changes', async () => (await eventsOf(mesh)).length === 3);
  assert.deepEqual(
    await eventsOf(mesh),
    ['ON', 'OFF', 'ON'].map((state) => ({ id: 'lampe_entree', state })),
  );
});

test('a report that comes a second time, to a bridge that remembers nothing, is one change of the history', async (t) => {
  const folder = temporaryFolder(t);
  const report = { qos: 1, properties: { userProperties: { mid: '019a2b00-0000-7000-8000-00000000aaaa' } } } as const;
  for (const expected of [
    ['lampe_entree', 'end1'],
    ['lampe_entree', 'end1', 'end2'],
  ] as const) {
    const mesh = await startMesh(t, {}, folder);
    const client = await openMqtt(t, mesh.mqtt_url, { protocolVersion: 5 });
    await client.publishAsync('zigbee2mqtt/lampe_entree', '{"state":"ON"}', report);
    await client.publishAsync(`zigbee2mqtt/${expected.at(-1)}`, '{"state":"ON"}', { qos: 1 });
    await until('the last report', async () => (await eventsOf(mesh)).some(({ id }) => id === expected.at(-1)));
    assert.deepEqual(
      (await eventsOf(mesh)).map(({ id }) => id),
      expected,
    );
    await client.endAsync();
    await mesh.stop();
  }
});

test('when everything is killed amid reports, each that was acknowledged is one change, in its order', async (t) => {
  const mesh = await startProcess(t);
  const sender = await openMqtt(t, `mqtt://127.0.0.1:${mesh.mqtt_port}`);
  const acknowledged: number[] = [];
  let heard = 0;
  const amid = new Promise<void>((resolve) => sender.on('message', () => ++heard === 50 && resolve()));
  await sender.subscribeAsync('monitor/maj');
  for (let index = 0; index < 600; index++)
    void sender
      .publishAsync('zigbee2mqtt/temp_cave', JSON.stringify({ temperature: index }), { qos: 1 })
      .then(() => acknowledged.push(index))
      .catch(() => undefined); // the kill takes the rest away
  await amid;
  const again = await mesh.again('SIGKILL');

  const reader = { url: again.url, token: again.login.token };
  assert.ok(acknowledged.length > 0);
  const promised = [...acknowledged];
  const states = async (): Promise<readonly number[]> => (await eventsOf(reader)).map(({ state }) => Number(state));
  const missing = async (): Promise<boolean> => {
    const known = new Set(await states());
    return promised.some((index) => !known.has(index));
  };
  await until('all that was promised', async () => !(await missing()));
  const told = await states();
  assert.deepEqual(
    told,
    told.map((_, index) => index),
    'each once, in order, and none between is missing',
  );
});
