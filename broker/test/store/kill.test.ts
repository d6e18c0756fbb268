// Owns the proof that a killed process loses nothing that it had called safe.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { within } from '../rig.ts';
import { seqsOf, temporaryFolder } from './bench.ts';

const WRITER = fileURLToPath(new URL('./endless-writer.ts', import.meta.url));
const ROUNDS = 5;

/** Runs the endless writer until it has called `count` numbers safe, kills it, and gives the last one that it called. */
async function killedAfter(t: TestContext, path: string, count: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  let safe = 0;
  let last = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Math.max(last, Number(line));
    safe += 1;
    if (safe === count) child.kill('SIGKILL');
  }
  await within(closed, 'end of the killed process');
  assert.equal(child.signalCode, 'SIGKILL');
  return last;
}

test('after a kill in the middle of its work, every number that was called safe is there, in order and whole', async (t) => {
  const path = join(temporaryFolder(t), 'broker.lmdb');
  for (let round = 1; round <= ROUNDS; round++) {
    const safe = await within(killedAfter(t, path, round * 150), 'kill', 30_000);
    const store = await LmdbStore.open(path);
    try {
      const numbers = seqsOf(store.read(1, 1, 1_000_000));
      assert.ok(numbers.length >= safe, `${safe} were safe, ${numbers.length} are there`);
      assert.deepEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, index) => index + 1),
      );
      const expected = numbers.filter((number) => number % 10 !== 5 || number + 5 > numbers.length);
      assert.deepEqual(seqsOf(store.read(2, 1, 1_000_000)), expected);
      const retained = store.load().retained.map(({ payload }) => Number(payload.toString()));
      assert.deepEqual(retained, [numbers.length]);
      assert.equal(store.boot, 2 * round);
    } finally {
      await store[Symbol.asyncDispose]();
    }
  }
});
