// How long a stream lasts: until its right to be open ends, its reader stops reading, or the server stops.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { suite, type TestContext, test } from 'node:test';
import { AccessFile } from '@monitor-mesh/shared/auth/access-file.ts';
import { digestOf, hashPassword, randomSecret } from '@monitor-mesh/shared/auth/password.ts';
import { bearer, openStream, type Stream, startMesh, type TestMesh, until } from '../../embedded/test/rig.ts';

/** A stream ends so soon after its right to be open. */
const REVOKED_MS_MAX = 1_000;

const isOver = (stream: Stream): boolean => stream.text().includes('[stream ended');
const accessOf = (mesh: TestMesh): AccessFile => new AccessFile(`${mesh.folder}/access.json`);

async function openFeed(t: TestContext, mesh: TestMesh, headers: Readonly<Record<string, string>>): Promise<Stream> {
  const stream = await openStream(t, `${mesh.url}/api/v1/stream`, headers);
  assert.equal(stream.status, 200);
  await until('the snapshot', () => stream.events.length > 0);
  return stream;
}

/** A person's three ways in, each with its stream. */
async function openPerson(t: TestContext, mesh: TestMesh, name: string) {
  const [password, token] = [randomSecret(), randomSecret()];
  const entry = {
    role: 'dashboard' as const,
    password: await hashPassword(password),
    tokens: [{ digest: digestOf(token), created_at: '2026-10-05T07:02:03.000Z' }],
    created_at: '2026-10-05T07:02:03.000Z',
  };
  accessOf(mesh).update((before) => ({ ...before, users: { ...before.users, [name]: entry } }));
  await until(
    'the user is known',
    async () => (await fetch(`${mesh.url}/api/v1/devices`, { headers: bearer(token) })).status === 200,
  );
  const login = await fetch(`${mesh.url}/api/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: name, password }),
  });
  const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const basic = (secret: string) => ({
    authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`,
  });
  return {
    entry,
    cookie,
    bySession: await openFeed(t, mesh, { cookie }),
    byPassword: await openFeed(t, mesh, basic(password)),
    byToken: await openFeed(t, mesh, bearer(token)),
    byTokenAsPassword: await openFeed(t, mesh, basic(token)),
  };
}

