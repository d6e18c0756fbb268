// The old json.php as the household's configurations call it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { bearer, openMqtt, openStream, startMesh, type TestMesh, until } from './rig.ts';

const PATHS = ['/monitor/api/json.php', '/api/json.php'];

const call = (mesh: TestMesh, query: string, init: RequestInit = {}, path = PATHS[0]): Promise<Response> =>
  fetch(`${mesh.url}${path}?${query}`, init);

function rowsOf(mesh: TestMesh, sql: string): readonly Record<string, unknown>[] {
  const database = new DatabaseSync(join(mesh.folder, 'monitor.sqlite'), { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

const legacyStream = (t: TestContext, mesh: TestMesh) => openStream(t, `${mesh.url}/monitor/include/serveur_sse.php`);

test('maj reaches every legacy listener with exactly three keys, mirrors the row, and answers OK without SQL', async (t) => {
  const mesh = await startMesh(t);
  const stream = await legacyStream(t, mesh);
  for (const path of PATHS) {
    const answer = await call(mesh, 'app=maj&id=317&state=On', {}, path);
    assert.equal(answer.status, 200);
    const body = await answer.text();
    assert.match(body, /OK/);
    assert.doesNotMatch(body, /UPDATE|SELECT|INSERT/i);
  }
  await until('two events', () => stream.events.length === 2);
  assert.match(stream.events[0]?.data ?? '', /^\{"heure":"\d\d:\d\d:\d\d","id":"317","state":"On"\}$/);
  assert.equal(stream.events[0]?.event, 'message');
  await until('the mirrored row', () => rowsOf(mesh, 'SELECT id FROM sse').length === 1);
  assert.deepEqual({ ...rowsOf(mesh, 'SELECT num, id, state FROM sse')[0] }, { num: 0, id: '317', state: 'On' });
});

test('API_LEGACY_ENABLED=false answers as the old switch did and does nothing', async (t) => {
  const mesh = await startMesh(t, { API_LEGACY_ENABLED: 'false' });
  const answer = await call(mesh, 'app=maj&id=317&state=On');
  assert.equal(answer.status, 200);
  assert.equal((await answer.text()).trim(), 'API non autorisée');
  const devices = await fetch(`${mesh.url}/api/v1/devices`, { headers: bearer(mesh.token) });
  assert.deepEqual(await devices.json(), { devices: [] });
});

test('long ids, states with blanks and odd characters arrive intact, an id is trimmed', async (t) => {
  const mesh = await startMesh(t);
  const stream = await legacyStream(t, mesh);
  const sent = [
    ['86', 'Group On'],
    ['input_boolean.mes_alarme_abs', 'on'],
    ['12', 'Set Level: 50 %'],
    ["a/b+c#d'e%🙂", "x'); DROP TABLE device;--"],
  ] as const;
  for (const [id, state] of sent)
    assert.equal((await call(mesh, new URLSearchParams({ app: 'maj', id, state }).toString())).status, 200);
  assert.equal((await call(mesh, 'app=maj&id=light.lampe_jardin%20&state=on')).status, 200);
  await until('all events', () => stream.events.length === sent.length + 1);
  const seen = stream.events.map(({ data }) => JSON.parse(data) as { id: string; state: string });
  assert.deepEqual(
    seen.map(({ id, state }) => [id, state]),
    [...sent, ['light.lampe_jardin', 'on']],
  );
  const odd = await fetch(`${mesh.url}/api/v1/devices/${encodeURIComponent("a/b+c#d'e%🙂")}`, {
    headers: bearer(mesh.token),
  });
  assert.equal(((await odd.json()) as { state: string }).state, "x'); DROP TABLE device;--");
});

test('SQL in an id has no effect beyond one event: every other table stays as it was', async (t) => {
  const mesh = await startMesh(t);
  const count = (): unknown =>
    rowsOf(
      mesh,
      'SELECT (SELECT count(*) FROM message) AS message, (SELECT count(*) FROM messages) AS messages, (SELECT count(*) FROM raw_message) AS raw',
    )[0];
  await until('the database', () => rowsOf(mesh, "SELECT 1 FROM sqlite_master WHERE name = 'device'").length === 1);
  const before = { ...(count() as object) };
  const answer = await call(mesh, `app=maj&id=${encodeURIComponent("1' OR '1'='1")}&state=On`);
  assert.equal(answer.status, 200);
  await until('one device', () => rowsOf(mesh, 'SELECT id FROM device').length === 1);
  assert.deepEqual(rowsOf(mesh, 'SELECT seq FROM device_event').length, 1);
  assert.deepEqual({ ...(count() as object) }, before);
});

test('maj without an id or without a state is refused with the name of the field, and no event', async (t) => {
  const mesh = await startMesh(t);
  const stream = await legacyStream(t, mesh);
  for (const [query, field] of [
    ['app=maj&id=&state=On', 'id'],
    ['app=maj&state=On', 'id'],
    ['app=maj&id=317', 'state'],
    ['app=maj&id=317&state=', 'state'],
    [`app=maj&id=${'x'.repeat(200)}&state=On`, 'id'],
    ['app=maj&id=a%0Ab&state=On', 'id'],
  ] as const) {
    const answer = await call(mesh, query);
    assert.equal(answer.status, 400, query);
    assert.match(((await answer.json()) as { message: string }).message, new RegExp(`^${field}: expected`));
  }
  assert.equal((await call(mesh, 'app=maj&id=last&state=On')).status, 200);
  await until('the last event', () => stream.events.length > 0);
  assert.equal((JSON.parse(stream.events[0]?.data ?? '') as { id: string }).id, 'last');
});

test('messages: command 1 stores a new text, command 0 keeps the text and marks it as read, the Home Assistant form counts as 1', async (t) => {
  const mesh = await startMesh(t);
  const stored = (): object => ({ ...rowsOf(mesh, "SELECT contenu, maj FROM messages WHERE nom = 'message1'")[0] });
  const first = await call(mesh, 'app=messages&name=message1&contenu=bonjour&command=1');
  assert.match(await first.text(), /Enregistrement mis à jour/);
  await until('the text', () => JSON.stringify(stored()) === '{"contenu":"bonjour","maj":1}');
  await call(mesh, 'app=messages&name=message1&command=0');
  await until('read', () => JSON.stringify(stored()) === '{"contenu":"bonjour","maj":0}');
  await call(mesh, 'app=messages&name=message1&contenu=essai&maj=1=0');
  await until('the new text', () => JSON.stringify(stored()) === '{"contenu":"essai","maj":1}');
  assert.equal((await call(mesh, 'app=messages&name=message1&command=7')).status, 400);
  assert.equal((await call(mesh, 'app=messages&contenu=x')).status, 400);
});

test('api_rest_ha answers an array whose first element has data; an unknown app answers 200 and nothing', async (t) => {
  const mesh = await startMesh(t);
  const rest = (await (await call(mesh, 'app=api_rest_ha')).json()) as { data: string }[];
  assert.ok(rest[0] && 'data' in rest[0]);
  for (const query of ['app=inconnu', '', 'app=fichier', 'app=__proto__']) {
    const answer = await call(mesh, query);
    assert.equal(answer.status, 200, query);
    assert.equal((await answer.text()).trim(), '');
  }
});

test('envoi_sms makes one SMS job with literally the text, twice within a minute is one, and nobody may who is not allowed', async (t) => {
  const mesh = await startMesh(t);
  assert.equal((await call(mesh, 'app=envoi_sms&contenu=x')).status, 401);
  const jobs: unknown[] = [];
  const text = "');import os#";
  const gateway = await import('@monitor-mesh/shared/bus/durable-consumer.ts');
  const consumer = new gateway.DurableConsumer({
    service: 'sms-gateway',
    target: { attach: () => mesh.mesh.broker.attach({ user: 'sms-gateway', role: 'sms-gateway' }) },
    log: (await import('@monitor-mesh/shared/log.ts')).createLog('t', 'silent'),
    handle: async (batch) => void jobs.push(...batch.map(({ payload }) => JSON.parse(payload.toString()))),
  });
  t.after(() => consumer.close());
  for (const content of ['pour_essai', 'pour_essai', text]) {
    const answer = await call(mesh, `app=envoi_sms&contenu=${encodeURIComponent(content)}`, {
      method: 'POST',
      headers: { ...bearer(mesh.token), 'content-type': 'application/json' },
      body: '{"frigate":"ignored"}',
    });
    assert.equal(answer.status, 200);
    assert.equal(await answer.json(), `envoi_sms:${content}`);
  }
  await until('two jobs', () => jobs.length === 2);
  assert.deepEqual(
    jobs.map((job) => (job as { text: string }).text),
    ['pour_essai', text],
  );
  assert.ok(
    jobs.every((job) => !('to' in (job as object))),
    'the first contact is meant',
  );
});

test("old pages' call after each event is answered and neither loses nor emits an event", async (t) => {
  const mesh = await startMesh(t);
  const stream = await legacyStream(t, mesh);
  await call(mesh, 'app=maj&id=1&state=On');
  for (const path of ['/monitor/ajax.php', '/ajax.php'])
    assert.equal((await fetch(`${mesh.url}${path}?app=maj&id=&state=Ok&command=6`)).status, 200);
  await call(mesh, 'app=maj&id=2&state=On');
  await until('two events', () => stream.events.length >= 2);
  assert.deepEqual(
    stream.events.map(({ data }) => (JSON.parse(data) as { id: string }).id),
    ['1', '2'],
  );
  assert.equal((await fetch(`${mesh.url}/ajax.php?app=OnOff&device=42`)).status, 410);
});

test('Home Assistant on monitor/ha makes the same event as maj', async (t) => {
  const mesh = await startMesh(t);
  const stream = await legacyStream(t, mesh);
  const client = await openMqtt(t, mesh.mqtt_url, { protocolVersion: 4 });
  await client.publishAsync('monitor/ha', '{"idx": "light.lampe_jardin","state": "on" }', { qos: 0 });
  await until('the event', () => stream.events.length === 1);
  assert.match(stream.events[0]?.data ?? '', /"id":"light.lampe_jardin","state":"on"/);
});
