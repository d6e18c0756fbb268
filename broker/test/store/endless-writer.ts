// Commits numbers into the store of a path without end, and prints each one that is safe; run and killed by a test.
import { writeSync } from 'node:fs';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { entry, message } from './bench.ts';

const STDOUT = 1;
/** Commits that wait at once. */
const WINDOW = 20;

const store = await LmdbStore.open(process.argv[2] ?? '');
const extent = store.load().queues.get(1);
let last = extent?.last ?? 0;

async function commitNext(): Promise<void> {
  for (;;) {
    last += 1;
    const number = last;
    // Large and small in turn, so that pages of both kinds are written; the twin shows whether a batch is whole.
    const payload = Buffer.alloc(number % 7 === 0 ? 9_000 : 30, number);
    store.append(1, entry(number, { message: message({ payload }) }));
    store.putRetained(message({ topic: 'last', payload: Buffer.from(String(number)) }));
    store.append(2, entry(number));
    if (number % 10 === 0) store.remove(2, number - 5);
    await store.commit();
    writeSync(STDOUT, `${number}\n`);
  }
}

await Promise.all(Array.from({ length: WINDOW }, commitNext));
