// Owns the proof that the broker tells its figures under mosquitto's names, to those who may know.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Inbox, startRig } from './rig.ts';

test('the owner reads the figures, another person does not', async (t) => {
  const { client, metrics } = await startRig(t, { limits: { sys_interval_ms: 50 } });
  const owner = await client('carol');
  const inbox = new Inbox(owner);
  await owner.subscribeAsync('$SYS/broker/#', { qos: 0 });
  await owner.publishAsync('bell', 'x', { qos: 1 });
  await inbox.until(({ topic, text }) => topic === '$SYS/broker/messages/received' && text === '1');
  await inbox.until(({ topic, text }) => topic === '$SYS/broker/clients/connected' && text === '1');
  await inbox.until(({ topic, text }) => topic === '$SYS/broker/subscriptions/count' && text === '1');
  assert.deepEqual([...new Set(inbox.seen.map(({ topic }) => topic))].sort(), [
    '$SYS/broker/clients/connected',
    '$SYS/broker/messages/received',
    '$SYS/broker/messages/sent',
    '$SYS/broker/retained messages/count',
    '$SYS/broker/subscriptions/count',
    '$SYS/broker/uptime',
    '$SYS/broker/version',
  ]);
  assert.ok(inbox.texts('$SYS/broker/version').includes('monitor-mesh 1.2.3'));
  const other = await client('alice');
  await assert.rejects(other.subscribeAsync('$SYS/broker/#'));
  const text = await metrics.registry.metrics();
  assert.match(text, /^mqtt_clients 2$/mu);
  assert.match(text, /^mqtt_messages_received_total 1$/mu);
  assert.match(text, /^mqtt_messages_sent_total \d+$/mu);
});

test('a subscription to # does not bring them', async (t) => {
  const { client } = await startRig(t);
  const owner = await client('carol', { clientId: 'owner', clean: false });
  const inbox = new Inbox(owner);
  await owner.publishAsync('bell', 'x', { qos: 1, retain: true });
  await owner.subscribeAsync(['#', '+/broker/version'], { qos: 1 });
  await owner.publishAsync('done', 'x', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'done');
  assert.deepEqual([...new Set(inbox.seen.map(({ topic }) => topic))].sort(), ['bell', 'done']);
});
