// The file of users as its readers and its one writer see it, also when it breaks.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { type AccessContent, AccessFile } from '../../src/auth/access-file.ts';
import { temporaryFolder } from './folder.ts';

const ALICE = { role: 'homeassistant', password: 'scrypt$…', tokens: [], created_at: '2026-10-05T07:02:03Z' } as const;
const withUser =
  (name: string) =>
  (before: AccessContent): AccessContent => ({
    ...before,
    users: { ...before.users, [name]: { ...ALICE, tokens: [] } },
  });

interface Rig {
  readonly path: string;
  readonly file: AccessFile;
  /** Lets the reader look at the file again. */
  later(): void;
}

function rig(t: TestContext): Rig {
  const path = join(temporaryFolder(t), 'sub', 'access.json');
  let nowMs = 0;
  const file = new AccessFile(path, () => nowMs);
  const later = (): void => {
    nowMs += 500;
  };
  return { path, file, later };
}
const names = (file: AccessFile): readonly string[] => Object.keys(file.read().users);

suite('reading', () => {
  test('a missing file lets nobody in', (t) => {
    assert.deepEqual(rig(t).file.read(), { version: 1, users: {}, services: {}, networks: [] });
  });

  test('what another process wrote is seen half a second later', (t) => {
    const { file, path, later } = rig(t);
    assert.deepEqual(names(file), []);
    new AccessFile(path).update(withUser('alice'));
    assert.deepEqual(names(file), []);
    later();
    assert.deepEqual(names(file), ['alice']);
  });

  test('a clock that was set back does not keep the old content for longer', (t) => {
    const { path } = rig(t);
    let nowMs = 1_000_000;
    const file = new AccessFile(path, () => nowMs);
    assert.deepEqual(names(file), []);
    new AccessFile(path).update(withUser('alice'));
    nowMs = 0;
    assert.deepEqual(names(file), ['alice']);
  });

  test('a byte order mark and carriage returns of an editor are tolerated', (t) => {
    const { file, path } = rig(t);
    file.update(withUser('alice'));
    writeFileSync(path, `\uFEFF${readFileSync(path, 'utf8').replaceAll('\n', '\r\n')}`);
    assert.deepEqual(names(new AccessFile(path)), ['alice']);
  });

  test('a deleted file shuts everybody out again', (t) => {
    const { file, path, later } = rig(t);
    file.update(withUser('alice'));
    rmSync(path);
    later();
    assert.deepEqual(names(file), []);
  });
});

suite('a damaged file', () => {
  for (const [what, content] of [
    ['half a file', '{"version":1,"users":{'],
    ['another kind of file', '[]'],
    ['a role that does not exist', JSON.stringify({ version: 1, users: { eve: { ...ALICE, role: 'local' } } })],
    ['a version of the future', JSON.stringify({ version: 2 })],
    ['nothing', ''],
  ] as const) {
    test(`${what} is a clear error at the start`, (t) => {
      const { file, path } = rig(t);
      file.update((before) => before);
      writeFileSync(path, content);
      assert.throws(
        () => new AccessFile(path).read(),
        (error: Error) => {
          assert.deepEqual(
            [(error as Error & { code: string }).code, error.message.includes(path)],
            ['access_file_damaged', true],
          );
          return true;
        },
      );
    });

    test(`${what} while running changes nothing until the file is good again, and is not written over`, (t) => {
      const { file, path, later } = rig(t);
      file.update(withUser('alice'));
      writeFileSync(path, content);
      later();
      assert.deepEqual(names(file), ['alice']);
      assert.throws(() => file.update(withUser('bob')), { code: 'access_file_damaged' });
      assert.equal(readFileSync(path, 'utf8'), content);
      later();
      assert.deepEqual(names(file), ['alice']);
      rmSync(path);
      new AccessFile(path).update(withUser('carol'));
      later();
      assert.deepEqual(names(file), ['carol']);
    });
  }
});

suite('writing', () => {
  test('an update is one step: the old file or the new one, nothing beside it, closed to others', (t) => {
    const { file, path } = rig(t);
    file.update(withUser('alice'));
    const before = statSync(path).ino;
    file.update(withUser('bob'));
    assert.notEqual(statSync(path).ino, before);
    assert.equal(statSync(path).mode & 0o777 & ~0o640, 0);
    assert.deepEqual(readdirSync(join(path, '..')), ['access.json']);
    assert.deepEqual(names(new AccessFile(path)), ['alice', 'bob']);
  });

  test('an update begins with what is in the file now, not with what was read before', (t) => {
    const { file, path } = rig(t);
    file.update(withUser('alice'));
    new AccessFile(path).update(withUser('bob'));
    file.update(withUser('carol'));
    assert.deepEqual(names(file), ['alice', 'bob', 'carol']);
  });

  test('a change that throws or does not fit the schema leaves the file as it was', (t) => {
    const { file, path } = rig(t);
    file.update(withUser('alice'));
    const before = readFileSync(path, 'utf8');
    assert.throws(() => file.update(() => assert.fail('no')));
    assert.throws(() => file.update((known) => ({ ...known, networks: [{ network: 7 }] }) as never), {
      name: 'ZodError',
    });
    assert.equal(readFileSync(path, 'utf8'), before);
    assert.deepEqual(readdirSync(join(path, '..')), ['access.json']);
  });
});
