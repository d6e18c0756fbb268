import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { openWriter, transaction } from '../../src/store/sqlite/connection.ts';
import { isLocked } from '../../src/store/sqlite/fault.ts';
import { temporaryFolder } from './sqlite-bench.ts';

suite('connections to a SQLite file', () => {
  test('a transaction holds the write lock from its first moment, before it has written', async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    using db = openWriter({ path, busy_timeout_ms: 1 });
    using other = openWriter({ path, busy_timeout_ms: 1 });

    transaction(db, () => assert.throws(() => other.exec('BEGIN IMMEDIATE'), isLocked));
    transaction(other, () => undefined);
  });

  test('a file that is locked before it has a write-ahead log is waited for until the time is up', async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    using other = new DatabaseSync(path);
    other.exec('CREATE TABLE other (value INTEGER); BEGIN IMMEDIATE; INSERT INTO other VALUES (1)');
    const started_ms = performance.now();

    assert.throws(() => openWriter({ path, busy_timeout_ms: 60 }), isLocked);
    assert.ok(performance.now() - started_ms >= 55);
  });

  test('what is acknowledged is on the disk: every commit is synchronous', async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    using db = openWriter({ path, busy_timeout_ms: 1 });

    const FULL = 2;
    assert.equal(db.prepare('PRAGMA synchronous').get()?.synchronous, FULL);
  });
});
