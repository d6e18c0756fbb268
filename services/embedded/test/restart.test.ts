// What stops, breaks and comes back: nothing that was acknowledged is missing afterwards.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bearer, openMqtt, openStream, startMesh, type TestMesh, temporaryFolder, until } from './rig.ts';

const eventsOf = async (mesh: TestMesh): Promise<readonly { id: string; state: string }[]> => {
  const answer = await fetch(`${mesh.url}/api/v1/events?limit=1000`, { headers: bearer(mesh.token) });
  return answer.ok ? ((await answer.json()) as { events: { id: string; state: string }[] }).events : [];
};

test('a second start finds states, messages, users and history as they were', async (t) => {
  const folder = temporaryFolder(t);
  const first = await startMesh(t, {}, folder);
  const client = await openMqtt(t, first.mqtt_url);
  await client.publishAsync('monitor/maj', '{"id":"317","state":"On"}', { qos: 1 });
  await fetch(`${first.url}/api/json.php?app=messages&name=message1&contenu=bonjour&command=1`);
  await until('history', async () => (await eventsOf(first)).length === 1);
  const farewell = await first.stop();
  assert.deepEqual(farewell, ['stopped; no message waits']);

  const second = await startMesh(t, {}, folder);
  assert.equal(second.token, first.token);
  assert.equal((await eventsOf(second)).length, 1);
  await until('the state', async () => {
    const answer = await fetch(`${second.url}/api/v1/devices/317`, { headers: bearer(second.token) });
    return answer.ok && ((await answer.json()) as { state: string }).state === 'On';
  });
  const messages = (await (await fetch(`${second.url}/api/v1/messages`, { headers: bearer(second.token) })).json()) as {
    messages: { text: string }[];
  };
  assert.equal(messages.messages[0]?.text, 'bonjour');
});

test('without its database the mesh is not ready, messages wait, a graceful stop counts them, and they arrive when it is back', async (t) => {
  const folder = temporaryFolder(t);
  const blocked = join(folder, 'monitor.sqlite');
  mkdirSync(blocked);
  const first = await startMesh(t, { DATABASE_URL: `sqlite:${blocked}` }, folder);
  const client = await openMqtt(t, first.mqtt_url);
  const stream = await openStream(t, `${first.url}/api/v1/stream`, bearer(first.token));
  for (let index = 0; index < 50; index++)
    await client.publishAsync('monitor/maj', JSON.stringify({ id: `d${index}`, state: 'On' }), {
      qos: index % 2 === 0 ? 1 : 0,
    });
  await until(
    'every screen is live all the same',
    () => stream.events.filter(({ data }) => data.includes('monitor/maj')).length === 50,
  );
  const ready = await fetch(`${first.url}/health/ready`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /"db-writer":\{"ready":false,"reason":"[^"]+"/);
  const farewell = await first.stop();
  assert.match(farewell[0] ?? '', /^stopped; 50 message\(s\) wait/);

  rmdirSync(blocked);
  const second = await startMesh(t, {}, folder);
  await until('all of them', async () => (await eventsOf(second)).length === 50);
  assert.deepEqual(
    (await eventsOf(second)).map(({ id }) => id).reverse(),
    Array.from({ length: 50 }, (_, index) => `d${index}`),
  );
  const waiting = await second.stop();
  assert.deepEqual(waiting, ['stopped; no message waits']);
});

test('a database that comes back while the mesh runs receives what waited, without a restart', async (t) => {
  const folder = temporaryFolder(t);
  const blocked = join(folder, 'monitor.sqlite');
  mkdirSync(blocked);
  const mesh = await startMesh(t, { DATABASE_URL: `sqlite:${blocked}` }, folder);
  const client = await openMqtt(t, mesh.mqtt_url);
  await client.publishAsync('monitor/maj', '{"id":"317","state":"On"}', { qos: 1 });
  rmdirSync(blocked);
  await until('ready again', () => mesh.mesh.host.readiness().ready);
  await until('the event', async () => (await eventsOf(mesh)).length === 1);
});

test('a folder has one mesh at a time, and a damaged store is never silently emptied', async (t) => {
  const folder = temporaryFolder(t);
  const first = await startMesh(t, {}, folder);
  await first.stop();
  const { writeFileSync } = await import('node:fs');
  renameSync(join(folder, 'broker.lmdb'), join(folder, 'broker.old'));
  writeFileSync(join(folder, 'broker.lmdb'), Buffer.alloc(64 * 1024, 'not a database '));
  await assert.rejects(startMesh(t, {}, folder), /cannot use the store of the broker .*broker\.lmdb/);
});
