// Owns the proof that what is not allowed reaches nobody and disturbs nobody.
import assert from 'node:assert/strict';
import test from 'node:test';
import { MqttClient } from 'mqtt';
import { granted, Inbox, startRig, within } from './rig.ts';

const isReject = ({ topic }: { readonly topic: string }): boolean => topic === 'mesh/reject';
const parsed = (text: string): { topic: string; reason: string; count: number } => JSON.parse(text);

test('a denied publish of a 3.1.1 client is acknowledged and dropped, and told once', async (t) => {
  const { client } = await startRig(t);
  const admin = await client('carol');
  const inbox = new Inbox(admin);
  await admin.subscribeAsync(['#', '$SYS/#'], { qos: 1 });
  const device = await client('bob');
  await device.publishAsync('sms/out', 'hello', { qos: 1 });
  await device.publishAsync('sms/out', 'hello', { qos: 2 });
  await device.publishAsync('$SYS/broker/version', 'mine', { qos: 1 });
  await device.publishAsync('bell', 'rings', { qos: 1 });
  const seen = await inbox.until(({ topic }) => topic === 'bell');
  const rejects = seen.filter(isReject).map(({ text }) => parsed(text));
  assert.deepEqual(
    rejects.map(({ topic, reason, count }) => ({ topic, reason, count })),
    [
      { topic: 'sms/out', reason: "role 'device' may not publish 'sms/out'", count: 1 },
      {
        topic: '$SYS/broker/version',
        reason: "topics that begin with '$' belong to the broker, got '$SYS/broker/version'",
        count: 1,
      },
    ],
  );
  assert.deepEqual(
    inbox.texts().filter((text) => text === 'hello' || text === 'mine' || text === ''),
    [],
  );
});

test('an MQTT 5 client is told 0x87 and the reason', async (t) => {
  const { client } = await startRig(t);
  const device = await client('bob', { protocolVersion: 5 });
  const refusal = device.publishAsync('sms/out', 'hello', { qos: 1 });
  await assert.rejects(refusal, { code: 0x87 });
  assert.equal(device.connected, true);
});

test('a denied publish sent 1,000 times by a client that reconnects costs one connection and two reports', async (t) => {
  const { client, visit, port, metrics } = await startRig(t, { limits: { reject_window_ms: 300 } });
  let connections = 0;
  const device = await client('bob', { reconnectPeriod: 20, port });
  device.on('connect', () => connections++);
  await within(
    Promise.all(Array.from({ length: 1_000 }, () => device.publishAsync('alarm/cmd/verified', 'Aloff', { qos: 1 }))),
    'acknowledgements',
  );
  await within(device.publishAsync('monitor/maj', '{"id":"1","state":"On"}', { qos: 1 }), 'allowed publish');
  assert.equal(connections, 0, 'the client never lost its first connection');
  const { inbox } = await visit('db-writer', { clientId: 'mesh-db-writer', clean: false, protocolVersion: 5 });
  await inbox.count(3);
  const texts = inbox.texts();
  const rejects = texts.filter((text) => text.includes('alarm/cmd/verified')).map(parsed);
  assert.deepEqual(
    rejects.map(({ count }) => count),
    [1, 999],
  );
  assert.equal(texts.length, 3, 'two reports and the allowed message');
  assert.match(await metrics.registry.metrics(), /mqtt_publish_denied_total 1000/u);
});

test('a person subscribed to # receives what they may read and nothing else', async (t) => {
  const { client } = await startRig(t);
  const device = await client('bob', { clientId: 'bob-1', clean: false });
  const inbox = new Inbox(device);
  await device.subscribeAsync('#', { qos: 1 });
  const gateway = await client('sms-gateway');
  await gateway.publishAsync('sms/in', '{"text":"secret"}', { qos: 1 });
  const sse = await client('sse-gateway');
  await sse.publishAsync('monitor/state/1', '{}', { qos: 1 });
  const seen = await inbox.until(({ topic }) => topic === 'monitor/state/1');
  assert.deepEqual(
    seen.map(({ topic }) => topic),
    ['monitor/state/1'],
  );
});

test('what a session may not read does not wait for it either', async (t) => {
  const { broker, client } = await startRig(t, { consumers: [] });
  const device = await client('bob', { clientId: 'bob-1', clean: false });
  await device.subscribeAsync(['#', 'monitor/#', 'monitor/state/+'], { qos: 1 });
  await device.endAsync();
  const gateway = await client('sms-gateway');
  await gateway.publishAsync('sms/in', '{}', { qos: 1 });
  assert.equal(broker.waiting, 0);
  const sse = await client('sse-gateway');
  await sse.publishAsync('monitor/state/1', '{}', { qos: 1 });
  assert.equal(broker.waiting, 1, 'once, although three filters match');
});

test('a denied subscription is answered 0x80 or 0x87, and leaves nothing behind beside a granted one', async (t) => {
  const { broker, client } = await startRig(t, { consumers: [] });
  const old = await client('bob', { clientId: 'bob-1', clean: false });
  const filters = { 'sms/in': { qos: 1 }, 'monitor/state/+': { qos: 1 }, 'alarm/event': { qos: 1 } } as const;
  assert.deepEqual(await granted(old, filters), [0x80, 1, 0x80]);
  const young = await client('bob', { protocolVersion: 5 });
  assert.deepEqual(await granted(young, filters), [0x87, 1, 0x87]);
  await old.endAsync();
  await young.endAsync();
  const gateway = await client('sms-gateway');
  await gateway.publishAsync('sms/in', '{}', { qos: 1 });
  assert.equal(broker.waiting, 0);
  const sse = await client('sse-gateway');
  await sse.publishAsync('monitor/state/1', '{}', { qos: 1 });
  assert.equal(broker.waiting, 1);
});

