import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { MeshError } from '../../src/errors.ts';
import { openStore, openStoreReader, parseDatabaseUrl } from '../../src/store/open-store.ts';
import { temporaryFolder } from './sqlite-bench.ts';

suite('DATABASE_URL', () => {
  test('names a SQLite file by a relative or an absolute path, taken as written', () => {
    const examples = [
      ['sqlite:data/mesh.db', 'data/mesh.db'],
      ['sqlite:./data/mesh.db', './data/mesh.db'],
      ['sqlite:/var/lib/mesh.db', '/var/lib/mesh.db'],
      ['sqlite:///var/lib/mesh.db', '/var/lib/mesh.db'],
      ['sqlite:/srv/la maison/é 50%20?.db', '/srv/la maison/é 50%20?.db'],
    ] as const;
    for (const [text, path] of examples) assert.deepEqual(parseDatabaseUrl(text), { kind: 'sqlite', path });
  });

  test('names a MariaDB server', () => {
    for (const url of ['mysql://mesh:secret@db:3306/monitor', 'mariadb://mesh@192.168.1.9/monitor']) {
      assert.deepEqual(parseDatabaseUrl(url), { kind: 'mariadb', url });
    }
  });

  test('anything else is refused without a word of what was given', () => {
    const texts = [
      '',
      'sqlite:',
      'sqlite: ',
      'sqlite://',
      'sqlite:///',
      'sqlite://data/mesh.db',
      'sqlite:////x',
      'sqlite:data/',
      'sqlite::memory:',
    ];
    const others = [
      'sqlite:a\0b',
      'mysql:',
      'mysql://',
      'mysql:///monitor',
      'postgres://me:hunter2@db/x',
      'mysql://me:hunter2@[bad/x',
      'mesh.db',
    ];
    for (const text of [...texts, ...others]) {
      const isPlain = (error: unknown): boolean =>
        error instanceof Error && error.message === 'expected sqlite:PATH or mysql://…';
      assert.throws(() => parseDatabaseUrl(text), isPlain, text);
    }
  });

  test('opens a store and a reader beside it', async (t) => {
    const target = parseDatabaseUrl(`sqlite:${join(await temporaryFolder(t), 'mesh.db')}`);
    await using store = await openStore(target);
    await using reader = await openStoreReader(target);

    await store.ping();
    await reader.ping();
  });

  test('a MariaDB server that is away is told by host and database, without its password', async () => {
    const target = parseDatabaseUrl('mysql://mesh:hunter2@127.0.0.1:1/monitor');

    for (const open of [openStore, openStoreReader]) {
      await assert.rejects(open(target), (error: unknown) => {
        assert.ok(error instanceof MeshError);
        assert.deepEqual([error.code, error.retryable], ['store_unavailable', true]);
        assert.match(error.message, /^database 127\.0\.0\.1:1\/monitor: /u);
        assert.doesNotMatch(error.message, /hunter2/u);
        return true;
      });
    }
  });
});
