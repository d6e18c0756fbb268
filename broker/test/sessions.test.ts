// Owns the proof that promised messages wait for their consumer, and that sessions belong to those who made them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { durableClientId, SERVICES, TOPIC_LIST, type TopicDefinition } from '@monitor-mesh/shared/contract.ts';
import type { IClientOptions } from 'mqtt';
import { granted, startRig, within } from './rig.ts';

const FOR_EVER = { sessionExpiryInterval: 0xffff_ffff };
const durable = (clientId: string): IClientOptions => ({
  clientId,
  clean: false,
  protocolVersion: 5,
  properties: FOR_EVER,
});
const MAJ = '{"id":"1","state":"On"}';

/** A topic of the pattern; a `{service}` level is the service's own name. */
const nameOf = ({ pattern }: TopicDefinition, service: string): string =>
  pattern.replaceAll('{service}', service).replaceAll(/\{\w+\}|#/gu, 'any thing');

const PEOPLE: Readonly<Record<string, string>> = {
  homeassistant: 'alice',
  device: 'bob',
  admin: 'carol',
  domoticz: 'dora',
};
/** Users of the rig who may publish a topic. */
const publishersOf = ({ from }: TopicDefinition): readonly string[] =>
  from.filter((party) => party !== 'local').map((party) => PEOPLE[party] ?? party);

test('messages published before the first visit of their consumers wait for them, QoS 0 as well', async (t) => {
  const { client, visit } = await startRig(t);
  const expected = new Map<string, string[]>();
  for (const definition of TOPIC_LIST.filter(({ durable: consumers }) => consumers.length > 0)) {
    const [user = ''] = publishersOf(definition);
    const topic = nameOf(definition, user);
    const publisher = await client(user);
    await publisher.publishAsync(topic, 'zero', { qos: 0 });
    await publisher.publishAsync(topic, 'one', { qos: 1 });
    await publisher.endAsync();
    // A peer's topic travels as its sender wrote it: its QoS 0 was never promised.
    for (const service of definition.durable)
      expected.set(service, [
        ...(expected.get(service) ?? []),
        ...(definition.foreign === undefined ? [`${topic} zero`] : []),
        `${topic} one`,
      ]);
  }
  assert.deepEqual([...expected.keys()].sort(), [
    'alarm',
    'db-writer',
    'domoticz-bridge',
    'monitor-api',
    'sms-gateway',
    'sse-gateway',
    'zigbee-bridge',
  ]);
  for (const [service, wanted] of expected) {
    const { inbox } = await visit(service, { clientId: `mesh-${service}`, clean: false, protocolVersion: 5 });
    await inbox.count(wanted.length);
    assert.deepEqual(
      inbox.seen.map(({ topic, text }) => `${topic} ${text}`),
      wanted,
    );
    assert.ok(inbox.seen.every(({ packet }) => packet.qos === 1));
    assert.ok(inbox.seen.every(({ packet }) => typeof packet.properties?.userProperties?.mid === 'string'));
  }
});

test("a stranger gains nothing with a service's client id, and erases nothing", async (t) => {
  const { broker, client, visit } = await startRig(t);
  const person = await client('alice');
  await person.publishAsync('monitor/maj', MAJ, { qos: 1 });
  await person.endAsync();
  const waiting = broker.waiting;
  for (const clean of [true, false]) {
    await assert.rejects(client('alice', { clientId: 'mesh-alarm', clean }), { code: 2 });
    await assert.rejects(client('db-writer', { clientId: 'mesh-alarm', clean }), { code: 2 });
    await assert.rejects(client(undefined, { clientId: 'mesh-alarm', clean, protocolVersion: 5 }), { code: 0x85 });
    await assert.rejects(client('alice', { clientId: 'mesh-of-mine', clean }), { code: 2 });
    await assert.rejects(client('alarm', { clientId: 'mesh-alarming', clean }), { code: 2 });
  }
  assert.equal(broker.waiting, waiting);
  const { inbox } = await visit('alarm', durable('mesh-alarm'));
  await inbox.count(1);
});

test('a clean start on the durable session is refused to its own service, and allowed beside it', async (t) => {
  const { client } = await startRig(t);
  await assert.rejects(client('alarm', { clientId: 'mesh-alarm', clean: true }), { code: 2 });
  await assert.rejects(
    client('alarm', { clientId: 'mesh-alarm', clean: true, protocolVersion: 5, properties: FOR_EVER }),
    { code: 0x85 },
  );
  await client('alarm', { clientId: 'mesh-alarm-live', clean: true });
});

test('every service of the contract has its id and no other', async (t) => {
  const { client } = await startRig(t);
  for (const service of SERVICES) await client(service, { clientId: durableClientId(service), clean: false });
});

test('a durable session outlives what its client says of its end, and an unsubscription', async (t) => {
  const { broker, client, visit } = await startRig(t, { consumers: ['alarm'] });
  const careless = await client('alarm', { clientId: 'mesh-alarm', clean: false, protocolVersion: 5 });
  await careless.unsubscribeAsync('monitor/maj');
  await careless.endAsync(false, { properties: { sessionExpiryInterval: 0 } });
  const person = await client('alice');
  await person.publishAsync('monitor/maj', MAJ, { qos: 1 });
  await person.endAsync();
  assert.equal(broker.waiting, 1);
  const { inbox } = await visit('alarm', durable('mesh-alarm'));
  await inbox.count(1);
});

test('a durable session cannot lower a promised subscription to QoS 0', async (t) => {
  const { client } = await startRig(t);
  const alarm = await client('alarm', durable('mesh-alarm'));
  assert.deepEqual(await granted(alarm, { 'monitor/maj': { qos: 0 } }), [0x87]);
  assert.deepEqual(await granted(alarm, { 'monitor/maj': { qos: 1 } }), [1]);
});

test('a client id in use is not taken over by another user, but by its own', async (t) => {
  const { client } = await startRig(t);
  const first = await client('alice', { clientId: 'tablet' });
  await assert.rejects(client('bob', { clientId: 'tablet' }), { code: 2 });
  await assert.rejects(client(undefined, { clientId: 'tablet', protocolVersion: 5 }), { code: 0x85 });
  assert.equal(first.connected, true);
  const gone = new Promise<void>((resolve) => first.once('close', () => resolve()));
  const second = await client('alice', { clientId: 'tablet' });
  await within(gone, 'takeover');
  await second.publishAsync('bell', 'x', { qos: 1 });
  await second.endAsync();
  await client('bob', { clientId: 'tablet' });
});

test("another user's persistent session is neither read nor erased; its owner ends it", async (t) => {
  const { broker, client } = await startRig(t, { consumers: [] });
  const owner = await client('alice', { clientId: 'tablet', clean: false });
  await owner.subscribeAsync('bell', { qos: 1 });
  await owner.endAsync();
  const ringer = await client('carol');
  await ringer.publishAsync('bell', 'x', { qos: 1 });
  await ringer.endAsync();
  for (const clean of [true, false]) await assert.rejects(client('bob', { clientId: 'tablet', clean }), { code: 2 });
  assert.equal(broker.waiting, 1);
  const again = await client('alice', { clientId: 'tablet', clean: true });
  await again.endAsync();
  assert.equal(broker.waiting, 0);
  await client('bob', { clientId: 'tablet', clean: false });
});

test('an MQTT 5 session that is resumed for the last time still gets its queue, then ends', async (t) => {
  const { broker, client, visit } = await startRig(t, { consumers: [] });
  const first = await client('alice', {
    clientId: 'tablet',
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 600 },
  });
  await first.subscribeAsync('bell', { qos: 1 });
  await first.endAsync();
  const ringer = await client('carol');
  await ringer.publishAsync('bell', 'x', { qos: 1 });
  const last = await visit('alice', { clientId: 'tablet', clean: false, protocolVersion: 5 });
  await last.inbox.count(1);
  await last.client.endAsync();
  await ringer.publishAsync('bell', 'x', { qos: 1 });
  await ringer.endAsync();
  assert.equal(broker.waiting, 0);
  await client('bob', { clientId: 'tablet', clean: false });
});
