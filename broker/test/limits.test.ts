// Owns the proof that the broker promises nothing that it can not keep, and says so.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { connectAsync } from 'mqtt';
import { MemoryStore } from '../src/store/memory-store.ts';
import { PASSWORD, startRig, within } from './rig.ts';
import { openWire, publish } from './wire.ts';

const MAJ = '{"id":"1","state":"On"}';

/** A store on a disk that is as full as one says. */
class CrampedStore extends MemoryStore {
  free = 0;
  looks = 0;
  override async freeBytes(): Promise<undefined> {
    this.looks += 1;
    return this.free as unknown as undefined;
  }
}

test('a promised queue that is full takes no more, tells MQTT 5 so, and has an older client send it again later', async (t) => {
  const rig = await startRig(t, { consumers: ['alarm'], limits: { promised_messages_max: 2, disk_look_ms: 20 } });
  const { wire: young } = await openWire(rig, { clientId: 'young' });
  const { wire: old } = await openWire(rig, { clientId: 'old', version: 4 });
  for (const messageId of [1, 2]) young.send(publish('monitor/maj', MAJ, { qos: 1, messageId }));
  await young.count(2);
  assert.equal(rig.broker.obstacle, 'the queue of mesh-alarm is full');
  young.send(publish('monitor/maj', MAJ, { qos: 1, messageId: 3 }));
  assert.equal((await young.next()).reasonCode, 0x97);
  old.send(publish('monitor/maj', MAJ, { qos: 1, messageId: 1 }));
  old.send(publish('bell', 'x', { qos: 1, messageId: 2 }));
  old.send({ cmd: 'pingreq' });
  assert.deepEqual(
    (await old.count(2)).map(({ cmd, messageId }) => [cmd, messageId]),
    [
      ['puback', 2],
      ['pingresp', undefined],
    ],
  );
  assert.equal(rig.broker.waiting, 2);
  const { inbox } = await rig.visit('alarm', { clientId: 'mesh-alarm', clean: false });
  await inbox.count(2);
  await old.end();
  assert.equal(rig.broker.obstacle, undefined);
});

test('with too little room on the disk nothing is promised until there is room again', async (t) => {
  const store = new CrampedStore();
  const rig = await startRig(t, { store, limits: { disk_look_ms: 5 } });
  const blocked = async (wanted: boolean): Promise<void> => {
    while ((rig.broker.obstacle !== undefined) !== wanted) await new Promise(setImmediate);
  };
  await within(blocked(true), 'the block');
  assert.match(rig.broker.obstacle ?? '', /less than 256 MiB are free/u);
  const { wire } = await openWire(rig, { clientId: 'young' });
  wire.send(publish('monitor/maj', MAJ, { qos: 1, messageId: 1 }));
  assert.equal((await wire.next()).reasonCode, 0x97);
  wire.send(publish('bell', 'nobody is promised this', { qos: 1, messageId: 2 }));
  assert.equal((await wire.next()).reasonCode ?? 0, 0);
  store.free = 2 ** 30;
  await within(blocked(false), 'the end of the block');
  wire.send(publish('monitor/maj', MAJ, { qos: 1, messageId: 3 }));
  assert.equal((await wire.next()).reasonCode ?? 0, 0);
});

test("the queue of a person's client keeps the newest messages", async (t) => {
  const rig = await startRig(t, { consumers: [], limits: { queue_messages_max: 3 } });
  const owner = await rig.client('alice', { clientId: 'tablet', clean: false });
  await owner.subscribeAsync('bell', { qos: 1 });
  await owner.endAsync();
  const ringer = await rig.client('carol');
  for (let index = 0; index < 10; index++) await ringer.publishAsync('bell', String(index), { qos: 1 });
  assert.equal(rig.broker.waiting, 3);
  const { inbox } = await rig.visit('alice', { clientId: 'tablet', clean: false });
  await inbox.count(3);
  assert.deepEqual(inbox.texts(), ['7', '8', '9']);
  assert.match(await rig.metrics.registry.metrics(), /mqtt_messages_dropped_total 7/u);
});

test('a client that invents client ids comes to an end, and those that are known go on', async (t) => {
  const rig = await startRig(t, { consumers: [], limits: { sessions_max: 2 } });
  for (const clientId of ['a', 'b']) await (await rig.client('alice', { clientId, clean: false })).endAsync();
  await assert.rejects(rig.client('alice', { clientId: 'c', clean: false }), { code: 2 });
  await (await rig.client('alice', { clientId: 'a', clean: true })).endAsync();
  await rig.client('alice', { clientId: 'c' });
});

test('more retained bytes than the broker keeps are refused, and what is kept stays', async (t) => {
  const rig = await startRig(t, { consumers: [], limits: { retained_bytes_max: 1_000 } });
  const ringer = await rig.client('carol');
  await ringer.publishAsync('house/small', 'x', { qos: 1, retain: true });
  await ringer.publishAsync('house/large', 'x'.repeat(2_000), { qos: 1, retain: true });
  const { client, inbox } = await rig.visit('carol');
  await client.subscribeAsync('house/#', { qos: 1 });
  await client.publishAsync('house/last', 'x', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'house/last');
  assert.deepEqual(inbox.seen.map(({ topic }) => topic).sort(), ['house/last', 'house/small']);
});

/** A certificate of its own for 127.0.0.1, and for clients; made by openssl, as an owner would. */
function newCertificate(t: TestContext): { readonly cert: string; readonly key: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'broker-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert];
  if (spawnSync('openssl', [...words, ...names]).status !== 0) return undefined;
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
const withoutOpenssl = spawnSync('openssl', ['version']).error ? 'openssl is not installed' : false;

test('TLS carries the same, asks for a certificate where it should, and refuses a bad one clearly', {
  skip: withoutOpenssl,
}, async (t) => {
  const { broker } = await startRig(t);
  const made = newCertificate(t);
  assert.ok(made);
  const open = { host: '127.0.0.1', port: 0, ...made };
  const { port } = await broker.listenTls(open);
  const login = { username: 'alice', password: PASSWORD, reconnectPeriod: 0, ca: made.cert };
  const client = await connectAsync(`mqtts://127.0.0.1:${port}`, { ...login, protocolVersion: 5 });
  t.after(() => client.endAsync(true));
  await client.publishAsync('monitor/maj', MAJ, { qos: 1 });
  await assert.rejects(connectAsync(`mqtts://127.0.0.1:${port}`, { ...login, password: 'wrong' }));
  const strict = await broker.listenTls({ ...open, client_ca: made.cert });
  await assert.rejects(connectAsync(`mqtts://127.0.0.1:${strict.port}`, login));
  const known = await connectAsync(`mqtts://127.0.0.1:${strict.port}`, { ...login, cert: made.cert, key: made.key });
  t.after(() => known.endAsync(true));
  await assert.rejects(broker.listenTls({ ...open, key: 'no key' }), { code: 'tls_unusable' });
});