/** A connection that asks for a stream and reads nothing until it is told to. */
async function openSocket(t: TestContext, mesh: TestMesh, path: string): Promise<Socket> {
  const socket = connect(Number(new URL(mesh.url).port), '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => undefined); // how it ends is what is asked
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${mesh.token}\r\n\r\n`);
  return socket;
}

suite('the right to a stream', () => {
  test('ends with the log-out of its session at once, and other sessions stay', async (t) => {
    const mesh = await startMesh(t);
    const person = await openPerson(t, mesh, 'anne');
    const since = performance.now();
    await fetch(`${mesh.url}/api/v1/logout`, { method: 'POST', headers: { cookie: person.cookie } });
    await until('the stream is cut', () => isOver(person.bySession), REVOKED_MS_MAX);
    assert.ok(performance.now() - since < REVOKED_MS_MAX);
    assert.ok([person.byPassword, person.byToken, person.byTokenAsPassword].every((stream) => !isOver(stream)));
  });

  test('by session or password ends within a second of a new password; by token it stays', async (t) => {
    const mesh = await startMesh(t);
    const person = await openPerson(t, mesh, 'anne');
    const password = await hashPassword(randomSecret());
    accessOf(mesh).update((before) => ({ ...before, users: { ...before.users, anne: { ...person.entry, password } } }));
    await until('both are cut', () => isOver(person.bySession) && isOver(person.byPassword), REVOKED_MS_MAX);
    assert.ok([person.byToken, person.byTokenAsPassword].every((stream) => !isOver(stream)));
  });

  test('by token ends within a second of the token’s removal, by session and password it stays', async (t) => {
    const mesh = await startMesh(t);
    const person = await openPerson(t, mesh, 'anne');
    accessOf(mesh).update((before) => ({
      ...before,
      users: { ...before.users, anne: { ...person.entry, tokens: [] } },
    }));
    await until('both are cut', () => isOver(person.byToken) && isOver(person.byTokenAsPassword), REVOKED_MS_MAX);
    assert.ok([person.bySession, person.byPassword].every((stream) => !isOver(stream)));
  });

  test('ends within a second of its user’s removal, and of another role, for that user alone', async (t) => {
    const mesh = await startMesh(t);
    const [anne, bert] = [await openPerson(t, mesh, 'anne'), await openPerson(t, mesh, 'bert')];
    const streamsOf = (person: typeof anne) => [
      person.bySession,
      person.byPassword,
      person.byToken,
      person.byTokenAsPassword,
    ];
    accessOf(mesh).update(({ users: { anne: _gone, ...users }, ...rest }) => ({ ...rest, users }));
    await until('all of anne are cut', () => streamsOf(anne).every(isOver), REVOKED_MS_MAX);
    assert.ok(!streamsOf(bert).some(isOver));
    const entry = { ...bert.entry, role: 'device' as const };
    accessOf(mesh).update((before) => ({ ...before, users: { ...before.users, bert: entry } }));
    await until('all of bert are cut', () => streamsOf(bert).every(isOver), REVOKED_MS_MAX);
  });
});

suite('limits', () => {
  test('a user with too many streams is refused until one ends, and the house has a limit of its own', async (t) => {
    const mesh = await startMesh(t, { SSE_VIEWERS_PER_USER_MAX: '2', SSE_VIEWERS_MAX: '3' });
    const ask = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Stream> =>
      openStream(t, `${mesh.url}${path}`, headers);
    const first = await ask('/api/v1/stream', bearer(mesh.token));
    await ask('/events', bearer(mesh.token));
    const third = await ask('/api/v1/stream', bearer(mesh.token));
    assert.deepEqual([third.status, third.headers.get('retry-after')], [429, '30']);
    assert.equal((await ask('/include/serveur_sse.php')).status, 200);
    assert.equal((await ask('/include/serveur_sse.php')).status, 429, 'three in all');
    first.close();
    await until('a place is free', async () => (await ask('/api/v1/stream', bearer(mesh.token))).status === 200);
  });
});

suite('a stop', () => {
  test('tells every viewer when to come back, ends its stream in order and does not wait for those who do not listen', async (t) => {
    const mesh = await startMesh(t);
    const feed = await openFeed(t, mesh, bearer(mesh.token));
    const [page, facts] = [
      await openStream(t, `${mesh.url}/include/serveur_sse.php`),
      await openStream(t, `${mesh.url}/events`),
    ];
    const deaf = await openSocket(t, mesh, '/api/v1/stream');
    deaf.pause();
    await until('all are there', async () => {
      const { clients } = (await (await fetch(`${mesh.url}/status`)).json()) as { clients: number };
      return clients === 4;
    });
    const begin = performance.now();
    await mesh.stop();
    assert.ok(performance.now() - begin < 7_000, 'bounded');
    for (const stream of [feed, page, facts]) {
      await until('the end', () => isOver(stream));
      assert.match(stream.text(), /: restarting\nretry: \d{4}\n\n\n\[stream ended\]$/u);
    }
  });
});

suite('a reader that stops reading', () => {
  test('is told of the gap when it reads again, and sees the newest value last', async (t) => {
    const mesh = await startMesh(t);
    const socket = await openSocket(t, mesh, '/api/v1/stream?id=tap');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    await until('the snapshot', () => text.includes('event: snapshot'));
    socket.pause();
    // More than the kernel keeps for a connection that is not read, and a quarter of a megabyte.
    const large = 'x'.repeat(4_000);
    const post = (state: string): Promise<Response> =>
      fetch(`${mesh.url}/fact`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: 'tap', state }),
      });
    for (let round = 0; round < 100; round++)
      await Promise.all(Array.from({ length: 25 }, (_, index) => post(`${round}.${index} ${large}`)));
    assert.equal((await post('newest')).status, 200);
    socket.resume();
    await until('the newest', () => text.includes('"state":"newest"'));
    assert.match(text, /event: gap\ndata: \{"from":"\S+-\d+","to":"\S+-\d+","dropped":\d+\}/u);
    const seqs = [...text.matchAll(/^id: \S+-(\d+)$/gmu)].map(([, seq]) => Number(seq));
    assert.deepEqual(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
  });
});
