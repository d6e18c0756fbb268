import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openRequest, openSqliteStore, storeOn } from '../../src/store/sqlite/store.ts';
import { SqliteThread } from '../../src/store/sqlite/thread.ts';
import { change, changes, delivery, raw } from './deliveries.ts';
import { rowsIn, sqliteBench, temporaryFolder, tryReader, tryStore } from './sqlite-bench.ts';
import { storeSuite } from './store-suite.ts';

storeSuite('store on SQLite', sqliteBench);

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);
const countIn = (path: string, table: 'inbox' | 'device_event' | 'raw_message'): number =>
  Number(rowsIn(path, `SELECT count(*) AS count FROM ${table}`)[0]?.count);

function assertWhole(path: string, batchSize: number): number {
  const deliveries = countIn(path, 'inbox');
  assert.equal(countIn(path, 'device_event'), deliveries);
  assert.equal(countIn(path, 'raw_message'), deliveries);
  assert.equal(deliveries % batchSize, 0);
  assert.deepEqual(rowsIn(path, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
  return deliveries;
}

suite('the file of a SQLite store', () => {
  test('a missing folder is made for its owner alone, and so are the database and its log', async (t) => {
    const folder = join(await temporaryFolder(t), 'data', 'store');
    const path = join(folder, 'mesh.db');
    await using store = await openSqliteStore({ path });
    await store.apply(changes(1));

    assert.equal(await modeOf(folder), '700');
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal(await modeOf(file), '600');
  });

  test('the database keeps a write-ahead log', async (t) => {
    const { path, open } = await sqliteBench(t);
    await using _store = await open();

    assert.deepEqual(rowsIn(path, 'PRAGMA journal_mode'), [{ journal_mode: 'wal' }]);
  });

  test('a reader is told to wait while there is no database, and while it has no tables', async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    await assert.rejects(tryReader({ path }), { code: 'store_unavailable', retryable: true });

    await writeFile(path, '');
    await assert.rejects(tryReader({ path }), { code: 'store_unavailable', retryable: true });
  });

  test('a reader opens a database whose writer is gone', async (t) => {
    const { open, openReader } = await sqliteBench(t);
    {
      await using store = await open();
      await store.apply(changes(2));
    }
    await using reader = await openReader();

    assert.equal((await reader.events({ limit: 10 })).length, 2);
  });
});

suite('faults of a SQLite store', () => {
  test('a file that is not a database is damaged, for the writer and for a reader, and is left as it is', async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    await writeFile(path, 'not a database '.repeat(400));

    await assert.rejects(tryStore({ path }), { name: 'MeshError', code: 'store_damaged', retryable: false });
    await assert.rejects(tryReader({ path }), { code: 'store_damaged', retryable: false });
    assert.equal((await stat(path)).size, 6000);
  });

  test('a damaged page is reported as damage by the request that meets it, and the thread lives on', async (t) => {
    const { path, open, openReader } = await sqliteBench(t);
    {
      await using store = await open();
      await store.apply(changes(500));
    }
    await damage(path, 'device_event');
    await using reader = await openReader();

    await assert.rejects(reader.events({ limit: 1000 }), { code: 'store_damaged', retryable: false });
    assert.deepEqual(await reader.messages(), []);
  });

  test('a path that is a folder is unavailable', async (t) => {
    const path = await temporaryFolder(t);

    await assert.rejects(tryStore({ path }), { code: 'store_unavailable', retryable: true });
  });

  test('a lock held elsewhere is retryable, and the same deliveries pass when it is gone', async (t) => {
    const { path } = await sqliteBench(t);
    await using store = await openSqliteStore({ path, busy_timeout_ms: 1 });
    using other = new DatabaseSync(path);
    other.exec('BEGIN IMMEDIATE');

    await assert.rejects(store.apply(changes(3)), { code: 'store_locked', retryable: true });
    await store.ping();
    other.exec('ROLLBACK');
    assert.deepEqual(await store.apply(changes(3)), { applied: 3, duplicates: 0 });
  });

  test('a file without write permission is read-only', {
    skip: process.getuid?.() === 0 && 'root may write anything',
  }, async (t) => {
    const { path, open } = await sqliteBench(t);
    {
      await using _store = await open();
    }
    await chmod(path, 0o400);

    await assert.rejects(tryStore({ path }), { code: 'store_readonly', retryable: false });
  });

  test('a folder that cannot be made is reported, not thrown raw', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'file'), '');

    await assert.rejects(tryStore({ path: join(folder, 'file', 'mesh.db') }), {
      name: 'MeshError',
      code: 'store_unavailable',
    });
  });
});

