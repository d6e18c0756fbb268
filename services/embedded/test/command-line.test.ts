// The mesh command and the start of the process, as a person at a shell meets them.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openMqtt, startMesh, temporaryFolder, until } from './rig.ts';

const root = new URL('../../../', import.meta.url).pathname;
const MESH = join(root, 'services/mesh-cli/bin/mesh.ts');
const MAIN = join(root, 'services/embedded/src/main.ts');

interface Ended {
  readonly code: number | string | undefined;
  readonly out: string;
  readonly error: string;
}

const runNode = (words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...words],
      { env: { PATH: process.env.PATH, ...environment }, timeout: 20_000 },
      (fault, out, error) => resolve({ code: fault ? (fault.code ?? fault.signal ?? 'killed') : 0, out, error }),
    );
  });

test('publish writes the old script’s payload, waits for the broker, and says so by its exit code', async (t) => {
  const mesh = await startMesh(t);
  const client = await openMqtt(t, mesh.mqtt_url);
  const seen: string[] = [];
  client.on('message', (topic, payload, { qos, retain }) => seen.push(`${topic} ${payload} ${qos} ${retain}`));
  await client.subscribeAsync('#', { qos: 1 });
  const environment = { MQTT_URL: mesh.mqtt_url, DATA_DIR: mesh.folder };
  const one = await runNode([MESH, 'publish', 'esp/in/boite_lettres', 'valeur', '0', '--qos', '0'], environment);
  assert.equal(one.code, 0, one.error);
  const two = await runNode([MESH, 'publish', 'topic', 'a', '1', 'b', '2'], environment);
  assert.equal(two.code, 0, two.error);
  assert.match(two.out, /^acknowledged /);
  await until('both', () => seen.filter((line) => !line.startsWith('mesh/') && !line.startsWith('$')).length === 2);
  assert.ok(seen.includes('esp/in/boite_lettres {"valeur": "0"} 0 false'));
  assert.ok(seen.includes('topic {"a": "1", "b": "2"} 1 false'));
  const refused = await runNode([MESH, 'publish', 'mesh/nothing', 'a', '1'], environment);
  assert.equal(refused.code, 1);
  assert.match(refused.error, /not authorized|may not|no topic/i);
  const away = await runNode([MESH, 'publish', 'topic', 'a', '1'], { ...environment, MQTT_URL: 'mqtt://127.0.0.1:1' });
  assert.equal(away.code, 1);
  assert.match(away.error, /no connection to mqtt:\/\/127\.0\.0\.1:1/);
});

test('tail prints what is published and credentials prints the first login', async (t) => {
  const mesh = await startMesh(t);
  const environment = { MQTT_URL: mesh.mqtt_url, DATA_DIR: mesh.folder };
  const tail = await runNode([MESH, 'tail', 'mesh/broker/status', '--count', '1'], environment);
  assert.match(tail.out, /kept mesh\/broker\/status \{"state":"ready"/);
  const credentials = await runNode([MESH, 'credentials'], environment);
  assert.equal(credentials.out, `user=admin\npassword=${mesh.password}\ntoken=${mesh.token}\n`);
});

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

test('a port in use is one line with the port, its owner and the variable to change', async (t) => {
  const port = await takenPort(t);
  for (const variable of ['HTTP_PORT', 'MQTT_PORT', 'MQTT_WS_PORT']) {
    const environment = {
      DATA_DIR: temporaryFolder(t),
      HTTP_PORT: '0',
      MQTT_PORT: '0',
      MQTT_WS_PORT: '0',
      LOG_LEVEL: 'silent',
      [variable]: String(port),
    };
    const { code, error } = await runNode([MAIN], environment);
    assert.equal(code, 69);
    const line = error.split('\n').find((text) => text.includes('is in use'));
    assert.match(
      line ?? '',
      new RegExp(
        `port ${port} on 127\\.0\\.0\\.1 is in use by node\\S* \\(pid ${process.pid}\\): stop that or set ${variable}`,
      ),
    );
  }
});

test('every fault of the configuration is told at once, without the secret values, and the exit code is 78', async (t) => {
  const { code, error } = await runNode([MAIN], {
    DATA_DIR: temporaryFolder(t),
    HTTP_PORT: 'eighty',
    HOUSE_TZ: 'Europe/Atlantis',
    API_OPEN_NETWORKS: '172.17.0.0/16',
    DATABASE_URL: 'postgres://u:hunter2@h/d',
  });
  assert.equal(code, 78);
  for (const pattern of [
    /HTTP_PORT: expected a whole number/,
    /HOUSE_TZ: expected a time zone/,
    /API_OPEN_NETWORKS: .*Docker/,
    /DATABASE_URL: expected sqlite:PATH/,
  ])
    assert.match(error, pattern);
  assert.doesNotMatch(error, /hunter2/);
});

test('the process greets with its addresses, never prints the password, and stops as asked with exit code 0', async (t) => {
  const folder = temporaryFolder(t);
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, DATA_DIR: folder, HTTP_PORT: '0', MQTT_PORT: '0', MQTT_WS_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  await until('the greeting', () => said.includes('monitor-mesh is ready'), 20_000);
  const second = await runNode([MAIN], { DATA_DIR: folder, HTTP_PORT: '0', MQTT_PORT: '0', MQTT_WS_PORT: '0' });
  assert.equal(second.code, 69);
  assert.match(second.error, /data folder .* is in use by process/);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.match(said, /stopped; no message waits/);
  const { readFileSync } = await import('node:fs');
  const secrets = [
    ...readFileSync(join(folder, 'first-login.txt'), 'utf8').matchAll(/^(?:password|token)=(.*)$/gm),
  ].map((match) => match[1] ?? '');
  assert.equal(secrets.length, 2);
  for (const secret of secrets) assert.ok(!said.includes(secret));
});
