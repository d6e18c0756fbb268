// Owns the proof that broken packets of any kind neither crash nor stall the broker nor fill its memory.
import assert from 'node:assert/strict';
import test from 'node:test';
import { runFuzz } from './fuzz.ts';
import { newFuzz, seeded } from './mutation.ts';

const RSS_MB_MAX = 400;

test('20,000 broken packets harm nobody', async (t) => {
  const report = await runFuzz({ packets: 20_000, seed: 20_261_125 });
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.rss_mb[1] < RSS_MB_MAX, `expected less than ${RSS_MB_MAX} MB, got ${report.rss_mb[1]}`);
});

test('a seed gives the same packets again', () => {
  const packetsOf = (seed: number): readonly string[] => {
    const fuzz = newFuzz(seeded(seed), 1);
    return Array.from({ length: 200 }, () => fuzz.next().toString('hex'));
  };
  assert.deepEqual(packetsOf(7), packetsOf(7));
  assert.notDeepEqual(packetsOf(7), packetsOf(8));
});
