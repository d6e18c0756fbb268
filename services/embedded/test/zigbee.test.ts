// Zigbee2MQTT's devices on the screens, on the old pages' topic, and switched by command.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runCli } from '@monitor-mesh/mesh-cli/cli.ts';
import { openStore } from '@monitor-mesh/shared/store/open-store.ts';
import { dispositif } from '../../../shared/test/store/deliveries.ts';
import { bearer, collector, openMqtt, openStream, startMesh, temporaryFolder, until } from './rig.ts';

/** A house whose old device table was imported before the mesh started. */
async function houseOf(t: TestContext, environment: Readonly<Record<string, string>> = {}) {
  const folder = temporaryFolder(t);
  {
    await using store = await openStore({ kind: 'sqlite', path: join(folder, 'monitor.sqlite') });
    const rows = [
      dispositif({ num: 1, nom_objet: 'lampe_entree', ID: '0xaa', idm: '16', param: 'zigbee:state:hs' }),
      dispositif({ num: 2, nom_objet: 'porte', ID: '0xbb', idm: '17', param: 'zigbee:contact' }),
      dispositif({ num: 3, nom_objet: 'temp_cave', ID: '0xcc', idm: '18', param: 'zigbee:temperature' }),
    ];
    await store.apply([{ mid: 'house', received_ms: 1, rows }]);
  }
  const mesh = await startMesh(t, environment, folder);
  const client = await openMqtt(t, mesh.mqtt_url);
  const seen: { topic: string; text: string; qos: number; retain: boolean }[] = [];
  client.on('message', (topic, payload, { qos, retain }) =>
    seen.push({ topic, text: payload.toString(), qos, retain }),
  );
  await client.subscribeAsync(['z1m', 'monitor/maj', 'zigbee/reply', 'zigbee2mqtt/+/set'], { qos: 1 });
  await until('the mapping', () => mesh.lines.some((line) => line.includes('mapping of Zigbee devices read')));
  const z1m = () => seen.filter(({ topic }) => topic === 'z1m').map(({ text }) => JSON.parse(text) as object);
  return { mesh, client, seen, z1m };
}

test('a report of an imported device goes to the old pages as it always did, and to every screen', async (t) => {
  const { mesh, client, seen, z1m } = await houseOf(t);
  const stream = await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token));
  for (const [name, report] of [
    ['lampe_entree', '{"state":"ON","linkquality":90}'],
    ['porte', '{"contact":false}'],
    ['temp_cave', '{"temperature":17.9}'],
    ['lampe_entree', '{"state":"ON","linkquality":91}'],
  ] as const)
    await client.publishAsync(`zigbee2mqtt/${name}`, report);

  await until('four messages for old pages', () => z1m().length === 4);
  const lamp = { id: '0xaa', objet: 'lampe_entree', state: 'ON', champ1: 'Data', champ2: 'state', idm: '16' };
  assert.deepEqual(z1m(), [
    lamp,
    { id: '0xbb', objet: 'porte', state: 'false', champ1: 'Data', champ2: 'contact', idm: '17' },
    { id: '0xcc', objet: 'temp_cave', state: '17.9', champ1: 'temperature', champ2: 'temperature', idm: '18' },
    lamp,
  ]);
  assert.ok(seen.filter(({ topic }) => topic === 'z1m').every(({ qos, retain }) => qos === 0 && !retain));
  await until('the screens', () => ['0xaa', '0xbb', '17.9'].every((text) => stream.text().includes(text)));
  const changes = seen
    .filter(({ topic }) => topic === 'monitor/maj')
    .map(({ text }) => JSON.parse(text) as { id: string });
  assert.equal(changes.filter(({ id }) => id === '0xaa').length, 1, 'what did not change is told once');
});

