// The doors of the old Node server, as its listeners and producers use them.
import assert from 'node:assert/strict';
import http from 'node:http';
import { suite, type TestContext, test } from 'node:test';
import { bearer, openStream, type Stream, startMesh, type TestMesh, until } from '../../embedded/test/rig.ts';

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** fetch hides and forbids some headers; a plain request says what it is told to. */
function ask(
  mesh: TestMesh,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${mesh.url}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.once('error', reject);
    request.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const fact = (mesh: TestMesh, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  ask(mesh, 'POST', '/fact', { ...JSON_TYPE, ...headers }, JSON.stringify(body));

async function listen(t: TestContext, mesh: TestMesh, headers: Readonly<Record<string, string>> = {}): Promise<Stream> {
  const stream = await openStream(t, `${mesh.url}/events`, headers);
  assert.equal(stream.status, 200);
  await until('the backlog', () => stream.events.length > 0);
  return stream;
}

suite('the old Node server', () => {
  test('a fact is answered with itself once the broker has it, and every listener sees it to the byte', async (t) => {
    const mesh = await startMesh(t);
    const listener = await listen(t, mesh);
    assert.deepEqual(JSON.parse((await ask(mesh, 'GET', '/status')).body), { clients: 1 });
    const answer = await fact(mesh, { id: '306', state: 'On' });
    assert.deepEqual([answer.status, answer.body], [200, '{"id":"306","state":"On"}']);
    await until('the frame', () => listener.text().includes('"306"'));
    assert.match(listener.text(), /^data: \[\]\n\n.*\n\ndata: \{"id":"306","state":"On"\}\n\n/su);
    assert.ok(!/^(event|retry):/mu.test(listener.text()));
    listener.close();
    await until('nobody listens', async () => (await ask(mesh, 'GET', '/status')).body === '{"clients":0}');
  });

  test('Home Assistant’s key idx is an id, and a form is as good as JSON', async (t) => {
    const mesh = await startMesh(t);
    const listener = await listen(t, mesh);
    const sent = { idx: 'light.lampe_jardin', state: 'on' };
    const answer = await fact(mesh, sent);
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, sent]);
    const form = await ask(mesh, 'POST', '/fact', FORM_TYPE, 'id=306&state=Group+On');
    assert.deepEqual([form.status, JSON.parse(form.body)], [200, { id: '306', state: 'Group On' }]);
    await until('both', () => listener.events.length === 3);
    assert.deepEqual(
      listener.events.slice(1).map(({ event, data }) => [event, data]),
      [
        ['message', '{"id":"light.lampe_jardin","state":"on"}'],
        ['message', '{"id":"306","state":"Group On"}'],
      ],
    );
  });

  test('a newcomer gets the facts so far as one array; who comes back with its last id gets what it missed', async (t) => {
    const mesh = await startMesh(t);
    const first = await listen(t, mesh);
    await fact(mesh, { id: 'a', state: '1' });
    await until('the mark', () => /"1"\}\n\nid: \S+\n\n$/u.test(first.text()));
    const mark = /id: (\S+)\n\n$/u.exec(first.text())?.[1] ?? '';
    await fact(mesh, { id: 'b', state: '2' });
    await until('the second', () => first.events.length === 3);
    const newcomer = await listen(t, mesh);
    assert.equal(newcomer.events[0]?.data, '[{"id":"a","state":"1"},{"id":"b","state":"2"}]');
    const back = await listen(t, mesh, { 'last-event-id': mark });
    assert.equal(back.events[0]?.data, '{"id":"b","state":"2"}');
  });

  test('a body that is no fact is refused with what was expected, and reaches nobody', async (t) => {
    const mesh = await startMesh(t);
    const listener = await listen(t, mesh);
    for (const [body, reason] of [
      [{ state: 'On' }, /^id: expected/],
      [{ id: '306' }, /^state: expected/],
      [{ id: '', state: 'On' }, /^id: .* got ''/],
      [[], /^expected an object such as/],
    ] as const) {
      const answer = await fact(mesh, body);
      assert.equal(answer.status, 400, answer.body);
      assert.match((JSON.parse(answer.body) as { message: string }).message, reason);
    }
    assert.equal((await ask(mesh, 'POST', '/fact', JSON_TYPE, '{"id":')).status, 400);
    assert.equal((await ask(mesh, 'POST', '/fact', JSON_TYPE)).status, 400);
    assert.equal((await fact(mesh, { id: 'a', state: 'b' }, { 'idempotency-key': 'x y' })).status, 400);
    assert.equal((await fact(mesh, { id: 'last', state: 'On' })).status, 200);
    await until('the only one', () => listener.events.length === 2);
    assert.match(listener.events[1]?.data ?? '', /"last"/);
  });

  test('the same Idempotency-Key twice is one event', async (t) => {
    const mesh = await startMesh(t);
    const listener = await listen(t, mesh);
    const key = { 'idempotency-key': '01a2106f-e484-7fbb-b1ae-52e0e54213ce' };
    for (const id of ['306', '306', 'other'])
      assert.equal((await fact(mesh, { id, state: 'On' }, id === 'other' ? {} : key)).status, 200);
    await until('the other', () => listener.text().includes('other'));
    assert.equal(listener.events.length, 3);
  });

  test('all three doors are closed to pages of strangers, wrong credentials and networks that are not open', async (t) => {
    const doors = [
      ['GET', '/events'],
      ['GET', '/status'],
      ['POST', '/fact'],
    ] as const;
    const fetchDoor = (mesh: TestMesh, [method, path]: readonly [string, string], headers: Record<string, string>) =>
      ask(mesh, method, path, { ...JSON_TYPE, ...headers }, method === 'POST' ? '{"id":"a","state":"b"}' : '');
    const open = await startMesh(t, { ALLOWED_ORIGINS: 'http://friend.example' });
    for (const door of doors) {
      for (const headers of [
        { origin: 'http://evil.example' },
        { 'sec-fetch-site': 'cross-site' },
        { 'x-forwarded-for': '127.0.0.1' },
        bearer('wrong'),
      ]) {
        const answer = await fetchDoor(open, door, headers);
        assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [401, undefined]);
      }
    }
    for (const [method, path] of doors.slice(1)) {
      const answer = await fetchDoor(open, [method, path], { origin: 'http://friend.example' });
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [200, '*']);
    }
    const friend = await openStream(t, `${open.url}/events`, { origin: 'http://friend.example' });
    assert.deepEqual([friend.status, friend.headers.get('access-control-allow-origin')], [200, '*']);
    const closed = await startMesh(t, { API_OPEN_NETWORKS: 'none' });
    for (const door of doors) assert.equal((await fetchDoor(closed, door, {})).status, 401);
    assert.equal((await fetchDoor(closed, ['POST', '/fact'], bearer(closed.token))).status, 200);
    await listen(t, closed, bearer(closed.token));
  });
});
