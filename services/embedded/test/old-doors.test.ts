// What wall tablets and Home Assistant send to the old addresses, and the answers they have always got.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { runCli } from '@monitor-mesh/mesh-cli/cli.ts';
import { openStore } from '@monitor-mesh/shared/store/open-store.ts';
import type { Row } from '@monitor-mesh/shared/store/store.ts';
import { dispositif } from '../../../shared/test/store/deliveries.ts';
import { bearer, collector, openMqtt, startMesh, type TestMesh, until } from './rig.ts';

const NONE = { idx: null, ID: '', idm: null, param: '', F: null, id1_html: '#', id2_html: '', car_max_id1: '99' };
const row = (num: number, fields: object): Row => dispositif({ num, ...NONE, ...fields });
const HOUSE: readonly Row[] = [
  row(1, {
    nom_objet: 'alarme_absence',
    idx: '41',
    idm: '65',
    Actif: '2',
    maj_js: 'onoff',
    id1_html: 'coul_al_absence',
  }),
  row(2, { nom_objet: 'lampe_entree', ID: '0xaa', idm: '16', Actif: '6', param: 'zigbee:state:hs', maj_js: 'onoff' }),
  row(3, { nom_objet: 'temp_cellier', idx: '146', idm: '9', Actif: '2', maj_js: 'temp', car_max_id1: '4' }),
  row(4, { nom_objet: 'alarme', idx: '5', idm: '1001', Actif: '2', maj_js: 'variable', id1_html: 'alarme_nuit' }),
  row(5, { nom_objet: 'lastseen', idx: '7', idm: '1002', Actif: '2', maj_js: 'variable', id2_html: 'lastseen' }),
  row(6, { nom_objet: 'pollen', idm: '1003', Actif: '5', maj_js: 'var_sql', param: 'pollen:Moyen', id1_html: 'atmo' }),
  { kind: 'text_image', num: 1, texte: 'alarme_auto', image: 'images/alarme_auto.svg', icone: '' },
  { kind: 'text_image', num: 2, texte: 'pollen:Moyen', image: 'images/pollen.svg', icone: '' },
];
const STATES = {
  41: 'Off',
  '0xaa': 'ON',
  146: '17.93 C',
  '146/battery': '19',
  5: 'alarme_auto',
  7: 'lastseen# 146temp_cellierLastseen:95 / 2026-10-05 08:00:00<br>',
};

/** A mesh that holds the house above, and its last states. */
async function houseOf(t: TestContext, environment: Readonly<Record<string, string>> = {}): Promise<TestMesh> {
  const mesh = await startMesh(t, environment);
  {
    await using store = await openStore({ kind: 'sqlite', path: join(mesh.folder, 'monitor.sqlite') });
    await store.apply([{ mid: 'house', received_ms: Date.now(), rows: HOUSE }]);
  }
  const client = await openMqtt(t, mesh.mqtt_url);
  for (const [id, state] of Object.entries(STATES))
    await client.publishAsync('monitor/maj', JSON.stringify({ id, state }), { qos: 1 });
  await until('the states', async () => {
    const answer = await fetch(`${mesh.url}/api/v1/devices/7`, { headers: bearer(mesh.token) });
    return answer.ok;
  });
  return mesh;
}
const ajax = (mesh: TestMesh, query: string, path = '/monitor/ajax.php', headers = {}): Promise<Response> =>
  fetch(`${mesh.url}${path}?${query}`, { headers });

test('idxidm says which id is which number of the plan, byte for byte', async (t) => {
  const mesh = await houseOf(t);
  for (const path of ['/monitor/ajax.php', '/ajax.php']) {
    const answer = await ajax(mesh, 'app=idxidm&command=5', path);
    assert.equal(answer.headers.get('content-type'), 'text/html; charset=UTF-8');
    assert.equal(
      await answer.text(),
      '[{"id":"41","idm":"65","json":"no_zb"},{"id":"0xaa","idm":"16","json":"state"},' +
        '{"id":"146","idm":"9","json":"no_zb"},{"id":"err","idm":"1003","json":"Moyen"}]',
    );
  }
});

test('the plan shows each device of the table with its last state, cut as its row asks, and low batteries', async (t) => {
  const mesh = await houseOf(t);
  const plan = (await (await ajax(mesh, 'app=devices_plan&variable=2')).json()) as Record<
    string,
    Record<string, unknown>
  >;
  assert.deepEqual(Object.keys(plan).sort(), ['0', '16', '65', '9']);
  assert.equal(plan['65']?.Data, 'Off');
  assert.equal(plan['16']?.Data, 'ON');
  assert.deepEqual(plan['16']?.param, ['zigbee', 'state', 'hs']);
  assert.deepEqual([plan['9']?.Data, plan['9']?.bat, plan['9']?.alarm_bat], ['17.9', 19, 'alarme_low']);
  assert.deepEqual([plan['65']?.bat, plan['65']?.alarm_bat, plan['65']?.temperature], [255, '', 'non concerné']);
  assert.equal(plan['0']?.idm_libre, ' 1 2 3');
  assert.deepEqual([plan['0']?.nb_dz, plan['0']?.nb_zb], [2, 1]);
});

