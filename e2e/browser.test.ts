// A household's browser: log in, see every change, know when it is not live; and a stranger's page that gets nothing.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { type MeshProcess, startMesh } from './mesh-process.ts';
import { bearer, openBrowser, until } from './rig.ts';

const skip = existsSync('/usr/bin/chromium') ? false : 'chromium is not installed';

const maj = ({ url }: MeshProcess, id: string, state: string): Promise<Response> =>
  fetch(`${url}/monitor/api/json.php?app=maj&id=${id}&state=${encodeURIComponent(state)}`);

async function logIn(page: Page, { url, login }: MeshProcess, password = login.password): Promise<void> {
  await page.goto(url);
  await page.fill('#user-name', login.user);
  await page.fill('#user-password', password);
  await page.click('button[type=submit]');
}

const stateOf = (page: Page, id: string): Promise<string | null> =>
  page.textContent(`#devices [data-device="${id}"] .state`);

test('a person logs in and two screens show each change as it happens', { skip }, async (t) => {
  const mesh = await startMesh(t);
  const browser = await openBrowser(t);
  const [one, two] = [await browser.newPage({ locale: 'fr-FR' }), await browser.newPage({ locale: 'en-GB' })];
  await logIn(one, mesh, 'wrong');
  await one.waitForSelector('#login-fault:not(:empty)');
  await one.fill('#user-password', mesh.login.password);
  await one.click('button[type=submit]');
  await logIn(two, mesh);
  for (const page of [one, two]) await page.waitForSelector('#link[data-link=live]');
  assert.match((await one.textContent('h2')) ?? '', /Dispositifs/);
  assert.match((await two.textContent('h2')) ?? '', /Devices/);
  assert.equal((await maj(mesh, 'porte', 'Open')).status, 200);
  for (const page of [one, two]) await page.waitForSelector('[data-device=porte][data-on]');
  for (const state of ['Off', 'Set Level: 50 %', '<b>x</b>']) await maj(mesh, 'porte', state);
  for (const page of [one, two])
    await until('the last state, as text', async () => (await stateOf(page, 'porte')) === '<b>x</b>');
  const lines = await one.locator('#events li').allTextContents();
  assert.deepEqual(
    lines.slice(0, 4).map((line) => line.replace(/^\S+( [AP]M)? /u, '')),
    ['porte → <b>x</b>', 'porte → Set Level: 50 %', 'porte → Off', 'porte → Open'],
  );
});

test('a screen whose server is killed says so, comes back by itself, and has missed nothing', { skip }, async (t) => {
  const mesh = await startMesh(t);
  const page = await (await openBrowser(t)).newPage();
  await logIn(page, mesh);
  await page.waitForSelector('#link[data-link=live]');
  await maj(mesh, 'a', '1');
  await page.waitForSelector('[data-device=a]');
  await mesh.stop('SIGTERM');
  await page.waitForSelector('#link[data-link=lost]');
  const after = await mesh.again();
  assert.equal((await maj(after, 'b', '2')).status, 200);
  await page.waitForSelector('#link[data-link=live]');
  await page.waitForSelector('[data-device=b]');
  assert.equal(await stateOf(page, 'a'), '1');
});

/** A page of somebody else on this machine. */
async function foreignOrigin(t: TestContext): Promise<string> {
  const script = readFileSync(
    join(dirname(createRequire(import.meta.url).resolve('mqtt/package.json')), 'dist/mqtt.min.js'),
  );
  const server = createServer((request, response) => {
    if (request.url === '/mqtt.js') response.setHeader('content-type', 'text/javascript').end(script);
    else response.setHeader('content-type', 'text/html').end('<script src="/mqtt.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
}

/** Runs in the page: MQTT.js over WebSocket; what became of one message sent to itself. */
const mqttInPage = (page: Page, ws_port: number, password: string): Promise<string> =>
  page.evaluate(
    `new Promise((resolve) => {
      const client = mqtt.connect('ws://127.0.0.1:${ws_port}', {
        username: 'admin', password: ${JSON.stringify(password)}, protocolVersion: 5, reconnectPeriod: 0 });
      client.on('connect', () => client.subscribe('monitor/maj', () =>
        client.publish('monitor/maj', '{"id":"browser","state":"On"}', { qos: 1 })));
      client.on('message', (topic, payload) => resolve(topic + ' ' + payload));
      client.on('close', () => resolve('closed'));
      client.on('error', () => resolve('closed'));
    })`,
  );

test('MQTT.js in a browser works from a named origin with a log-in, and not from another one', { skip }, async (t) => {
  const friend = await foreignOrigin(t);
  const stranger = await foreignOrigin(t);
  const mesh = await startMesh(t, { ALLOWED_ORIGINS: friend });
  const page = await (await openBrowser(t)).newPage();
  await page.goto(friend);
  assert.equal(await mqttInPage(page, mesh.ws_port, mesh.login.token), 'monitor/maj {"id":"browser","state":"On"}');
  assert.equal(await mqttInPage(page, mesh.ws_port, 'wrong'), 'closed');
  await page.goto(stranger);
  assert.equal(await mqttInPage(page, mesh.ws_port, mesh.login.token), 'closed');
});

test('a page of another origin on the same machine reads nothing and changes nothing', { skip }, async (t) => {
  const stranger = await foreignOrigin(t);
  const mesh = await startMesh(t);
  const context = await (await openBrowser(t)).newContext();
  const house = await context.newPage();
  await logIn(house, mesh); // its cookie lies in the same browser
  await house.waitForSelector('#link[data-link=live]');
  const page = await context.newPage();
  await page.goto(stranger);
  const read = await page.evaluate(`(async () => {
    const base = ${JSON.stringify(mesh.url)};
    const tries = [
      fetch(base + '/monitor/api/json.php?app=maj&id=evil&state=On', { mode: 'no-cors', credentials: 'include' }),
      fetch(base + '/api/v1/devices/evil', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"state":"On"}' }),
      fetch(base + '/api/v1/devices', { credentials: 'include' }).then((answer) => answer.text()),
    ];
    document.body.insertAdjacentHTML('beforeend', '<img src="' + base + '/api/json.php?app=maj&id=evil&state=img">');
    const streams = ['/api/v1/stream', '/events', '/include/serveur_sse.php'].map((path) => new Promise((resolve) => {
      const stream = new EventSource(base + path, { withCredentials: path === '/api/v1/stream' });
      stream.onmessage = (event) => resolve(event.data);
      stream.onerror = () => { stream.close(); resolve('refused'); };
    }));
    const answers = await Promise.allSettled(tries);
    return [await Promise.all(streams), answers.at(-1).status];
  })()`);
  assert.deepEqual(read, [['refused', 'refused', 'refused'], 'rejected']);
  await maj(mesh, 'good', 'On');
  await house.waitForSelector('[data-device=good]');
  const answer = await fetch(`${mesh.url}/api/v1/devices`, { headers: bearer(mesh.login) });
  const { devices } = (await answer.json()) as { devices: { id: string }[] };
  assert.deepEqual(
    devices.map(({ id }) => id),
    ['good'],
  );
});
