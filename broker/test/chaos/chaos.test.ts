// Owns the proof that kills at any moment break no promise of the broker, and that the chaos would see it if they did.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { runChaos } from './chaos.ts';

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a broker and a db-writer that are killed at chosen moments lose nothing, repeat no QoS 2 and keep every order', async (t) => {
  const seed = 7;
  const { faults, figures } = await runChaos({
    ...{ folder: newFolder(t), seed, rounds: 1, aims_max: 5, store: 'lmdb', drain_ms: 15_000 },
  });
  t.diagnostic(`seed ${seed}: ${JSON.stringify(figures)}`);
  assert.deepEqual(Object.fromEntries(faults), {});
});

test('the same chaos finds out a broker that keeps everything in memory only', async (t) => {
  const { faults } = await runChaos({
    ...{ folder: newFolder(t), seed: 7, rounds: 1, aims_max: 2, store: 'memory', drain_ms: 1_000 },
  });
  assert.ok((faults.get('lost')?.count ?? 0) > 0);
  assert.ok((faults.get('session lost')?.count ?? 0) > 0);
});
