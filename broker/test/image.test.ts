// Owns the proof that a broker started from the image of another finds everything as it was.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { BrokerImage } from '../src/broker.ts';
import { restoreImage } from '../src/image.ts';
import { createMemoryPersistence } from '../src/persistence.ts';
import { SessionLedger } from '../src/session-ledger.ts';
import { startRig } from './rig.ts';

const throughJson = (image: BrokerImage): BrokerImage => JSON.parse(JSON.stringify(image));

test('retained messages, sessions and queues survive in order', async (t) => {
  const before = await startRig(t);
  const owner = await before.client('alice', { clientId: 'tablet 🏠', clean: false });
  await owner.subscribeAsync({ 'house/#': { qos: 1 }, 'other/+': { qos: 0 } });
  await owner.endAsync();
  const ringer = await before.client('carol', { protocolVersion: 5 });
  await ringer.publishAsync('house/state', Buffer.from([0, 255, 128]), { qos: 1, retain: true });
  for (let index = 0; index < 50; index++)
    await ringer.publishAsync('house/bell', String(index), {
      qos: 1,
      properties: { correlationData: Buffer.from([index]), contentType: 'text/plain' },
    });
  await ringer.publishAsync('monitor/maj', '{"id":"1","state":"On"}', { qos: 0 });
  await ringer.publishAsync('monitor/maj', '{"id":"2","state":"On"}', { qos: 1 });
  await ringer.endAsync();
  await before.broker.close();
  const waiting = await before.broker.waiting();
  const image = throughJson(await before.broker.dump());

  const after = await startRig(t, { restore: image });
  assert.equal(await after.broker.waiting(), waiting);
  await assert.rejects(after.client('bob', { clientId: 'tablet 🏠', clean: true }), { code: 2 });
  const { inbox } = await after.visit('alice', { clientId: 'tablet 🏠', clean: false, protocolVersion: 5 });
  await inbox.count(51);
  assert.deepEqual(
    inbox.texts('house/bell'),
    Array.from({ length: 50 }, (_, index) => String(index)),
  );
  assert.deepEqual(inbox.seen[1]?.packet.properties?.correlationData, Buffer.from([0]));
  assert.equal(inbox.seen[1]?.packet.properties?.contentType, 'text/plain');
  const { inbox: alarm } = await after.visit('alarm', { clientId: 'mesh-alarm', clean: false });
  await alarm.count(2);
  assert.deepEqual(alarm.texts(), ['{"id":"1","state":"On"}', '{"id":"2","state":"On"}']);
  const { client, inbox: late } = await after.visit('carol');
  await client.subscribeAsync('house/state', { qos: 1 });
  const [retained] = await late.count(1);
  assert.deepEqual(retained?.packet.payload, Buffer.from([0, 255, 128]));
  assert.equal(retained?.packet.retain, true);
});

test('an image of an image is the same, with one id for both runs', async (t) => {
  const before = await startRig(t, { id: 'boot-1' });
  const ringer = await before.client('alice');
  for (const state of ['On', 'Off']) await ringer.publishAsync('monitor/maj', state, { qos: 1 });
  await ringer.endAsync();
  await before.broker.close();
  const image = throughJson(await before.broker.dump());
  const after = await startRig(t, { id: 'boot-1', restore: image });
  await after.broker.close();
  const { sessions, counter } = throughJson(await after.broker.dump());
  assert.deepEqual(sessions, image.sessions);
  assert.ok(counter >= image.counter);
});

test('a session whose end has passed is not restored', async (t) => {
  let now = Date.now();
  const before = await startRig(t, { consumers: [], now: () => now });
  const owner = await before.client('alice', {
    clientId: 'tablet',
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 60 },
  });
  await owner.subscribeAsync('bell', { qos: 1 });
  await before.broker.close();
  const image = throughJson(await before.broker.dump());
  assert.equal(image.sessions.length, 1);
  now += 61_000;
  const ledger = new SessionLedger();
  await restoreImage(image, createMemoryPersistence(), ledger, now);
  assert.deepEqual(ledger.sessions(now), []);
});

test('a session ends while its broker runs, also one that an image brought', async (t) => {
  let now = Date.now();
  const options = { consumers: [], now: () => now, limits: { sys_interval_ms: 20 } };
  const before = await startRig(t, options);
  const owner = await before.client('alice', {
    clientId: 'tablet',
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 60 },
  });
  await owner.subscribeAsync('bell', { qos: 1 });
  await owner.endAsync();
  const ringer = await before.client('carol');
  await ringer.publishAsync('bell', 'x', { qos: 1 });
  await ringer.endAsync();
  await before.broker.close();
  const after = await startRig(t, { ...options, restore: throughJson(await before.broker.dump()) });
  assert.equal(await after.broker.waiting(), 1);
  now += 61_000;
  const { client, inbox } = await after.visit('carol');
  await client.subscribeAsync('$SYS/broker/uptime', { qos: 0 });
  await inbox.until(({ text }) => text === '61 seconds');
  assert.deepEqual((await after.broker.dump()).sessions, []);
  assert.equal(await after.broker.waiting(), 0);
  const bob = await after.visit('bob', { clientId: 'tablet', clean: false });
  assert.equal(bob.inbox.seen.length, 0);
});

test('a message that was received but not completed with QoS 2 is completed, not sent again', async (t) => {
  const image: BrokerImage = {
    format: 1,
    engine_id: 'earlier',
    counter: 9,
    retained: [],
    sessions: [
      {
        client_id: 'tablet',
        user: 'alice',
        role: 'homeassistant',
        durable: false,
        subscriptions: [{ topic: 'bell', qos: 2 }],
        queue: [
          { cmd: 'pubrel', messageId: 7 },
          { cmd: 'pubrel', messageId: 8 },
          {
            cmd: 'publish',
            topic: 'bell',
            payload: 'eA==',
            qos: 2,
            retain: false,
            brokerId: 'earlier',
            brokerCounter: 4,
            messageId: 9,
          },
        ],
      },
    ],
  };
  const { broker, visit } = await startRig(t, { consumers: [], restore: image });
  assert.deepEqual(
    (await broker.dump()).sessions[0]?.queue.map(({ cmd, messageId }) => ({ cmd, messageId })),
    [
      { cmd: 'pubrel', messageId: 7 },
      { cmd: 'pubrel', messageId: 8 },
      { cmd: 'publish', messageId: 9 },
    ],
  );
  const { client, inbox } = await visit('alice', { clientId: 'tablet', clean: false });
  await inbox.count(1);
  await client.endAsync();
  assert.deepEqual(inbox.texts(), ['x']);
});
