import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../src/errors.ts';
import { readMigrations } from '../../src/store/migration.ts';
import { faultOf } from '../../src/store/sqlite/fault.ts';
import { migrate } from '../../src/store/sqlite/migration.ts';
import { prepareWriting } from '../../src/store/sqlite/writing.ts';
import { changes, NOW_MS } from './deliveries.ts';
import { temporaryFolder } from './sqlite-bench.ts';

const MIGRATIONS = fileURLToPath(new URL('../../../sql/sqlite', import.meta.url));

/** What SQLite really throws. */
function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail('expected an error');
}

const decided = (error: unknown): readonly [string, boolean] => {
  const { code, retryable } = faultOf(error, '/data/mesh.db');
  return [code, retryable];
};

suite('faults of SQLite as the mesh names them', () => {
  test('a full disk is retryable, the batch is undone, and the connection writes again when there is room', () => {
    using db = new DatabaseSync(':memory:');
    migrate(db, readMigrations(MIGRATIONS), NOW_MS);
    const writing = prepareWriting(db);
    writing.apply(changes(1));
    const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count);
    db.exec(`PRAGMA max_page_count = ${pages + 1}`);

    assert.deepEqual(decided(thrownBy(() => writing.apply(changes(2000, 10)))), ['store_full', true]);
    assert.deepEqual(db.prepare('SELECT count(*) AS count FROM inbox').get()?.count, 1);
    db.exec('PRAGMA max_page_count = 100000');
    assert.deepEqual(writing.apply(changes(2000, 10)), { applied: 2000, duplicates: 0 });
  });

  test('writing to a file that is open for reading only is read-only, and no retry helps', async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    using writer = new DatabaseSync(path);
    migrate(writer, readMigrations(MIGRATIONS), NOW_MS);
    using db = new DatabaseSync(path, { readOnly: true });

    assert.deepEqual(decided(thrownBy(() => prepareWriting(db).apply(changes(1)))), ['store_readonly', false]);
  });

  test('an extended result code is decided by its primary code', () => {
    using db = new DatabaseSync(':memory:');
    db.exec('CREATE TABLE number (value INTEGER PRIMARY KEY) STRICT; INSERT INTO number VALUES (1)');

    assert.deepEqual(decided(thrownBy(() => db.exec('INSERT INTO number VALUES (1)'))), ['store_refused', false]);
  });

  test('what the file system refuses is decided by its code', () => {
    const system = (code: string): Error => Object.assign(new Error('no matter what it says'), { code });

    assert.deepEqual(decided(system('EROFS')), ['store_readonly', false]);
    assert.deepEqual(decided(system('EACCES')), ['store_readonly', false]);
    assert.deepEqual(decided(system('ENOSPC')), ['store_full', true]);
    assert.deepEqual(decided(system('EIO')), ['store_unavailable', true]);
  });

  test('the text of an error decides nothing, and a MeshError stays what it is', () => {
    const known = new MeshError('migration_gap', 'a gap');

    assert.deepEqual(decided(new Error('database disk image is malformed')), ['store_failed', false]);
    assert.equal(faultOf(known, '/data/mesh.db'), known);
  });
});
