// Owns the proof of what a full disk does to the store: nothing that was called safe is lost, the rest waits for space.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { ignore, within } from '../rig.ts';
import { entry, message, seqsOf } from './bench.ts';

interface SmallDisk {
  /** Opens the store on it; it is closed with the test. */
  open(): Promise<LmdbStore>;
  /** Makes room again. */
  free(): void;
}

/** A disk of a few MiB in memory, most of it taken; `undefined` where this process may not mount one. */
function smallDisk(t: TestContext): SmallDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'broker-disk-'));
  const opened: LmdbStore[] = [];
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', folder]).status === 0;
  t.after(async () => {
    for (const store of opened) await store[Symbol.asyncDispose]();
    if (mounted) execFileSync('umount', [folder]);
    rmdirSync(folder);
  });
  if (!mounted) {
    t.skip('mounting a small disk needs root');
    return undefined;
  }
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(5 * 1024 * 1024));
  return {
    async open() {
      const store = await LmdbStore.open(join(folder, 'broker.lmdb'));
      opened.push(store);
      return store;
    },
    free: () => rmSync(ballast),
  };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const reached = async (): Promise<void> => {
    while (!condition()) await pause(5);
  };
  await within(reached(), what);
}

/** Appends until the disk refuses; `answers` holds what became of each commit. */
async function fillUp(store: LmdbStore, answers: Map<number, 'safe' | 'refused'>): Promise<number> {
  let seq = 0;
  while (store.fault === undefined) {
    for (let count = 0; count < 10; count++) {
      seq += 1;
      const number = seq;
      store.append(1, entry(number, { message: message({ payload: Buffer.alloc(5_000, number) }) }));
      store.commit().then(
        () => answers.set(number, 'safe'),
        () => answers.set(number, 'refused'),
      );
    }
    await until(() => store.fault !== undefined || answers.size === seq, 'answer of the disk');
  }
  return seq;
}

const numbersTo = (last: number): readonly number[] => Array.from({ length: last }, (_, index) => index + 1);

test('commits wait while the disk is full, the fault says so, and all is written when there is space again', async (t) => {
  const disk = smallDisk(t);
  if (disk === undefined) return;
  t.mock.method(console, 'error', ignore); // lmdb's own words
  const store = await disk.open();
  const answers = new Map<number, 'safe' | 'refused'>();
  const last = await fillUp(store, answers);
  assert.match(store.fault ?? '', /the disk refuses what the broker must keep: .*, with \d+ KiB free/u);
  assert.ok(answers.size > 0 && answers.size < last);
  assert.deepEqual(seqsOf(store.read(1, 1, 1_000_000)), numbersTo(last));
  disk.free();
  await within(store.commit(), 'commit');
  assert.equal(store.fault, undefined);
  assert.deepEqual([...answers.keys()], numbersTo(last));
  assert.ok([...answers.values()].every((answer) => answer === 'safe'));
  await store[Symbol.asyncDispose]();
  const again = await disk.open();
  assert.deepEqual(seqsOf(again.read(1, 1, 1_000_000)), numbersTo(last));
});

test('a stop while the disk is full keeps what was called safe, and calls nothing else so', async (t) => {
  const disk = smallDisk(t);
  if (disk === undefined) return;
  t.mock.method(console, 'error', ignore);
  const store = await disk.open();
  const answers = new Map<number, 'safe' | 'refused'>();
  const last = await fillUp(store, answers);
  const safe = [...answers].filter(([, answer]) => answer === 'safe').map(([number]) => number);
  await within(store[Symbol.asyncDispose](), 'stop');
  assert.equal([...answers.values()].filter((answer) => answer === 'safe').length, safe.length);
  assert.equal(answers.size, last);
  disk.free();
  const again = await disk.open();
  assert.deepEqual(seqsOf(again.read(1, 1, 1_000_000)), safe);
});
