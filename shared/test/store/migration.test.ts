import assert from 'node:assert/strict';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readMigrations } from '../../src/store/migration.ts';
import { openSqliteReader, openSqliteStore } from '../../src/store/sqlite/store.ts';
import { changes } from './deliveries.ts';
import { rowsIn, temporaryFolder, tryReader, tryStore } from './sqlite-bench.ts';

const RELEASED = fileURLToPath(new URL('../../../sql/sqlite', import.meta.url));

interface Place {
  readonly path: string;
  readonly migrations: string;
}

/** A database path and a copy of the release's migrations that a test may change. */
async function place(t: TestContext): Promise<Place> {
  const folder = await temporaryFolder(t);
  const migrations = join(folder, 'sql');
  await cp(RELEASED, migrations, { recursive: true });
  await writeFile(join(migrations, '0003_note.sql'), 'CREATE TABLE note (text TEXT NOT NULL) STRICT;\n');
  return { path: join(folder, 'mesh.db'), migrations };
}

const schemaOf = (path: string): readonly unknown[] => [
  rowsIn(path, 'SELECT type, name, sql FROM sqlite_schema ORDER BY name'),
  rowsIn(path, 'SELECT number, name, sha256, applied_ms FROM schema_migration ORDER BY number'),
];

async function assertRefused(options: Place, code: string): Promise<void> {
  const before = schemaOf(options.path);
  await assert.rejects(tryStore(options), { name: 'MeshError', code, retryable: false });
  assert.deepEqual(schemaOf(options.path), before);
}

suite('migrations of SQLite', () => {
  test('a new database gets every file in order, and opening it again changes nothing', async (t) => {
    const options = await place(t);
    await tryStore(options);
    const after = schemaOf(options.path);
    const [first] = readMigrations(options.migrations);

    await tryStore(options);

    assert.deepEqual(schemaOf(options.path), after);
    const rows = rowsIn(options.path, 'SELECT number, name, sha256 FROM schema_migration ORDER BY number');
    assert.deepEqual(rows[0], { number: 1, name: '0001_foundation.sql', sha256: first?.sha256 });
    assert.equal(rows.at(-1)?.name, '0003_note.sql');
  });

  test('a database of an older release keeps its rows and gets what is pending', async (t) => {
    const options = await place(t);
    await rename(join(options.migrations, '0003_note.sql'), join(options.migrations, 'later'));
    {
      await using store = await openSqliteStore(options);
      await store.apply(changes(3));
    }
    await rename(join(options.migrations, 'later'), join(options.migrations, '0003_note.sql'));
    await assert.rejects(tryReader(options), { code: 'store_unavailable', retryable: true });
    await using store = await openSqliteStore(options);

    assert.equal((await store.events({ limit: 10 })).length, 3);
    assert.deepEqual(rowsIn(options.path, 'SELECT count(*) AS count FROM note'), [{ count: 0 }]);
  });

  test('an applied file that was edited is refused', async (t) => {
    const options = await place(t);
    await tryStore(options);
    const file = join(options.migrations, '0001_foundation.sql');
    await writeFile(file, `${await readFile(file, 'utf8')}-- edited\n`);
    await writeFile(join(options.migrations, '0004_more.sql'), 'CREATE TABLE more (text TEXT) STRICT;');

    await assertRefused(options, 'migration_changed');
  });

  test('CRLF line ends are no edit', async (t) => {
    const options = await place(t);
    await tryStore(options);
    const file = join(options.migrations, '0001_foundation.sql');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('\n', '\r\n'));

    await tryStore(options);
  });

  test('a database of a newer release is refused to the writer and still read by a reader', async (t) => {
    const options = await place(t);
    await tryStore(options);
    await rm(join(options.migrations, '0003_note.sql'));

    await assertRefused(options, 'migration_newer');
    await using reader = await openSqliteReader(options);
    await reader.ping();
  });

  test('a gap among the files, or a number given twice, is refused', async (t) => {
    const options = await place(t);
    await tryStore(options);
    await writeFile(join(options.migrations, '0005_more.sql'), 'CREATE TABLE more (text TEXT) STRICT;');
    await assertRefused(options, 'migration_gap');

    await rename(join(options.migrations, '0005_more.sql'), join(options.migrations, '0003_twice.sql'));
    await assertRefused(options, 'migration_gap');
  });

  test('a file whose name has no number is refused', async (t) => {
    const options = await place(t);
    await tryStore(options);
    await writeFile(join(options.migrations, 'more.sql'), 'CREATE TABLE more (text TEXT) STRICT;');

    await assertRefused(options, 'migration_invalid');
  });

  test('when a file fails nothing of any pending file remains, and the repaired file is applied', async (t) => {
    const options = await place(t);
    await tryStore(options);
    const failing = join(options.migrations, '0005_failing.sql');
    await writeFile(join(options.migrations, '0004_good.sql'), 'CREATE TABLE good (text TEXT) STRICT;');
    await writeFile(failing, 'CREATE TABLE half (text TEXT) STRICT; INSERT INTO nowhere VALUES (1);');
    await assertRefused(options, 'migration_failed');

    await writeFile(failing, 'CREATE TABLE half (text TEXT) STRICT;');
    await tryStore(options);
    assert.equal(rowsIn(options.path, 'SELECT max(number) AS number FROM schema_migration')[0]?.number, 5);
  });

  test('a file that ends the transaction itself is refused', async (t) => {
    const options = await place(t);
    await writeFile(join(options.migrations, '0004_commit.sql'), 'COMMIT;');

    await assert.rejects(tryStore(options), { code: 'migration_failed' });
  });

  test('a folder without migrations is refused before a database is made', async (t) => {
    const options = await place(t);

    await assert.rejects(tryStore({ ...options, migrations: join(options.migrations, 'none') }), {
      code: 'migration_invalid',
    });
    assert.throws(() => rowsIn(options.path, 'SELECT * FROM schema_migration'));
  });

  for (const [title, isNew] of [
    ['a new database', true],
    ['a database of an older release', false],
  ] as const) {
    test(`six threads that open ${title} at once apply each pending file once`, async (t) => {
      const options = await place(t);
      if (!isNew) await tryStore({ ...options, migrations: RELEASED });
      const openAndWrite = async (index: number): Promise<void> => {
        await using store = await openSqliteStore(options);
        await store.apply(changes(5, index * 5));
      };
      const outcomes = await Promise.allSettled([0, 1, 2, 3, 4, 5].map(openAndWrite));

      assert.deepEqual(
        outcomes.filter(({ status }) => status === 'rejected'),
        [],
      );
      assert.deepEqual(rowsIn(options.path, 'SELECT count(*) AS count FROM device_event'), [{ count: 30 }]);
      assert.deepEqual(rowsIn(options.path, 'SELECT number FROM schema_migration ORDER BY number'), [
        { number: 1 },
        { number: 2 },
        { number: 3 },
      ]);
    });
  }
});
