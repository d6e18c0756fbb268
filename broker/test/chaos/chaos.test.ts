// Owns the proof that a kill takes back nothing that was acknowledged, and that this proof can fail.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type History, type Sent, violationsOf } from './history.ts';
import { runChaos } from './run.ts';

const SHORT = { seed: 20_261_125, publishers: 3, count: 1_500, broker_kills: 3, writer_kills: 1, drain_ms: 15_000 };

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('broker and database service killed under load: nothing acknowledged is lost, doubled or out of order', async (t) => {
  const { violations, figures } = await runChaos({ ...SHORT, folder: newFolder(t), durable: true });
  t.diagnostic(JSON.stringify(figures));
  assert.deepEqual(violations.slice(0, 10), []);
  assert.ok((figures.broker_kills ?? 0) > 0);
});

test('a broker that keeps nothing is found out by the same run', async (t) => {
  const { violations } = await runChaos({ ...SHORT, folder: newFolder(t), durable: false, drain_ms: 1_500 });
  assert.ok(violations.some((text) => text.includes('which was acknowledged')));
});

const sent = (mid: string, n: number, qos: 0 | 1 | 2 = 1, topic = 'chaos/p0'): Sent => ({ mid, n, qos, topic });
const seen = ({ mid, n, topic }: Sent): { mid: string; n: number; topic: string } => ({ mid, n, topic });
const [a, b, c] = [sent('a', 0), sent('b', 1), sent('c', 2, 2)];
const row = sent('row', 3, 1, 'monitor/maj');
const GOOD: History = {
  sent: new Map([['p0', [a, b, c, row]]]),
  acknowledged: new Set(['a', 'b', 'c', 'row']),
  seen: new Map([['twice', [a, b, a, c].map(seen)]]),
  exactly_once: new Set(['twice']),
  rows: new Map([['row', 1]]),
  retained: new Map([['chaos/p0/kept', '7']]),
  retained_allowed: new Map([['chaos/p0/kept', new Set(['7', '14'])]]),
  acks_out_of_order: 0,
};

test('a history in which every promise was kept has no violation', () => {
  assert.deepEqual(violationsOf(GOOD), []);
});

const BROKEN: readonly (readonly [string, Partial<History>, RegExp])[] = [
  ['a lost message', { seen: new Map([['twice', [a, c].map(seen)]]) }, /twice lost b/u],
  ['a lost row', { rows: new Map() }, /the database lost row/u],
  ['a double row', { rows: new Map([['row', 2]]) }, /row has 2 rows/u],
  ['a broken order', { seen: new Map([['twice', [b, a, c].map(seen)]]) }, /chaos\/p0 0 after 1/u],
  ['QoS 2 twice', { seen: new Map([['twice', [a, b, c, c].map(seen)]]) }, /twice at QoS 2/u],
  ['an old retained value', { retained: new Map([['chaos/p0/kept', '0']]) }, /retains 0, expected 7 or 14/u],
  ['acknowledgements out of order', { acks_out_of_order: 1 }, /out of order/u],
];
for (const [what, change, expected] of BROKEN)
  test(`${what} is a violation, and the only one`, () => {
    const violations = violationsOf({ ...GOOD, ...change });
    assert.equal(violations.length, 1);
    assert.match(violations[0] ?? '', expected);
  });
