// Who may do what over HTTP: closed by default, and nothing is gained by pretending.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { runCli } from '@monitor-mesh/mesh-cli/cli.ts';
import { bearer, collector, openStream, startMesh, type TestMesh, until } from './rig.ts';

const MAJ = '/monitor/api/json.php?app=maj&id=317&state=On';

/** fetch hides and forbids some headers; a plain request says what it is told to. */
function ask(
  mesh: TestMesh,
  path: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
  body?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${mesh.url}${path}`, { method, headers }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
      if (answer.headers['content-type'] === 'text/event-stream') {
        resolve(answer.statusCode ?? 0);
        answer.destroy();
      }
    });
    request.once('error', reject);
    request.end(body);
  });
}

async function cookieOf(mesh: TestMesh): Promise<string> {
  const answer = await fetch(`${mesh.url}/api/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: 'admin', password: mesh.password }),
  });
  assert.equal(answer.status, 200);
  const set = answer.headers.getSetCookie()[0] ?? '';
  assert.match(set, /HttpOnly/);
  assert.match(set, /SameSite=Strict/);
  return set.split(';')[0] ?? '';
}

test('every route is closed without credentials, but for the page, the log-in and the health', async (t) => {
  const mesh = await startMesh(t);
  for (const path of [
    '/api/v1/stream',
    '/api/v1/devices',
    '/api/v1/devices/1',
    '/api/v1/events',
    '/api/v1/messages',
    '/api/v1/health',
    '/api/v1/session',
    '/api/docs',
    '/api/docs/json',
  ])
    assert.equal(await ask(mesh, path, {}), 401, path);
  for (const path of ['/', '/page.js', '/page.css', '/health/live', '/health/ready'])
    assert.equal(await ask(mesh, path, {}), 200, path);
});

test('a neighbour on loopback may call the old maj, and loses that by a forwarding header, a foreign page, or being a browser', async (t) => {
  const mesh = await startMesh(t);
  assert.equal(await ask(mesh, MAJ, {}), 200);
  const refused: readonly Readonly<Record<string, string>>[] = [
    { 'x-forwarded-for': '127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { origin: 'http://localhost:9999' },
    { origin: 'null' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { 'user-agent': 'Mozilla/5.0 (X11; Linux)' },
    { authorization: 'Bearer wrong' },
    { authorization: `Basic ${Buffer.from('admin:wrong').toString('base64')}` },
  ];
  for (const headers of refused) assert.equal(await ask(mesh, MAJ, headers), 401, JSON.stringify(headers));
  assert.equal(await ask(mesh, MAJ, { host: 'evil.example' }), 421);
  assert.equal(await ask(mesh, '/include/serveur_sse.php', { origin: 'http://evil.example' }), 401);
  assert.equal(await ask(mesh, '/include/serveur_sse.php', {}), 200);
});

test('a browser session works on its own pages only, ends on every stream at log-out, and with a new password', async (t) => {
  const mesh = await startMesh(t);
  const cookie = await cookieOf(mesh);
  assert.equal(await ask(mesh, '/api/v1/devices', { cookie }), 200);
  for (const foreign of [{ origin: 'http://localhost:9999' }, { 'sec-fetch-site': 'same-site' }] as const)
    assert.equal(await ask(mesh, '/api/v1/devices', { cookie, ...foreign }), 401);
  assert.equal(await ask(mesh, '/api/v1/devices', { cookie: `${cookie}x` }), 401);

  const stream = await openStream(t, `${mesh.url}/api/v1/stream`, { cookie });
  await until('the snapshot', () => stream.events.length > 0);
  assert.equal(await ask(mesh, '/api/v1/logout', { cookie }, 'POST'), 200);
  assert.equal(await ask(mesh, '/api/v1/devices', { cookie }), 401);
  await until('the stream is cut', () => stream.text().includes('[stream ended'));

  const second = await cookieOf(mesh);
  const silent = collector();
  assert.equal(
    await runCli(['user', 'password', 'admin'], { DATA_DIR: mesh.folder }, silent, silent, process.stdin),
    0,
  );
  await until(
    'the old session is refused',
    async () => (await ask(mesh, '/api/v1/devices', { cookie: second })) === 401,
  );
});

test('roles: a device may report and read nothing else, a token is as good as its user', async (t) => {
  const mesh = await startMesh(t);
  const out = collector();
  await runCli(['user', 'add', 'sensor', '--role', 'device'], { DATA_DIR: mesh.folder }, out, out, process.stdin);
  const password = /password=(.*)/.exec(out.text())?.[1] ?? '';
  const basic = { authorization: `Basic ${Buffer.from(`sensor:${password}`).toString('base64')}` };
  await until('the user is known', async () => (await ask(mesh, MAJ, basic)) === 200);
  assert.equal(await ask(mesh, '/monitor/api/json.php?app=messages&name=a&contenu=b', basic), 403);
  assert.equal(await ask(mesh, '/monitor/api/json.php?app=envoi_sms&contenu=b', basic), 403);
  assert.equal(await ask(mesh, '/api/v1/stream', basic), 403);
  assert.equal(await ask(mesh, '/api/v1/devices', bearer(mesh.token)), 200);
});

test('wrong passwords are slowed down per user and address, and no log line, metric or answer holds a secret', async (t) => {
  const mesh = await startMesh(t);
  const wrong = { authorization: `Basic ${Buffer.from('admin:not-the-password').toString('base64')}` };
  for (let attempt = 0; attempt < 6; attempt++) assert.equal(await ask(mesh, '/api/v1/devices', wrong), 401);
  const right = { authorization: `Basic ${Buffer.from(`admin:${mesh.password}`).toString('base64')}` };
  assert.equal(await ask(mesh, '/api/v1/devices', right), 401, 'locked for a moment');
  assert.equal(await ask(mesh, '/api/v1/devices', bearer(mesh.token)), 200, 'the token is not');
  const metrics = await (await fetch(`${mesh.url}/metrics`)).text();
  assert.match(metrics, /mqtt_clients/);
  for (const text of [...mesh.lines, metrics])
    for (const secret of [mesh.password, mesh.token, 'not-the-password']) assert.ok(!text.includes(secret));
});

test('the refused callers of old addresses are told once each, and mesh allow lets one in', async (t) => {
  const mesh = await startMesh(t, { API_OPEN_NETWORKS: 'none' });
  assert.equal(await ask(mesh, MAJ, {}), 401);
  const out = collector();
  const environment = { DATA_DIR: mesh.folder, MQTT_URL: mesh.mqtt_url };
  assert.equal(await runCli(['allow'], environment, out, out, process.stdin), 0);
  assert.match(out.text(), /refused\t127\.0\.0\.1\tmaj\t1 time/);
  assert.equal(await runCli(['allow', '127.0.0.1', 'maj'], environment, out, out, process.stdin), 0);
  await until('let in', async () => (await ask(mesh, MAJ, {})) === 200);
  assert.equal(await ask(mesh, '/monitor/api/json.php?app=messages&name=a&contenu=b', {}), 401);
});
