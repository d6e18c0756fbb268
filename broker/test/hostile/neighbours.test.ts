// Owns the proof that nobody notices a neighbour who is frozen, slow, or has a lot to catch up with.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { runNeighbours } from './neighbours.ts';

/** Far above what is seen, far below what a household would notice. */
const P99_MS_MAX = 150;

test('healthy clients get their messages beside a frozen, a slow and a catching-up neighbour', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'neighbours-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { alone, beside, drained } = await runNeighbours({ folder, queued: 5_000, seconds: 2 });
  t.diagnostic(
    `p99 alone ${alone.p99_ms.toFixed(2)} ms, beside them ${beside.p99_ms.toFixed(2)} ms, ${drained} caught up`,
  );
  assert.ok(beside.p99_ms < P99_MS_MAX);
  assert.ok(drained > 0);
});
