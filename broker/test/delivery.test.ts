// Owns the proof that messages arrive once, in order, with their identity, and not after their time.
import assert from 'node:assert/strict';
import test from 'node:test';
import { isMid } from '@monitor-mesh/shared/mid.ts';
import { Inbox, startRig, visit, within } from './rig.ts';

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

test('QoS 0 and QoS 1 of 20 publishers at once arrive each exactly once', async (t) => {
  const { client } = await startRig(t);
  const watcher = await client('alice');
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync(['house/#', 'house/+/bell'], { qos: 1 });
  const publishers = await Promise.all(numbers(20).map((index) => client(`bob${index}`)));
  await within(
    Promise.all(
      publishers.flatMap((publisher, who) =>
        numbers(100).map((index) =>
          publisher.publishAsync(`house/${who}/bell`, `${who}:${index}`, { qos: index % 2 === 0 ? 0 : 1 }),
        ),
      ),
    ),
    'acknowledgements',
  );
  await inbox.count(2_000);
  assert.equal(new Set(inbox.texts()).size, 2_000);
  assert.equal(inbox.seen.length, 2_000);
  for (const who of numbers(20)) {
    const counted = inbox.texts(`house/${who}/bell`);
    for (const rest of [0, 1]) {
      const sameQos = counted.map((text) => Number(text.split(':')[1])).filter((index) => index % 2 === rest);
      assert.deepEqual(
        sameQos,
        [...sameQos].sort((a, b) => a - b),
      );
    }
  }
});

test('overlapping filters of a persistent session cost it no message', async (t) => {
  const { broker, client } = await startRig(t, { consumers: [] });
  const watcher = await client('alice', { clientId: 'tablet', clean: false });
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync(['house/#', 'house/+', 'house/bell'], { qos: 1 });
  const ringer = await client('carol');
  await Promise.all(numbers(50).map((index) => ringer.publishAsync('house/bell', String(index), { qos: 1 })));
  await inbox.count(50);
  await ringer.endAsync();
  assert.deepEqual(inbox.texts(), numbers(50).map(String));
  await watcher.endAsync();
  assert.equal(broker.waiting, 0, 'all were acknowledged, each once');
});

test('what comes during a replay follows it in order', async (t) => {
  const { client, visit: visitAs } = await startRig(t, { consumers: ['sse-gateway'] });
  const ringer = await client('alice');
  const send = (index: number): Promise<unknown> =>
    ringer.publishAsync('monitor/maj', String(index), { qos: index % 3 === 0 ? 0 : 1 });
  await Promise.all(numbers(500).map(send));
  const sending = Promise.all(numbers(500).map((index) => send(500 + index)));
  const { inbox } = await visitAs('sse-gateway', { clientId: 'mesh-sse-gateway', clean: false, protocolVersion: 5 });
  await sending;
  await inbox.count(1_000);
  assert.deepEqual(inbox.texts(), numbers(1_000).map(String));
});

test('every message of the mesh gets a mid, a good one of the sender is kept, other topics are left alone', async (t) => {
  const { client } = await startRig(t);
  const watcher = await client('carol', { protocolVersion: 5 });
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('#', { qos: 1 });
  const young = await client('alice', { protocolVersion: 5 });
  const mids = ['my-own.id:1', 'with blank', ['a', 'b'], ''];
  for (const mid of mids)
    await young.publishAsync('monitor/maj', 'x', { qos: 1, properties: { userProperties: { mid, kept: 'yes' } } });
  const old = await client('alice');
  await old.publishAsync('monitor/maj', 'x', { qos: 0 });
  await old.publishAsync('bell', 'x', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'bell');
  const seen = inbox.seen
    .filter(({ topic }) => topic === 'monitor/maj')
    .map(({ packet }) => packet.properties?.userProperties ?? {});
  assert.equal(seen.length, 5);
  assert.equal(seen[0]?.mid, 'my-own.id:1');
  assert.equal(new Set(seen.map(({ mid }) => mid)).size, 5);
  for (const { mid } of seen) assert.ok(typeof mid === 'string' && isMid(mid), String(mid));
  assert.deepEqual(
    seen.map(({ kept }) => kept),
    ['yes', 'yes', 'yes', 'yes', undefined],
  );
  assert.equal(inbox.seen.find(({ topic }) => topic === 'bell')?.packet.properties?.userProperties, undefined);
});

test("a command carries the contract's age limit, or the sender's when it is smaller", async (t) => {
  const { client, visit: visitAs } = await startRig(t);
  const { inbox } = await visitAs('alarm', { clientId: 'mesh-alarm', clean: false, protocolVersion: 5 });
  const alarm = await client('alice', { protocolVersion: 5 });
  for (const messageExpiryInterval of [5, 600, 0])
    await alarm.publishAsync('alarm/cmd', String(messageExpiryInterval), {
      qos: 1,
      properties: { messageExpiryInterval },
    });
  const old = await client(undefined);
  await old.publishAsync('alarm/cmd', 'Aloff', { qos: 0 });
  await inbox.count(4);
  assert.deepEqual(
    inbox.seen.map(({ packet }) => packet.properties?.messageExpiryInterval),
    [5, 30, 30, 30],
  );
});

test('a command that waited too long is reported, not delivered', async (t) => {
  let now = Date.now();
  const { port } = await startRig(t, { now: () => now });
  const url = `mqtt://127.0.0.1:${port}`;
  const { client: admin, inbox: reports } = await visit(t, url, 'carol');
  await admin.subscribeAsync('mesh/reject', { qos: 1 });
  const { client: person } = await visit(t, url, undefined);
  await person.publishAsync('alarm/cmd', 'Aloff', { qos: 1 });
  await person.publishAsync('monitor/maj', '{"id":"1","state":"On"}', { qos: 1 });
  now += 31_000;
  const { inbox } = await visit(t, url, 'alarm', { clientId: 'mesh-alarm', clean: false, protocolVersion: 5 });
  await inbox.count(1);
  assert.deepEqual(
    inbox.seen.map(({ topic }) => topic),
    ['monitor/maj'],
  );
  await reports.count(1);
  assert.match(reports.texts()[0] ?? '', /"topic":"alarm\/cmd","reason":"expired/u);
});

test('a last will keeps its promise to absent consumers and loses its delay property', async (t) => {
  const { client } = await startRig(t);
  const watcher = await client('carol', { protocolVersion: 5 });
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('monitor/last-will', { qos: 1 });
  const device = await client('bob', {
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 10 },
    will: {
      topic: 'monitor/last-will',
      payload: Buffer.from('gone'),
      qos: 0,
      retain: false,
      properties: { willDelayInterval: 1 },
    },
  });
  device.stream.destroy();
  const [seen] = await inbox.count(1);
  assert.equal(seen?.text, 'gone');
  assert.ok(!('willDelayInterval' in (seen?.packet.properties ?? {})));
  assert.equal(watcher.connected, true);
});

test('QoS 2 to a persistent session is delivered once and leaves its queue', async (t) => {
  const { broker, client } = await startRig(t, { consumers: [] });
  const watcher = await client('alice', { clientId: 'tablet', clean: false });
  const inbox = new Inbox(watcher);
  await watcher.subscribeAsync('bell', { qos: 2 });
  const ringer = await client('carol');
  await Promise.all(numbers(20).map((index) => ringer.publishAsync('bell', String(index), { qos: 2 })));
  await inbox.count(20);
  await watcher.publishAsync('done', 'x', { qos: 2 });
  await watcher.endAsync();
  assert.deepEqual(inbox.texts(), numbers(20).map(String));
  await ringer.endAsync();
  assert.equal(broker.waiting, 0);
});
