// Owns the proof that the WebSocket door lets in programs and known pages, by name, and nobody else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get } from 'node:http';
import test, { type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { upgradeFault } from '../src/doors/websocket-listener.ts';
import { ignore, type Rig, startRig, visit, within } from './rig.ts';

const PAGE = 'http://house.example:8123';

async function startDoor(t: TestContext): Promise<Rig & { readonly url: string }> {
  const rig = await startRig(t);
  const { port } = await rig.broker.listenWebSocket({ host: '127.0.0.1', port: 0, allowedOrigins: [PAGE] });
  return { ...rig, url: `ws://127.0.0.1:${port}/mqtt` };
}

/** Status of the answer to an upgrade: 101 when it is granted. */
async function upgrade(t: TestContext, url: string, protocols: string[], origin?: string): Promise<number | undefined> {
  const webSocket = new WebSocket(url, protocols, origin === undefined ? {} : { origin });
  t.after(() => webSocket.terminate());
  webSocket.on('error', ignore);
  const granted = once(webSocket, 'open').then(() => 101);
  const refused = once(webSocket, 'unexpected-response').then(([, response]) => Number(response.statusCode));
  return within(Promise.race([granted, refused]), 'answer');
}

test('a page of a foreign origin is refused before the upgrade, a known one and a program are not', async (t) => {
  const { url } = await startDoor(t);
  assert.equal(await upgrade(t, url, ['mqtt'], 'http://evil.example'), 403);
  assert.equal(await upgrade(t, url, ['mqtt'], 'null'), 403);
  assert.equal(await upgrade(t, url, ['mqtt'], PAGE), 101);
  assert.equal(await upgrade(t, url, ['mqttv3.1']), 101);
  assert.equal(await upgrade(t, url, ['chat']), 400);
});

test('an origin is compared whole; Paho for Python, which makes one up, is let in', () => {
  const statusOf = (origin: string | undefined): number | undefined =>
    upgradeFault({ origin, host: '192.0.2.1:9001', protocols: 'chat, mqtt' }, [PAGE])?.status;
  assert.equal(statusOf(PAGE), undefined);
  assert.equal(statusOf(undefined), undefined);
  assert.equal(statusOf('https://192.0.2.1:9001'), undefined);
  for (const origin of ['', 'null', `${PAGE}.evil.example`, `${PAGE}/`, 'http://192.0.2.1:9001', 'https://192.0.2.1'])
    assert.equal(statusOf(origin), 403, origin);
});

test('an anonymous WebSocket is refused although anonymous TCP is not', async (t) => {
  const { url, client } = await startDoor(t);
  await client(undefined);
  await assert.rejects(visit(t, url, undefined), { code: 5 });
  await assert.rejects(visit(t, url, undefined, { protocolVersion: 5 }), { code: 0x87 });
});

for (const protocolVersion of [4, 5] as const)
  test(`MQTT.js version ${protocolVersion} publishes and receives over WebSocket`, async (t) => {
    const { url } = await startDoor(t);
    const { client, inbox } = await visit(t, url, 'alice', { protocolVersion });
    await client.subscribeAsync('house/#', { qos: 2 });
    for (const qos of [0, 1, 2] as const) await client.publishAsync('house/bell', `qos ${qos}`, { qos });
    await client.publishAsync('house/large', Buffer.alloc(2 * 1024 * 1024, 120), { qos: 1 });
    await inbox.until(({ topic }) => topic === 'house/large');
    assert.deepEqual([...inbox.texts('house/bell')].sort(), ['qos 0', 'qos 1', 'qos 2']);
  });

test('text frames end the connection', async (t) => {
  const { url } = await startDoor(t);
  const webSocket = new WebSocket(url, ['mqtt']);
  t.after(() => webSocket.terminate());
  await within(once(webSocket, 'open'), 'upgrade');
  webSocket.send('hello');
  await within(once(webSocket, 'close'), 'close');
});

test('a browser that opens the port as a page is told what it is', async (t) => {
  const { url } = await startDoor(t);
  const [response] = await within(once(get(url.replace('ws:', 'http:')), 'response'), 'answer');
  response.resume();
  assert.equal(response.statusCode, 426);
});

test('a port in use is told with the error of the system', async (t) => {
  const { broker, port } = await startRig(t);
  await assert.rejects(broker.listenTcp({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  await assert.rejects(broker.listenWebSocket({ host: '127.0.0.1', port, allowedOrigins: [] }), { code: 'EADDRINUSE' });
});