test('a shared subscription is refused in both versions', async (t) => {
  const { client } = await startRig(t);
  const old = await client('carol');
  assert.deepEqual(await granted(old, { '$share/group/bell': { qos: 1 } }), [0x80]);
  const young = await client('carol', { protocolVersion: 5 });
  assert.deepEqual(await granted(young, { '$share/group/bell': { qos: 1 } }), [0x9e]);
});

test('nobody can watch what is refused, nor speak for the guard', async (t) => {
  const { client } = await startRig(t);
  const admin = await client('carol');
  assert.deepEqual(await granted(admin, { '$mesh/#': { qos: 1 } }), [0x80]);
  const young = await client('carol', { protocolVersion: 5 });
  await assert.rejects(young.publishAsync('$mesh/sink', 'x', { qos: 1 }), { code: 0x87 });
});

test('a last will that is not allowed is taken out at the connection', async (t) => {
  const { client } = await startRig(t);
  const admin = await client('carol');
  const inbox = new Inbox(admin);
  await admin.subscribeAsync('#', { qos: 1 });
  const will = { topic: 'alarm/cmd', payload: Buffer.from('Aloff'), qos: 1, retain: false } as const;
  const device = await client('bob', { clientId: 'bob-1', will });
  device.stream.destroy();
  const [told] = await inbox.until(isReject);
  assert.equal(parsed(told?.text ?? '').topic, 'alarm/cmd');
  assert.match(parsed(told?.text ?? '').reason, /^last will/u);
});

test('a retained command is refused, retain is taken off other messages, and kept where the contract has it', async (t) => {
  const { client, visit } = await startRig(t);
  const admin = await client('carol', { protocolVersion: 5 });
  for (const topic of ['sms/out', 'alarm/cmd', 'domoticz/cmd', 'notify/out'])
    await assert.rejects(admin.publishAsync(topic, '{}', { qos: 1, retain: true }), { code: 0x87 });
  const domoticz = await client('dora', { protocolVersion: 5 });
  await assert.rejects(domoticz.publishAsync('domoticz/in', '{}', { qos: 1, retain: true }), { code: 0x87 });
  const gateway = await client('sms-gateway', { protocolVersion: 5 });
  await assert.rejects(gateway.publishAsync('alarm/cmd/verified', '{}', { qos: 1, retain: true }), { code: 0x87 });
  await admin.publishAsync('monitor/maj', '{"id":"1","state":"On"}', { qos: 1, retain: true });
  await admin.publishAsync('house/bell', 'on', { qos: 1, retain: true });
  const sse = await client('sse-gateway');
  await sse.publishAsync('monitor/state/1', '{}', { qos: 1, retain: true });
  const { client: late, inbox } = await visit('carol');
  await late.subscribeAsync(['#', 'last'], { qos: 1 });
  await late.publishAsync('last', 'x', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'last');
  const retained = inbox.seen.filter(({ packet, topic }) => packet.retain && !topic.startsWith('mesh/'));
  assert.deepEqual(retained.map(({ topic }) => topic).sort(), ['house/bell', 'monitor/state/1']);
});

test('U+0000 and ill-formed text in client ids, topics and filters are refused', async (t) => {
  const { client } = await startRig(t);
  await assert.rejects(client('alice', { clientId: 'a\u0000b' }), { code: 2 });
  await assert.rejects(client('alice', { clientId: 'a\uFFFDb', protocolVersion: 5 }), { code: 0x85 });
  const person = await client('alice', { clientId: 'ünïcode 🏠 / # +' });
  assert.deepEqual(await granted(person, { 'a/\uFFFD': { qos: 0 } }), [0x80]);
  const young = await client('alice', { protocolVersion: 5 });
  await young.publishAsync('cloche/été 🏠', 'x', { qos: 1 });
  for (const topic of [Buffer.from('a\u0000'), Buffer.from([0x61, 0xff]), Buffer.from([0xed, 0xa0, 0x80])]) {
    const hostile = await client('alice');
    const closed = new Promise<void>((resolve) => hostile.once('close', () => resolve()));
    hostile.stream.write(Buffer.concat([Buffer.from([0x30, 2 + topic.length, 0, topic.length]), topic]));
    await within(closed, 'the close'); // [MQTT-1.5.4-1, MQTT-1.5.4-2]
  }
});

test('a wrong password is refused in both versions', async (t) => {
  const { client, metrics } = await startRig(t);
  await assert.rejects(client('alice', { password: 'wrong' }), { code: 5 });
  await assert.rejects(client('alice', { password: 'wrong', protocolVersion: 5 }), { code: 0x87 });
  assert.match(await metrics.registry.metrics(), /mqtt_connect_refused_total 2/u);
});

test('connections beyond the cap are told so', async (t) => {
  const { client } = await startRig(t, { limits: { connections_max: 2 } });
  await client('alice');
  await client('alice');
  await assert.rejects(client('alice'), { code: 3 });
});

test('an identity that the process vouches for needs no password', async (t) => {
  const { broker } = await startRig(t);
  const client = new MqttClient(() => broker.attach({ user: 'sse-gateway', role: 'sse-gateway' }), {
    reconnectPeriod: 0,
  });
  t.after(() => client.end(true));
  await within(new Promise((resolve) => client.once('connect', resolve)), 'connection');
  const inbox = new Inbox(client);
  await client.subscribeAsync('monitor/state/+', { qos: 1 });
  await client.publishAsync('monitor/state/1', '{}', { qos: 1, retain: true });
  await inbox.count(1);
});
