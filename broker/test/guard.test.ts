// Owns the proof that a slow, silent or hostile connection harms only itself.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import test from 'node:test';
import { generate } from 'mqtt-packet';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { PacketGuard } from '../src/packet-guard.ts';
import { Inbox, ignore, PASSWORD, startRig, within } from './rig.ts';

const MIB = 1024 * 1024;
const connectPacket = (clientId: string): Buffer =>
  generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId,
    clean: true,
    keepalive: 0,
    username: 'alice',
    password: Buffer.from(PASSWORD),
  });

test('a megabyte on monitor/maj is acknowledged, dropped and reported; the connection lives on', async (t) => {
  const { client } = await startRig(t);
  const watcher = await client('carol');
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('#', { qos: 1 });
  const person = await client('alice');
  for (const qos of [0, 1, 2] as const) await person.publishAsync('monitor/maj', Buffer.alloc(MIB, 120), { qos });
  await person.publishAsync('bell', 'x', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'bell');
  assert.deepEqual(
    inbox.seen.map(({ topic }) => topic),
    ['mesh/reject', 'bell'],
    'and the second and third are counted with the first',
  );
  assert.match(
    inbox.texts()[0] ?? '',
    /"topic":"monitor\/maj","reason":"expected a message of at most 256 KiB, got 1025 KiB"/u,
  );
});

test('an MQTT 5 client is told why a megabyte is refused; elsewhere it may send one', async (t) => {
  const { client } = await startRig(t);
  const person = await client('alice', { protocolVersion: 5 });
  await assert.rejects(person.publishAsync('monitor/maj', Buffer.alloc(MIB), { qos: 1 }), { code: 0x87 });
  const inbox = new Inbox(person);
  await person.subscribeAsync('zigbee2mqtt/#', { qos: 0 });
  await person.publishAsync('zigbee2mqtt/bridge/devices', Buffer.alloc(5 * MIB, 120), { qos: 1 });
  const [seen] = await inbox.count(1);
  assert.equal(seen?.text.length, 5 * MIB);
});

test('a subscriber that never reads stalls nobody, and is cut', async (t) => {
  const { broker, client, socket } = await startRig(t, { limits: { unsent_bytes_max: 2 * MIB } });
  const frozen = await socket();
  frozen.pause();
  frozen.write(connectPacket('frozen'));
  frozen.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'house/#', qos: 1 }] }));
  const watcher = await client('alice');
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('house/#', { qos: 1 });
  const ringer = await client('carol');
  const payload = Buffer.alloc(64 * 1024, 120);
  for (let index = 0; index < 400; index++) {
    const started = performance.now();
    await within(ringer.publishAsync('house/bell', payload, { qos: 1 }), 'acknowledgement', 2_000);
    await inbox.count(index + 1);
    assert.ok(performance.now() - started < 2_000);
  }
  frozen.resume();
  await within(once(frozen, 'close'), 'the cut');
  await broker.close();
});

test('a stranger that sends nothing but a large packet is cut before it is buffered', async (t) => {
  const { socket } = await startRig(t);
  const stranger = await socket();
  stranger.resume();
  stranger.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  await within(once(stranger, 'close'), 'the cut');
});

const COUNT = 3_000;

test('a client that ends its side behind its last publish is still heard and answered', async (t) => {
  const { client, socket } = await startRig(t);
  const watcher = await client('carol');
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('bell', { qos: 1 });
  const hasty = await socket();
  const answers: Buffer[] = [];
  hasty.on('data', (chunk: Buffer) => answers.push(chunk));
  hasty.write(connectPacket('hasty'));
  await within(once(hasty, 'data'), 'CONNACK');
  const publish = { cmd: 'publish', topic: 'bell', qos: 1, messageId: 5, dup: false, retain: false } as const;
  const one = generate({ ...publish, payload: Buffer.alloc(1_000, 120) });
  hasty.end(Buffer.concat(Array.from({ length: COUNT }, () => one)));
  await within(once(hasty, 'close'), 'the close');
  assert.equal(Buffer.concat(answers).toString('hex'), '20020000'.concat('40020005'.repeat(COUNT)));
  await inbox.count(COUNT);
});

test('what the broker writes waits while the peer takes nothing, and the guard says how much', async () => {
  const [inner, outer] = duplexPair();
  const guard = new PacketGuard(inner, DEFAULT_LIMITS);
  const flushed = new Promise((resolve) => guard.write(Buffer.alloc(300_000), resolve));
  guard.write(Buffer.alloc(50_000));
  assert.ok(guard.unsent_bytes >= 350_000);
  assert.equal(guard.writableNeedDrain, true);
  let received = 0;
  outer.on('data', (chunk: Buffer) => (received += chunk.length));
  await within(flushed, 'drain');
  await within(
    (async () => {
      while (received < 350_000) await once(outer, 'data');
    })(),
    'all bytes',
  );
  assert.equal(guard.unsent_bytes, 0);
  guard.destroy();
  outer.destroy();
});

test('the peer is paused while the broker does not read', async () => {
  const [inner, outer] = duplexPair();
  const guard = new PacketGuard(inner, DEFAULT_LIMITS);
  outer.write(connectPacket('fast'));
  const ping = generate({ cmd: 'pingreq' });
  const pings = Buffer.concat(Array.from({ length: 50_000 }, () => ping));
  outer.write(pings);
  await within(once(guard, 'readable'), 'bytes');
  await new Promise(setImmediate);
  outer.write(pings);
  await new Promise(setImmediate);
  assert.equal(inner.isPaused(), true);
  guard.destroy();
  outer.destroy();
});

test('last words are sent before a close', async (t) => {
  const server = createServer((socket) => {
    const guard = new PacketGuard(socket, DEFAULT_LIMITS);
    guard.write(Buffer.alloc(4 * MIB));
    setImmediate(() => guard.destroy());
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  const socket = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1');
  t.after(() => socket.destroy());
  let received = 0;
  socket.on('data', (chunk: Buffer) => (received += chunk.length));
  await within(once(socket, 'close'), 'close');
  assert.equal(received, 4 * MIB);
});

test('a fault closes at once', async () => {
  const [other, far] = duplexPair();
  const faulty = new PacketGuard(other, DEFAULT_LIMITS);
  faulty.on('error', ignore);
  far.write(Buffer.from([0x30, 0]));
  await within(once(other, 'close'), 'close');
});
