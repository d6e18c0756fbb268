// The mesh as `docker compose up -d` gives it on a machine that has nothing of it: one change in, screen and database out.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { DockerComposeEnvironment, type StartedDockerComposeEnvironment, Wait } from 'testcontainers';
import { freePort } from './free-port.ts';
import { until } from './rig.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const engine = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], { encoding: 'utf8', timeout: 20_000 });
const skip = engine.status === 0 && engine.stdout.trim() !== '' ? false : 'no container engine answers here';
const SERVICES = ['broker', 'db-writer', 'sse-gateway', 'monitor-api', 'zigbee-bridge', 'mariadb', 'caddy'] as const;

let mesh: StartedDockerComposeEnvironment;
let url: string;
let mqttUrl: string;
let token: string;

const container = (service: string) => mesh.getContainer(`${service}-1`);

async function run(service: string, ...command: string[]): Promise<string> {
  const { output, exitCode } = await container(service).exec(command);
  assert.equal(exitCode, 0, output);
  return output;
}

/** Rows of a query as the database's own client prints them. */
const rows = async (sql: string): Promise<readonly string[]> => {
  const client =
    'MYSQL_PWD=$(cat /secrets/monitor-password) exec mariadb -umonitor --batch --skip-column-names monitor -e "$0"';
  return (await run('mariadb', 'sh', '-c', client, sql)).split('\n').filter((line) => line !== '');
};

const authorization = (): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` });
const maj = (id: string): Promise<Response> =>
  fetch(`${url}/monitor/api/json.php?app=maj&id=${id}&state=On`, { headers: authorization() });

before(
  async () => {
    if (skip) return;
    // No registry is asked for the library's own janitor: what is started here is stopped here.
    process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
    const [http, https, mqtt, ws] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const environment = new DockerComposeEnvironment(ROOT, 'docker-compose.yml')
      .withProjectName('monitor-mesh-e2e')
      .withBuild()
      .withEnvironment({
        HTTP_PORT: String(http),
        HTTPS_PORT: String(https),
        MQTT_PORT: String(mqtt),
        MQTT_WS_PORT: String(ws),
        MESH_NET: '172.31.251',
      });
    for (const service of SERVICES) environment.withWaitStrategy(`${service}-1`, Wait.forHealthCheck());
    mesh = await environment.up();
    url = `http://127.0.0.1:${http}`;
    mqttUrl = `mqtt://127.0.0.1:${mqtt}`;
    token = /token=(\S+)/u.exec(await run('broker', 'mesh', 'credentials'))?.[1] ?? '';
  },
  { timeout: 600_000 },
);
after(async () => {
  if (!skip) await mesh?.down({ removeVolumes: true });
});

test('a change through the one HTTP entrance reaches a screen and the database', { skip }, async (t) => {
  assert.equal((await fetch(`${url}/monitor/api/json.php?app=maj&id=x&state=On`)).status, 401);
  const abort = new AbortController();
  t.after(() => abort.abort());
  const screen = await fetch(`${url}/api/v1/stream`, { headers: authorization(), signal: abort.signal });
  assert.equal(screen.status, 200);
  let seen = '';
  void (async () => {
    for await (const chunk of screen.body ?? []) seen += Buffer.from(chunk).toString();
  })().catch(() => undefined); // ends with the abort
  const answer = await maj('317');
  assert.equal(answer.status, 200);
  const { mid } = (await answer.json()) as { mid: string };
  await until('the event', () => seen.includes(`"id":"317"`) && seen.includes(mid));
  const sql = `SELECT device_id, state FROM device_event WHERE mid = '${mid}'`;
  await until('the row', async () => (await rows(sql)).join() === '317\tOn');
  const history = await fetch(`${url}/api/v1/events?id=317`, { headers: authorization() });
  assert.match(await history.text(), new RegExp(mid, 'u'));
});

test('a change over MQTT from outside is read back over HTTP, and nobody comes in without a password', {
  skip,
}, async (t) => {
  await assert.rejects(connectAsync(mqttUrl, { reconnectPeriod: 0 }));
  const client = await connectAsync(mqttUrl, { username: 'admin', password: token, protocolVersion: 5 });
  t.after(() => client.endAsync());
  await client.publishAsync('monitor/maj', '{"id":"porte","state":"Open"}', { qos: 1 });
  await until('the state', async () => {
    const answer = await fetch(`${url}/api/v1/devices/porte`, { headers: authorization() });
    return answer.ok && ((await answer.json()) as { state: string }).state === 'Open';
  });
});

test('messages wait for a database service that was killed, and are there when it is back', { skip }, async () => {
  await container('db-writer').stop({ timeout: 10_000, remove: false, removeVolumes: false });
  for (const id of ['w1', 'w2', 'w3']) assert.equal((await maj(id)).status, 200);
  await container('db-writer').restart();
  const sql = "SELECT device_id FROM device_event WHERE device_id LIKE 'w_' ORDER BY seq";
  await until('the rows', async () => {
    return (await rows(sql)).join() === 'w1,w2,w3';
  });
});

test('whoever says through the entrance that they are a neighbour is a stranger all the same', { skip }, async () => {
  const claims = [
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-for': '::1, 127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { 'x-real-ip': '127.0.0.1' },
    { 'x-forwarded-host': 'localhost', via: '1.1 caddy' },
  ];
  for (const headers of claims) {
    const answer = await fetch(`${url}/monitor/api/json.php?app=maj&id=x&state=On`, { headers });
    assert.equal(answer.status, 401, JSON.stringify(headers));
  }
});

test('each service runs as its own user, without root, in an image that it cannot write', { skip }, async () => {
  const uids = new Set<string>();
  for (const service of ['broker', 'db-writer', 'sse-gateway', 'monitor-api', 'zigbee-bridge']) {
    const uid = (await run(service, 'id', '-u')).trim();
    assert.notEqual(uid, '0');
    uids.add(uid);
    const { exitCode } = await container(service).exec(['touch', '/app/x']);
    assert.notEqual(exitCode, 0);
  }
  assert.equal(uids.size, 5);
});