/** Overwrites the root page of a table. */
async function damage(path: string, table: string): Promise<void> {
  const page = Number(rowsIn(path, `SELECT rootpage FROM sqlite_schema WHERE name = '${table}'`)[0]?.rootpage);
  const page_bytes = Number(rowsIn(path, 'PRAGMA page_size')[0]?.page_size);
  await using file = await open(path, 'r+');
  await file.write(Buffer.alloc(page_bytes, 0xff), 0, page_bytes, (page - 1) * page_bytes);
}

suite('the thread of a SQLite store', () => {
  test('when it dies every pending request rejects retryable, and so does the next call', async (t) => {
    const { path } = await sqliteBench(t);
    const thread = await SqliteThread.open(openRequest('writer', { path }));
    t.after(() => thread.kill());
    const store = storeOn(thread);
    const pending = [store.apply(changes(500)), store.events({ limit: 1 }), store.ping()].map((asked) =>
      assert.rejects(asked, { name: 'MeshError', code: 'store_stopped', retryable: true }),
    );
    await thread.kill();

    await Promise.all(pending);
    await assert.rejects(store.apply(changes(1)), { code: 'store_stopped', retryable: true });
    await store[Symbol.asyncDispose]();
  });

  test('when it is killed while it writes, a store opened again holds whole batches and all that was acknowledged', async (t) => {
    const { path, open } = await sqliteBench(t);
    const batchSize = 40;
    const thread = await SqliteThread.open(openRequest('writer', { path }));
    t.after(() => thread.kill());
    const store = storeOn(thread);
    const asked = Array.from({ length: 400 }, (_, batch) =>
      store.apply(Array.from({ length: batchSize }, (__, index) => delivery(`${batch}-${index}`, change(), raw()))),
    );
    const outcomes = Promise.allSettled(asked);
    await asked[3];
    await thread.kill();

    const acknowledged = (await outcomes).filter(({ status }) => status === 'fulfilled').length;
    await using _store = await open();
    const kept = assertWhole(path, batchSize);
    assert.ok(acknowledged >= 4 && acknowledged < 400, `acknowledged ${acknowledged} batches`);
    assert.ok(kept >= acknowledged * batchSize, `kept ${kept}, acknowledged ${acknowledged} batches`);
  });
});

suite('processes on one SQLite file', () => {
  const forkWriter = (t: TestContext, path: string): ChildProcess => {
    const child = fork(fileURLToPath(new URL('./endless-writer.ts', import.meta.url)), [path, '25'], { execArgv: [] });
    t.after(() => child.kill('SIGKILL'));
    return child;
  };

  test('three that open a new database at once migrate it once, and all write', { timeout: 30_000 }, async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    const children = [1, 2, 3].map(() => forkWriter(t, path));

    for (const child of children) await once(child, 'message');
    for (const child of children) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    assertWhole(path, 25);
    assert.deepEqual(rowsIn(path, 'SELECT number, name FROM schema_migration'), [
      { number: 1, name: '0001_foundation.sql' },
      { number: 2, name: '0002_measurements_and_house.sql' },
    ]);
  });

  test('one killed while it writes leaves whole batches and all that was acknowledged', {
    timeout: 30_000,
  }, async (t) => {
    const path = join(await temporaryFolder(t), 'mesh.db');
    const child = forkWriter(t, path);
    let acknowledged = 0;
    const enough = Promise.withResolvers<void>();
    child.on('message', () => {
      acknowledged += 1;
      if (acknowledged === 20) enough.resolve();
    });
    await enough.promise;
    child.kill('SIGKILL');
    await once(child, 'exit');

    await using _store = await openSqliteStore({ path });
    assert.ok(assertWhole(path, 25) >= acknowledged * 25);
  });
});