test('variables come with their picture, their text after a colon, and what follows a #', async (t) => {
  const mesh = await houseOf(t);
  await fetch(`${mesh.url}/monitor/api/json.php?app=messages&name=message1&contenu=bonjour&command=1`);
  const services = (await (await ajax(mesh, 'app=services&variable=0')).json()) as Record<
    string,
    Record<string, unknown>
  >;
  assert.deepEqual(services['0'], { interval_maj: '0' });
  assert.deepEqual([services['1']?.Value, services['1']?.image], ['alarme_auto', 'images/alarme_auto.svg']);
  assert.deepEqual(
    [services['2']?.Value, services['2']?.contenu],
    ['lastseen', ' 146temp_cellierLastseen:95 / 2026-10-05 08:00:00<br>'],
  );
  assert.deepEqual([services['3']?.Value, services['3']?.image], ['Moyen', 'images/pollen.svg']);
  assert.deepEqual([services['4']?.Name, services['4']?.contenu], ['message1', 'bonjour']);
});

test('every other call is gone with the address of its successor, whatever it carries', async (t) => {
  const mesh = await startMesh(t);
  for (const query of [
    'app=OnOff&device=42&command=On',
    'app=sql&idx=0',
    'app=__proto__',
    'app=',
    'x=1',
    'app=a&app=b',
  ]) {
    const answer = await ajax(mesh, query);
    assert.equal(answer.status, 410, query);
    assert.match(((await answer.json()) as { message: string }).message, /see /u);
  }
  const posted = await fetch(`${mesh.url}/ajax.php`, { method: 'POST', body: 'appp=mdp&variable=1234' });
  assert.equal(posted.status, 410);
  assert.equal(await (await ajax(mesh, 'app=maj&id=&state=Ok&command=6')).text(), '');
});

test('the plan is closed to strangers and to pages of other sites', async (t) => {
  const closed = await startMesh(t, { API_OPEN_NETWORKS: '192.0.2.0/24' });
  for (const app of ['idxidm', 'devices_plan', 'services']) {
    assert.equal((await ajax(closed, `app=${app}`)).status, 401, app);
    assert.equal((await ajax(closed, `app=${app}`, '/ajax.php', bearer(closed.token))).status, 200, app);
  }
  const open = await startMesh(t);
  assert.equal((await ajax(open, 'app=idxidm', '/ajax.php', { 'sec-fetch-site': 'cross-site' })).status, 401);
});

test('a refused caller is listed by address and app, and who is allowed one app gets that one', async (t) => {
  const mesh = await startMesh(t, { API_OPEN_NETWORKS: '192.0.2.0/24' });
  const maj = (): Promise<Response> => fetch(`${mesh.url}/api/json.php?app=maj&id=1&state=On`);
  const message = (): Promise<Response> => fetch(`${mesh.url}/api/json.php?app=messages&name=m&contenu=x`);
  for (const call of [maj, message]) assert.equal((await call()).status, 401);
  const listed = async (): Promise<readonly string[]> => {
    const answer = await fetch(`${mesh.url}/api/v1/refused-callers`, { headers: bearer(mesh.token) });
    const { callers } = (await answer.json()) as { callers: { service: string; address: string; app: string }[] };
    return callers.map(({ service, address, app }) => `${service} ${address} ${app}`).sort();
  };
  await until('both', async () => (await listed()).length === 2);
  assert.deepEqual(await listed(), ['monitor-api 127.0.0.1 maj', 'monitor-api 127.0.0.1 messages']);

  const out = collector();
  const words = ['allow', '127.0.0.1/32', 'maj'];
  assert.equal(await runCli(words, { DATA_DIR: mesh.folder }, out, out, new PassThrough()), 0, out.text());
  await until('the door is open', async () => (await maj()).status === 200);
  assert.equal((await message()).status, 401);
});

/** Bytes of one answer over a connection of its own. */
function exchange(mesh: TestMesh, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(mesh.url).port), '127.0.0.1', () => socket.write(request));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
/** As Home Assistant's HTTP client writes a request. */
const homeAssistant = (mesh: TestMesh, method: string, target: string): string =>
  [
    `${method} ${target} HTTP/1.1`,
    `Host: ${new URL(mesh.url).host}`,
    'User-Agent: HomeAssistant/2026.10.0 aiohttp/3.12.0 Python/3.13',
    'Accept: */*',
    'Accept-Encoding: gzip, deflate, br',
    ...(method === 'POST' ? ['Content-Length: 0', 'Content-Type: application/octet-stream'] : []),
    'Connection: close',
    '',
    '',
  ].join('\r\n');
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

test("the lines of Home Assistant's configuration go on working, byte for byte", async (t) => {
  const mesh = await startMesh(t);
  const API = '/monitor/api/json.php';
  const expected: readonly (readonly [string, string, RegExp])[] = [
    ['GET', `${API}?app=maj&id=light.lampe_jardin%20&state=on`, /^\{"status":"OK","mid":"[0-9a-f-]{36}"\}$/u],
    ['GET', `${API}?app=maj&id=86&state=Group%20On`, /^\{"status":"OK","mid":"[0-9a-f-]{36}"\}$/u],
    ['GET', `${API}?app=messages&name=message1&contenu=essai&maj=1=0`, /^Enregistrement mis à jour$/u],
    ['POST', `${API}?app=messages&name=message1&contenu=essai&maj=1=0`, /^Enregistrement mis à jour$/u],
    ['GET', `${API}?app=api_rest_ha`, /^\[\{"data":"998"\}\]$/u],
    ['GET', `${API}?app=fichier`, /^$/u],
  ];
  for (const [method, target, body] of expected) {
    const answer = await exchange(mesh, homeAssistant(mesh, method, target));
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/u, target);
    assert.match(bodyOf(answer), body, target);
  }
  await until('the state', async () => {
    const answer = await fetch(`${mesh.url}/api/v1/devices/light.lampe_jardin`, { headers: bearer(mesh.token) });
    return answer.ok && ((await answer.json()) as { state: string }).state === 'on';
  });
});