test('an unknown name, the bridge itself and what is no report reach no old page, and without a mapping a device is shown by its name', async (t) => {
  const { mesh, client, z1m, seen } = await houseOf(t);
  await client.publishAsync('zigbee2mqtt/inconnu', '{"state":"ON"}');
  await client.publishAsync('zigbee2mqtt/bridge/state', '{"state":"online"}', { retain: true });
  await client.publishAsync('zigbee2mqtt/lampe_entree/get', '{"state":""}');
  await client.publishAsync('zigbee2mqtt/lampe_entree', '');
  await client.publishAsync('zigbee2mqtt/lampe_entree/availability', '{"state":"offline"}');
  await client.publishAsync('zigbee2mqtt/lampe_entree', '{"state":"OFF"}');
  await until('the last report', () => z1m().length > 0);
  assert.equal(z1m().length, 1);
  const state = async (id: string): Promise<string | undefined> => {
    const answer = await fetch(`${mesh.url}/api/v1/devices/${encodeURIComponent(id)}`, { headers: bearer(mesh.token) });
    return answer.ok ? ((await answer.json()) as { state: string }).state : undefined;
  };
  await until('states', async () => (await state('inconnu')) === 'ON' && (await state('0xaa')) === 'OFF');
  assert.equal(await state('0xaa/availability'), 'offline');
  assert.ok(!seen.some(({ topic, text }) => topic === 'monitor/maj' && text.includes('bridge')));
});

test('a command becomes a /set that is not kept, and is answered when the device reports what was asked', async (t) => {
  const { client, seen } = await houseOf(t);
  client.on('message', (topic, payload) => {
    if (topic === 'zigbee2mqtt/lampe_entree/set') client.publish('zigbee2mqtt/lampe_entree', payload);
  });
  await client.publishAsync('zigbee/cmd', '{"id":"c1","device":"16","value":"On"}', { qos: 1 });
  await until('the answer', () => seen.some(({ topic }) => topic === 'zigbee/reply'));

  const set = seen.find(({ topic }) => topic === 'zigbee2mqtt/lampe_entree/set');
  assert.deepEqual([set?.text, set?.retain], ['{"state":"ON"}', false]);
  const reply = JSON.parse(seen.find(({ topic }) => topic === 'zigbee/reply')?.text ?? '{}') as object;
  assert.deepEqual(reply, { id: 'c1', ok: true, state: 'ON' });
});

test('a command for a device that says nothing, or that nobody knows, is answered with its reason', async (t) => {
  const { client, seen } = await houseOf(t, { ZIGBEE_REPLY_TIMEOUT_MS: '200', ZIGBEE_UNMAPPED: 'off' });
  await client.publishAsync('zigbee/cmd', '{"id":"c1","device":"lampe_entree","value":"Off"}', { qos: 1 });
  await client.publishAsync('zigbee/cmd', '{"id":"c2","device":"nobody","value":"Off"}', { qos: 1 });
  const replies = () =>
    seen
      .filter(({ topic }) => topic === 'zigbee/reply')
      .map(({ text }) => JSON.parse(text) as { id: string; ok: boolean; error?: string });
  await until('both answers', () => replies().length === 2);
  for (const { ok, error } of replies()) assert.ok(!ok && (error ?? '') !== '');
});

test('a page of the old site follows z1m over WebSocket, asks devices and switches them, as a user and not otherwise', async (t) => {
  const { mesh, seen } = await houseOf(t);
  await assert.rejects(openMqtt(t, mesh.ws_url), /Not authorized/u);
  const out = collector();
  await runCli(['user', 'add', 'tablet', '--role', 'dashboard'], { DATA_DIR: mesh.folder }, out, out, process.stdin);
  const password = /password=(.*)/u.exec(out.text())?.[1] ?? '';
  const basic = { authorization: `Basic ${Buffer.from(`tablet:${password}`).toString('base64')}` };
  await until('the user is known', async () => (await fetch(`${mesh.url}/api/v1/devices`, { headers: basic })).ok);
  const page = await openMqtt(t, mesh.ws_url, { username: 'tablet', password, protocolVersion: 4 });
  const heard: string[] = [];
  page.on('message', (topic, payload) => void heard.push(`${topic} ${payload}`));
  await page.subscribeAsync('z1m/#');
  // On connection the page says nothing on z1m, and hears it.
  await page.publishAsync('z1m', '');
  await page.publishAsync('zigbee2mqtt/lampe_entree/get', '{ "state":""}');
  await page.publishAsync('zigbee2mqtt/lampe_entree/set', '{ "state":"ON"}');
  await until('the command', () => seen.some(({ topic }) => topic === 'zigbee2mqtt/lampe_entree/set'));
  await page.publishAsync('zigbee2mqtt/lampe_entree', '{"state":"ON"}');
  await until('the value', () => heard.length === 2);
  assert.equal(heard[0], 'z1m ');
  assert.match(heard[1] ?? '', /^z1m \{.*"state":"ON"/u);
});
