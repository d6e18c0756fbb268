// Owns the proof that the store's file is believed only when it is sound, and left alone when it is not.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { open } from 'lmdb';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { META_KEY } from '../../src/store/store-keys.ts';
import { encodeMeta } from '../../src/store/store-meta.ts';
import { entry, message, seqsOf, session, temporaryFolder } from './bench.ts';

const pathIn = (t: TestContext): string => join(temporaryFolder(t), 'broker.lmdb');
const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

/** A store of a few hundred pages, closed in order. */
async function filled(t: TestContext): Promise<string> {
  const path = pathIn(t);
  const store = await LmdbStore.open(path);
  store.putSession(session(store.newNumber()));
  for (let seq = 1; seq <= 500; seq++)
    store.append(1, entry(seq, { message: message({ payload: Buffer.alloc(3_000, seq) }) }));
  await store[Symbol.asyncDispose]();
  return path;
}

/** A database of lmdb with one record, as `put` made it. */
async function database(path: string, key: Buffer, value: Buffer): Promise<void> {
  const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: 'binary', encoding: 'binary' });
  await db.put(key, value);
  await db.close();
}

async function isRefused(path: string, code: string, reason: RegExp): Promise<void> {
  const before = digest(path);
  await assert.rejects(LmdbStore.open(path), (error: Error & { code?: string }) => {
    assert.equal(error.code, code);
    assert.match(error.message, reason);
    assert.ok(error.message.includes(path), error.message);
    return true;
  });
  assert.equal(digest(path), before);
}

test('a file of something else is refused', async (t) => {
  for (const content of ['hello', 'x'.repeat(100_000)]) {
    const path = pathIn(t);
    writeFileSync(path, content);
    await isRefused(path, 'broker_store_damaged', /it is no database of lmdb.*move it away to start empty/u);
    assert.ok(!existsSync(`${path}.open`));
  }
});

test('a folder in the place of the file is refused', async (t) => {
  const path = pathIn(t);
  mkdirSync(path);
  await assert.rejects(LmdbStore.open(path), { code: 'broker_store_damaged' });
});

test('an empty file is a new store', async (t) => {
  const path = pathIn(t);
  writeFileSync(path, '');
  const store = await LmdbStore.open(path);
  t.after(() => store[Symbol.asyncDispose]());
  await store.commit();
  assert.equal(store.boot, 1);
});

test('a file whose end is missing is refused, wherever it was cut', async (t) => {
  const path = await filled(t);
  const { length } = readFileSync(path);
  for (const left of [length - 4_096, Math.floor(length / 2), 8_192]) {
    truncateSync(path, left);
    await isRefused(path, 'broker_store_damaged', /its end is missing/u);
  }
  truncateSync(path, 4_100);
  await isRefused(path, 'broker_store_damaged', /its second page is damaged/u);
});

test('a sound file whose last pages were given back before they were written is taken up', async (t) => {
  const path = pathIn(t);
  const large = message({ payload: Buffer.alloc(100_000) });
  const PAGE_BYTES = 4_096;
  {
    const store = await LmdbStore.open(path);
    // Three transactions first, so that lmdb has free pages of its own to write the rest into.
    for (const seq of [1, 2, 3]) {
      store.append(1, entry(seq));
      await store.commit();
    }
    store.append(1, entry(4, { message: large }));
    store.remove(1, 4);
    await store[Symbol.asyncDispose]();
  }
  const bytes = readFileSync(path);
  const lastPage = Math.max(...[144, PAGE_BYTES + 144].map((at) => Number(bytes.readBigUInt64LE(at))));
  assert.ok(lastPage >= bytes.length / PAGE_BYTES, 'expected a file that is shorter than it announces');
  const store = await LmdbStore.open(path);
  t.after(() => store[Symbol.asyncDispose]());
  assert.deepEqual(seqsOf(store.read(1, 1, 10)), [1, 2, 3]);
  store.append(1, entry(5, { message: large }));
  await store.commit();
});

test('garbage in the middle is found after a life that did not end in order', async (t) => {
  const path = await filled(t);
  const bytes = readFileSync(path);
  bytes.fill(0xa5, bytes.length / 4, bytes.length / 2);
  writeFileSync(path, bytes);
  writeFileSync(`${path}.open`, '');
  await isRefused(path, 'broker_store_damaged', /reading it ended with/u);
});

test('a sound file is taken up after a life that did not end in order', async (t) => {
  const path = await filled(t);
  writeFileSync(`${path}.open`, '');
  const store = await LmdbStore.open(path);
  t.after(() => store[Symbol.asyncDispose]());
  assert.equal(store.read(1, 1, 1_000).length, 500);
});

test('a database of another program is refused', async (t) => {
  const path = pathIn(t);
  await database(path, Buffer.from('name'), Buffer.from('value'));
  await isRefused(path, 'broker_store_foreign', /found another database/u);
  const own = pathIn(t);
  await database(own, META_KEY, Buffer.from('{"name":"something else","format":1}'));
  await isRefused(own, 'broker_store_foreign', /found another database/u);
});

test('a store of a newer release is refused', async (t) => {
  const path = pathIn(t);
  await database(path, META_KEY, encodeMeta({ name: 'monitor-mesh broker', format: 2, boot: 3, numbers: 1 }));
  await isRefused(path, 'broker_store_newer', /newer release \(format 2\)/u);
});

test('the mark of a life that has not ended is there while the store is open, and gone after a stop', async (t) => {
  const path = pathIn(t);
  const store = await LmdbStore.open(path);
  assert.ok(existsSync(`${path}.open`));
  await store[Symbol.asyncDispose]();
  assert.ok(!existsSync(`${path}.open`));
});

test('what was not waited for is safe after a stop in order', async (t) => {
  const path = pathIn(t);
  {
    const store = await LmdbStore.open(path);
    for (const seq of [1, 2, 3]) store.append(1, entry(seq));
    await store[Symbol.asyncDispose]();
  }
  const store = await LmdbStore.open(path);
  t.after(() => store[Symbol.asyncDispose]());
  assert.deepEqual(seqsOf(store.read(1, 1, 10)), [1, 2, 3]);
});
