// The event stream as screens use it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, openStream, type Stream, startMesh, type TestMesh, until } from './rig.ts';

const maj = async (mesh: TestMesh, id: string, state: string): Promise<void> => {
  const answer = await fetch(`${mesh.url}/api/json.php?${new URLSearchParams({ app: 'maj', id, state })}`);
  assert.equal(answer.status, 200);
};

const changesOf = (stream: Stream): readonly string[] =>
  stream.events
    .filter(({ event }) => event === 'update')
    .map(({ data }) => JSON.parse(data) as { topic: string; payload: { id: string; state: string } })
    .filter(({ topic }) => topic === 'monitor/maj')
    .map(({ payload }) => `${payload.id}=${payload.state}`);

test('the legacy address answers with the old headers on both paths, and its frame is the old one to the byte', async (t) => {
  const mesh = await startMesh(t);
  for (const path of ['/monitor/include/serveur_sse.php', '/include/serveur_sse.php']) {
    const stream = await openStream(t, `${mesh.url}${path}`);
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    assert.equal(stream.headers.get('cache-control'), 'no-cache');
    assert.equal(stream.headers.get('access-control-allow-origin'), '*');
    await maj(mesh, '317', 'On');
    await until('the frame', () => stream.text().includes('"317"'));
    assert.match(stream.text(), /event: message\ndata: \{"heure":"\d\d:\d\d:\d\d","id":"317","state":"On"\} \n\n/);
    stream.close();
  }
});

test('two screens both receive one change, and three changes at once arrive in order', async (t) => {
  const mesh = await startMesh(t);
  const screens = [
    await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token)),
    await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token)),
  ];
  for (const state of ['1', '2', '3']) await maj(mesh, '317', state);
  for (const screen of screens) {
    await until('three changes', () => changesOf(screen).length === 3);
    assert.deepEqual(changesOf(screen), ['317=1', '317=2', '317=3']);
  }
});

test('a newcomer sees the last state of every device first', async (t) => {
  const mesh = await startMesh(t);
  await maj(mesh, '317', 'On');
  await maj(mesh, '318', 'Off');
  await maj(mesh, '317', 'Off');
  await until('the states', async () => {
    const stream = await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token));
    await until('the snapshot', () => stream.events.length > 0);
    const { states } = JSON.parse(stream.events[0]?.data ?? '') as { states: { id: string; state: string }[] };
    stream.close();
    return (
      stream.events[0]?.event === 'snapshot' &&
      JSON.stringify(states.map(({ id, state }) => [id, state])) === '[["317","Off"],["318","Off"]]'
    );
  });
});

test('a screen that comes back with its last id receives what came after it, by header or by query; the old address too', async (t) => {
  const mesh = await startMesh(t);
  const first = await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token));
  await maj(mesh, 'a', '1');
  await until('the first change', () => changesOf(first).length === 1);
  const lastId = first.events.at(-1)?.id ?? '';
  first.close();
  await maj(mesh, 'b', '2');
  await maj(mesh, 'c', '3');
  await until('the changes', async () => {
    const devices = (await (await fetch(`${mesh.url}/api/v1/devices`, { headers: bearer(mesh.token) })).json()) as {
      devices: unknown[];
    };
    return devices.devices.length === 3;
  });
  const byHeader = await openStream(t, `${mesh.url}/api/v1/stream`, { ...bearer(mesh.token), 'last-event-id': lastId });
  const byQuery = await openStream(t, `${mesh.url}/api/v1/stream?lastEventId=${lastId}`, bearer(mesh.token));
  const legacy = await openStream(t, `${mesh.url}/include/serveur_sse.php`, { 'last-event-id': lastId });
  for (const stream of [byHeader, byQuery]) {
    await until('the replay', () => changesOf(stream).length === 2);
    assert.deepEqual(changesOf(stream), ['b=2', 'c=3']);
    assert.ok(!stream.events.some(({ event }) => event === 'snapshot'));
  }
  await until('the legacy replay', () => legacy.events.length === 2);
});

test('a last id from another life of the feed gets a reset and the picture', async (t) => {
  const mesh = await startMesh(t);
  const stream = await openStream(t, `${mesh.url}/api/v1/stream`, { ...bearer(mesh.token), 'last-event-id': 'old-12' });
  await until('the picture', () => stream.events.length >= 2); // services that have just started may follow it
  assert.deepEqual(
    stream.events.slice(0, 2).map(({ event }) => event),
    ['reset', 'snapshot'],
  );
});

test('a filter by device and by topic shows only those', async (t) => {
  const mesh = await startMesh(t);
  const byId = await openStream(t, `${mesh.url}/api/v1/stream?id=2,3`, bearer(mesh.token));
  const byTopic = await openStream(t, `${mesh.url}/api/v1/stream?topic=monitor/message/%2B`, bearer(mesh.token));
  for (const id of ['1', '2', '3', '4']) await maj(mesh, id, 'On');
  await fetch(`${mesh.url}/api/v1/messages/m`, {
    method: 'PUT',
    headers: { ...bearer(mesh.token), 'content-type': 'application/json' },
    body: '{"text":"hello"}',
  });
  await until('two changes', () => changesOf(byId).length === 2);
  assert.deepEqual(changesOf(byId), ['2=On', '3=On']);
  await until('the message', () => byTopic.events.length === 2);
  assert.match(byTopic.events[1]?.data ?? '', /"text":"hello"/);
  assert.equal((await fetch(`${mesh.url}/api/v1/stream?topic=a%23`, { headers: bearer(mesh.token) })).status, 400);
});

test('a change with the clock of 2099 is shown at once, flagged, and does not block the device', async (t) => {
  const mesh = await startMesh(t);
  const stream = await openStream(t, `${mesh.url}/api/v1/stream`, bearer(mesh.token));
  const post = (body: object): Promise<Response> =>
    fetch(`${mesh.url}/api/v1/devices/317`, {
      method: 'POST',
      headers: { ...bearer(mesh.token), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  assert.equal((await post({ state: 'On', at: '2099-01-01T00:00:00.000Z' })).status, 200);
  assert.equal((await post({ state: 'Off' })).status, 200);
  await until('both', () => changesOf(stream).length === 2);
  assert.match(
    stream.events.find(({ event, data }) => event === 'update' && data.includes('"317"'))?.data ?? '',
    /"clock":"wrong"/,
  );
  await until('the last state', async () => {
    const device = (await (await fetch(`${mesh.url}/api/v1/devices/317`, { headers: bearer(mesh.token) })).json()) as {
      state: string;
    };
    return device.state === 'Off';
  });
});
