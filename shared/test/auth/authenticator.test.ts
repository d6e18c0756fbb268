// Who is this? Answers, and how guessing is slowed down.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, suite, type TestContext, test } from 'node:test';
import { AccessFile } from '../../src/auth/access-file.ts';
import { type Answer, Authenticator } from '../../src/auth/authenticator.ts';
import { digestOf, hashPassword } from '../../src/auth/password.ts';
import { temporaryFolder } from './folder.ts';

const RIGHT = 'correct horse';
const WRONG = { refused: 'unknown user or wrong password' };
/** No hash: judged wrong at once, so that the tests of the waiting cost no scrypt. */
const CHEAP = 'none';
let hash = '';
before(async () => {
  hash = await hashPassword(RIGHT);
});

interface Rig {
  readonly authenticator: Authenticator;
  readonly file: AccessFile;
  wait(ms: number): void;
}

function rig(t: TestContext): Rig {
  let nowMs = 1_000;
  const file = new AccessFile(join(temporaryFolder(t), 'access.json'), () => nowMs);
  const user = (role: 'admin' | 'device', password: string, token: string) => ({
    role,
    password,
    tokens: [{ digest: digestOf(token), created_at: '' }],
    created_at: '',
  });
  file.update((content) => ({
    ...content,
    users: { alice: user('admin', hash, 'mm_alice'), cheap: user('device', CHEAP, 'mm_cheap') },
    services: { alarm: digestOf('the alarm’s secret') },
  }));
  const wait = (ms: number): void => {
    nowMs += ms;
  };
  return { file, authenticator: new Authenticator(file, () => nowMs), wait };
}
const isLocked = (answer: Answer): boolean =>
  'refused' in answer && /^too many wrong passwords, wait \d+ s$/u.test(answer.refused);

suite('answers', () => {
  test('a user with the right password is who they say, with their role', async (t) => {
    assert.deepEqual(await rig(t).authenticator.password('alice', RIGHT, '::1'), { user: 'alice', role: 'admin' });
  });

  test('an unknown user, a wrong password, a part of JavaScript and a service without a secret get the same answer', async (t) => {
    const { authenticator } = rig(t);
    for (const [name, password] of [
      ['alice', 'wrong horse'],
      ['nobody', RIGHT],
      ['', ''],
      ['__proto__', RIGHT],
      ['toString', RIGHT],
      ['alice', 'x'.repeat(257)],
      ['alarm', 'wrong'],
      ['alarm', ''],
      ['db-writer', 'anything'],
      ['db-writer', ''],
    ] as const)
      assert.deepEqual(await authenticator.password(name, password, '::1'), WRONG, name);
  });

  test('a service is known by its own secret', async (t) => {
    const { authenticator } = rig(t);
    assert.deepEqual(await authenticator.password('alarm', 'the alarm’s secret', '::1'), {
      user: 'alarm',
      role: 'alarm',
    });
    assert.deepEqual(await authenticator.password('db-writer', 'the alarm’s secret', '::1'), WRONG);
  });

  test('a token is its user’s, until it is taken away', (t) => {
    const { authenticator, file, wait } = rig(t);
    assert.deepEqual(authenticator.token('mm_alice'), { user: 'alice', role: 'admin' });
    assert.equal(authenticator.token('mm_eve'), undefined);
    assert.equal(authenticator.token(''), undefined);
    file.update((content) => ({ ...content, users: {} }));
    wait(500);
    assert.equal(authenticator.token('mm_alice'), undefined);
    assert.equal(authenticator.user('alice'), undefined);
  });

  test('a password that was changed no longer opens, though it was found right before', async (t) => {
    const { authenticator, file, wait } = rig(t);
    await authenticator.password('alice', RIGHT, '::1');
    file.update((content) => ({
      ...content,
      users: { alice: { role: 'admin', password: CHEAP, tokens: [], created_at: '' } },
    }));
    wait(500);
    assert.deepEqual(await authenticator.password('alice', RIGHT, '::1'), WRONG);
  });
});

suite('guessing', () => {
  test('after five wrong passwords each try waits, twice as long each time and never above a minute', async (t) => {
    const { authenticator, wait } = rig(t);
    const guess = (): Promise<Answer> => authenticator.password('cheap', 'guess', '192.0.2.1');
    for (let turn = 0; turn < 5; turn++) assert.deepEqual(await guess(), WRONG);
    for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      wait(ms - 1);
      assert.ok(isLocked(await guess()), `${ms}`);
      wait(1);
      assert.deepEqual(await guess(), WRONG, `${ms}`);
    }
  });

  test('the wait belongs to one user from one address: neither the user elsewhere nor the neighbour suffers', async (t) => {
    const { authenticator } = rig(t);
    for (let turn = 0; turn < 5; turn++) await authenticator.password('alice', 'x'.repeat(300), '192.0.2.1');
    assert.ok(isLocked(await authenticator.password('alice', RIGHT, '192.0.2.1')));
    assert.deepEqual(await authenticator.password('alice', RIGHT, '192.0.2.2'), { user: 'alice', role: 'admin' });
    assert.deepEqual(await authenticator.password('cheap', 'guess', '192.0.2.1'), WRONG);
  });

  test('names that do not exist are slowed down as well, so that waiting tells nothing', async (t) => {
    const { authenticator } = rig(t);
    for (let turn = 0; turn < 5; turn++)
      assert.deepEqual(await authenticator.password('nobody', 'x'.repeat(300), '::1'), WRONG);
    assert.ok(isLocked(await authenticator.password('nobody', 'guess', '::1')));
  });

  test('the right password forgets the wrong ones before it', async (t) => {
    const { authenticator } = rig(t);
    for (let turn = 0; turn < 3; turn++) {
      for (let wrong = 0; wrong < 4; wrong++) await authenticator.password('alice', 'x'.repeat(300), '::1');
      assert.deepEqual(await authenticator.password('alice', RIGHT, '::1'), { user: 'alice', role: 'admin' });
    }
  });

  test('a hundred guesses at once are judged one after the other: five count, the rest wait', async (t) => {
    const { authenticator } = rig(t);
    const guesses = Array.from({ length: 100 }, () => authenticator.password('cheap', 'guess', '192.0.2.1'));
    const answers = await Promise.all(guesses);
    assert.equal(answers.filter(isLocked).length, 95);
    assert.deepEqual(
      answers.slice(0, 5),
      Array.from({ length: 5 }, () => WRONG),
    );
  });
});
