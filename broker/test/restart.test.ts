// Owns the proof that a broker started on the store of another finds everything as it was, and that time went on.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { LmdbStore } from '../src/store/lmdb-store.ts';
import { Inbox, startRig } from './rig.ts';
import { openWire, publish, subscribe } from './wire.ts';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'broker-restart-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
const storeIn = async (folder: string, name = 'broker.lmdb'): Promise<{ readonly store: LmdbStore }> => ({
  store: await LmdbStore.open(join(folder, name)),
});
/** What lies on the disk while a broker runs: as a kill would leave it. */
function snapshot(folder: string): void {
  copyFileSync(join(folder, 'broker.lmdb'), join(folder, 'killed.lmdb'));
}

test('retained messages, sessions and queues survive in order', async (t) => {
  const folder = newFolder(t);
  const before = await startRig(t, await storeIn(folder));
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
  for (const [id, qos] of [
    [1, 0],
    [2, 1],
  ] as const)
    await ringer.publishAsync('monitor/maj', `{"id":"${id}","state":"On"}`, { qos });
  await ringer.endAsync();
  await before.broker.close();

  const after = await startRig(t, await storeIn(folder));
  assert.equal(after.broker.waiting, before.broker.waiting);
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

test('what was sent before a kill comes again with its identifier and DUP, and QoS 2 goes on where it was', async (t) => {
  const folder = newFolder(t);
  const before = await startRig(t, { consumers: [], ...(await storeIn(folder)) });
  const session = { clientId: 'tablet', clean: false, version: 4 } as const;
  const { wire: first } = await openWire(before, session);
  await subscribe(first, 'bell', 2);
  const { wire: ringer } = await openWire(before, { clientId: 'ringer', clean: false, version: 4 });
  for (const [index, qos] of [1, 2, 2].entries())
    ringer.send(publish('bell', String(index), { qos, messageId: index + 1 }));
  await ringer.count(3);
  const sent = await first.count(3);
  first.send({ cmd: 'pubrec', messageId: sent[1]?.messageId });
  assert.equal((await first.next()).cmd, 'pubrel');
  // An acknowledged publish behind it: then the note of the PUBREC is on the disk as well.
  ringer.send(publish('bell', '3', { qos: 1, messageId: 4 }));
  await ringer.next();
  snapshot(folder);

  const after = await startRig(t, { consumers: [], ...(await storeIn(folder, 'killed.lmdb')) });
  const { wire: again } = await openWire(after, session);
  const seen = await again.count(4);
  assert.deepEqual(
    seen.slice(0, 3).map(({ cmd, messageId, dup }) => [cmd, messageId, cmd === 'publish' ? dup : undefined]),
    [
      ['publish', sent[0]?.messageId, true],
      ['pubrel', sent[1]?.messageId, undefined],
      ['publish', sent[2]?.messageId, true],
    ],
  );
  const { wire: resends } = await openWire(after, { clientId: 'ringer', clean: false, version: 4 });
  resends.send(publish('bell', '1', { qos: 2, messageId: 2, dup: true }));
  assert.equal((await resends.next()).cmd, 'pubrec');
  again.send({ cmd: 'pingreq' });
  assert.equal((await again.next()).cmd, 'pingresp', 'the message that was had is not taken twice');
});

test('a session whose end has passed while nothing ran is gone', async (t) => {
  let now = Date.now();
  const folder = newFolder(t);
  const options = { consumers: [], now: () => now };
  const before = await startRig(t, { ...options, ...(await storeIn(folder)) });
  const owner = await before.client('alice', {
    clientId: 'tablet',
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 60 },
  });
  await owner.subscribeAsync('bell', { qos: 1 });
  await before.broker.close();
  now += 61_000;
  const after = await startRig(t, { ...options, ...(await storeIn(folder)) });
  await (await after.client('carol')).publishAsync('bell', 'x', { qos: 1 });
  assert.equal(after.broker.waiting, 0);
  await after.client('bob', { clientId: 'tablet', clean: false });
});

test('a session ends while its broker runs, also one that an earlier life left', async (t) => {
  let now = Date.now();
  const folder = newFolder(t);
  const options = { consumers: [], now: () => now, limits: { sys_interval_ms: 20 } };
  const before = await startRig(t, { ...options, ...(await storeIn(folder)) });
  const owner = await before.client('alice', {
    clientId: 'tablet',
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 60 },
  });
  await owner.subscribeAsync('bell', { qos: 1 });
  await owner.endAsync();
  await (await before.client('carol')).publishAsync('bell', 'x', { qos: 1 });
  await before.broker.close();
  const after = await startRig(t, { ...options, ...(await storeIn(folder)) });
  assert.equal(after.broker.waiting, 1);
  now += 61_000;
  const { client, inbox } = await after.visit('carol');
  await client.subscribeAsync('$SYS/broker/uptime', { qos: 0 });
  await inbox.until(({ text }) => text === '61 seconds');
  assert.equal(after.broker.waiting, 0);
});

