// Refused input is told at once, then once a minute with its number; none is lost in the count.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { type Rejection, RejectTally } from '../../src/bus/reject-tally.ts';

function rig(): { readonly tally: RejectTally; readonly reports: Rejection[] } {
  const reports: Rejection[] = [];
  return { reports, tally: new RejectTally((rejection) => reports.push(rejection)) };
}

suite('reject tally', () => {
  test('the first is told at once, the rest of its minute as one number', () => {
    const { tally, reports } = rig();
    for (let count = 0; count < 1_000; count++) tally.add('monitor/maj', 'expected JSON');
    tally.add('monitor/maj', 'expected UTF-8');
    assert.deepEqual(reports.splice(0), [
      { topic: 'monitor/maj', reason: 'expected JSON', count: 1 },
      { topic: 'monitor/maj', reason: 'expected UTF-8', count: 1 },
    ]);
    tally.flush();
    assert.deepEqual(reports, [{ topic: 'monitor/maj', reason: 'expected JSON', count: 999 }]);
  });

  test('what goes on makes one report a minute, and what has gone quiet is told at once when it comes back', () => {
    const { tally, reports } = rig();
    tally.add('a', 'why');
    tally.add('a', 'why');
    tally.flush();
    tally.add('a', 'why');
    assert.equal(reports.length, 2);
    tally.flush();
    assert.equal(reports.length, 3);
    tally.flush();
    tally.add('a', 'why');
    assert.deepEqual(reports.at(-1), { topic: 'a', reason: 'why', count: 1 });
    assert.equal(reports.length, 4);
  });

  test('topics without end are counted under one name beyond the limit', () => {
    const { tally, reports } = rig();
    for (let count = 0; count < 1_000; count++) tally.add(`t${count}`, 'why');
    assert.equal(reports.length, 256);
    tally.flush();
    assert.deepEqual(reports.slice(256), [
      { topic: 'other topics', reason: 'more than 256 kinds in one minute', count: 744 },
    ]);
  });

  test('a reason without end is cut', () => {
    const { tally, reports } = rig();
    tally.add('a', 'x'.repeat(10_000));
    assert.equal(reports[0]?.reason.length, 301);
  });

  test('after two flushes every refusal has been told exactly once, in whatever order they came', () => {
    const step = fc.oneof(
      {
        weight: 20,
        arbitrary: fc.tuple(
          fc.nat(400).map((n) => `t${n}`),
          fc.constantFrom('x', 'y'),
        ),
      },
      { weight: 1, arbitrary: fc.constant('flush' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2_000, size: 'max' }), (steps) => {
        const { tally, reports } = rig();
        for (const step of steps) step === 'flush' ? tally.flush() : tally.add(...step);
        tally.flush();
        const told = reports.reduce((sum, { count }) => sum + count, 0);
        assert.equal(told, steps.filter((step) => step !== 'flush').length);
        const before = reports.length;
        tally.flush();
        assert.equal(reports.length, before);
      }),
      { numRuns: 30 },
    );
  });
});
