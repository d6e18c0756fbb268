// Owns the proof that a slow, silent or hostile connection harms only itself.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import test from 'node:test';
import { generate } from 'mqtt-packet';
import { PacketGuard, type PacketReader } from '../src/doors/packet-guard.ts';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { Inbox, ignore, PASSWORD, startRig, within } from './rig.ts';

const MIB = 1024 * 1024;
/** Leaves every packet to the engine. */
const READER: PacketReader = {
  onPacket: () => 'engine',
  onChunk: ignore,
  onFault: (guard, error) => guard.destroy(error),
  onEnd: (_guard, done) => done(),
};
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
  const { client, socket, metrics } = await startRig(t, { limits: { drain_timeout_ms: 300 } });
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
  const connected = async (): Promise<boolean> => (await metrics.registry.metrics()).includes('mqtt_clients 2');
  await within(
    (async () => {
      while (!(await connected())) await new Promise(setImmediate);
    })(),
    'the cut',
  );
});

test('a subscriber that reads late gets everything at QoS 1 in order, and holds up nobody meanwhile', async (t) => {
  const { client } = await startRig(t);
  const slow = await client('alice');
  const inbox = new Inbox(slow);
  await slow.subscribeAsync('house/bell', { qos: 1 });
  slow.stream.pause();
  const ringer = await client('carol');
  const payload = Buffer.alloc(4_096, 120);
  for (let index = 0; index < 500; index++) {
    payload.writeUInt32BE(index);
    await within(ringer.publishAsync('house/bell', Buffer.from(payload), { qos: 1 }), 'acknowledgement', 2_000);
  }
  slow.stream.resume();
  await inbox.count(500);
  const numbers = inbox.seen.map(({ packet }) => Buffer.from(packet.payload).readUInt32BE());
  assert.deepEqual(
    numbers,
    Array.from({ length: 500 }, (_, index) => index),
  );
});

test('a client that leaves too much unread loses QoS 0, counted, and gets QoS 1 all the same', async (t) => {
  const { client, metrics } = await startRig(t, { limits: { unsent_bytes_max: 4 * MIB } });
  const slow = await client('alice');
  const inbox = new Inbox(slow);
  await slow.subscribeAsync({ 'house/picture': { qos: 0 }, 'house/bell': { qos: 1 } });
  slow.stream.pause();
  const ringer = await client('carol');
  for (let index = 0; index < 40; index++)
    await ringer.publishAsync('house/picture', Buffer.alloc(MIB / 2), { qos: 0 });
  await ringer.publishAsync('house/bell', 'x', { qos: 1 });
  slow.stream.resume();
  await inbox.until(({ topic }) => topic === 'house/bell');
  const pictures = inbox.seen.filter(({ topic }) => topic === 'house/picture').length;
  assert.ok(pictures > 0 && pictures < 40, `${pictures} of 40 arrived`);
  assert.match(await metrics.registry.metrics(), new RegExp(`mqtt_messages_dropped_total ${40 - pictures}\\b`, 'u'));
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

test('what is sent waits while the peer takes nothing, the guard says how much, and one turn is one write', async () => {
  const [inner, outer] = duplexPair();
  const guard = new PacketGuard(inner, DEFAULT_LIMITS, READER);
  let drained = 0;
  guard.onDrained(() => drained++);
  for (let index = 0; index < 100; index++) guard.send(Buffer.alloc(3_000));
  guard.write(Buffer.alloc(50_000));
  assert.equal(guard.unsent_bytes, 350_000);
  await new Promise(setImmediate);
  guard.send(Buffer.alloc(1_000));
  assert.ok(guard.unsent_bytes > 200_000, 'the pipe holds what nobody reads');
  let received = 0;
  let chunks = 0;
  outer.on('data', (chunk: Buffer) => {
    received += chunk.length;
    chunks += 1;
  });
  await within(
    (async () => {
      while (received < 351_000) await once(outer, 'data');
    })(),
    'all bytes',
  );
  assert.equal(guard.unsent_bytes, 0);
  assert.ok(drained > 0);
  assert.ok(chunks <= 102);
  guard.destroy();
  outer.destroy();
});

test('what comes behind a CONNECT waits for its answer, and the peer is paused meanwhile', async () => {
  const [inner, outer] = duplexPair();
  const guard = new PacketGuard(inner, DEFAULT_LIMITS, READER);
  const ping = generate({ cmd: 'pingreq' });
  const hello = connectPacket('fast');
  outer.write(Buffer.concat([hello, ping, ping]));
  await within(once(guard, 'readable'), 'bytes');
  assert.equal(guard.read()?.length, hello.length);
  assert.equal(inner.isPaused(), true);
  guard.release();
  assert.equal(guard.read()?.length, 2 * ping.length);
  assert.equal(inner.isPaused(), false);
  guard.destroy();
  outer.destroy();
});

test('last words are sent before a close', async (t) => {
  const server = createServer((socket) => {
    const guard = new PacketGuard(socket, DEFAULT_LIMITS, READER);
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
  const faulty = new PacketGuard(other, DEFAULT_LIMITS, READER);
  faulty.on('error', ignore);
  far.write(Buffer.from([0x30, 0]));
  await within(once(other, 'close'), 'close');
});