test('the last will of a client that was connected at a kill is published when the broker is back', async (t) => {
  const folder = newFolder(t);
  const before = await startRig(t, await storeIn(folder));
  const will = { topic: 'monitor/last-will', payload: Buffer.from('gone'), qos: 1, retain: true } as const;
  await before.client('alice', { clientId: 'mourned', will });
  const quiet = await before.client('alice', { clientId: 'polite', will: { ...will, payload: Buffer.from('never') } });
  await quiet.endAsync();
  await (await before.client('alice')).publishAsync('bell', 'x', { qos: 1, retain: true });
  snapshot(folder);

  const after = await startRig(t, await storeIn(folder, 'killed.lmdb'));
  const { client, inbox } = await after.visit('carol', { clientId: 'watch' });
  await client.subscribeAsync('monitor/last-will', { qos: 1 });
  const again = await after.client('alice', { clientId: 'mourned', will });
  again.stream.destroy();
  await inbox.until(({ text }) => text === 'gone');
  assert.deepEqual(new Set(inbox.texts()), new Set(['gone']));
});

test('a retained message that was cleared stays cleared', async (t) => {
  const folder = newFolder(t);
  const before = await startRig(t, { consumers: [], ...(await storeIn(folder)) });
  const ringer = await before.client('carol');
  for (const payload of ['on', '']) await ringer.publishAsync('house/bell', payload, { qos: 1, retain: true });
  await ringer.publishAsync('house/door', 'open', { qos: 1, retain: true });
  await before.broker.close();
  const after = await startRig(t, { consumers: [], ...(await storeIn(folder)) });
  const late = await after.client('carol');
  const inbox = new Inbox(late);
  await late.subscribeAsync('house/#', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'house/door');
  assert.deepEqual(inbox.texts(), ['open']);
});

test('what an absent session was sent at its return comes with DUP after a kill, however soon that was [MQTT-3.3.1-1]', async (t) => {
  const folder = newFolder(t);
  const before = await startRig(t, { consumers: [], ...(await storeIn(folder)) });
  const session = { clientId: 'tablet', clean: false, version: 4 } as const;
  const { wire: first } = await openWire(before, session);
  await subscribe(first, 'bell', 1);
  first.send({ cmd: 'disconnect' });
  await first.end();
  const { wire: ringer } = await openWire(before, { clientId: 'ringer', version: 4 });
  ringer.send(publish('bell', 'x', { qos: 1, messageId: 1 }));
  await ringer.next();
  const { wire: back } = await openWire(before, session);
  const seen = await back.next();
  snapshot(folder);

  const after = await startRig(t, { consumers: [], ...(await storeIn(folder, 'killed.lmdb')) });
  const { wire: again } = await openWire(after, session);
  const resent = await again.next();
  assert.deepEqual([seen.dup, resent.dup], [false, true]);
  assert.equal(resent.messageId, seen.messageId);
});

test('a command that waited, was never sent and has expired is not delivered after a restart', async (t) => {
  let now = Date.now();
  const folder = newFolder(t);
  const alarmOf = { clientId: 'mesh-alarm', clean: false, protocolVersion: 5 } as const;
  const before = await startRig(t, { ...(await storeIn(folder)), now: () => now });
  const alarm = await before.visit('alarm', alarmOf);
  const person = await before.client('carol');
  await person.publishAsync('alarm/cmd', 'first', { qos: 1 });
  await alarm.inbox.count(1);
  await alarm.client.endAsync();
  await person.publishAsync('alarm/cmd', 'stale', { qos: 1 });
  await before.broker.close();
  now += 3_600_000;
  const after = await startRig(t, { ...(await storeIn(folder)), now: () => now });
  const { inbox } = await after.visit('alarm', alarmOf);
  await (await after.client('carol')).publishAsync('alarm/cmd', 'fresh', { qos: 1 });
  await inbox.until(({ text }) => text === 'fresh');
  assert.deepEqual(inbox.texts('alarm/cmd'), ['fresh']);
});
