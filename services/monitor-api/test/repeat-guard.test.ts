// A webhook that fires twice is one SMS.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';
import { RepeatGuard } from '../src/repeat-guard.ts';

const WINDOW_MS = 60_000;
const good = (mid: string): PublishOutcome => ({ kind: 'acknowledged', mid });
const bad = (mid: string): PublishOutcome => ({ kind: 'unwritten', mid, reason: 'the broker is not connected' });

class Rig {
  nowMs = 0;
  sent = 0;
  readonly guard: RepeatGuard;

  constructor(windowMs = WINDOW_MS) {
    this.guard = new RepeatGuard(windowMs, () => this.nowMs);
  }

  once(text: string, outcome: (mid: string) => PublishOutcome = good): Promise<PublishOutcome> {
    return this.guard.once(text, `m${this.sent + 1}`, async (mid) => {
      this.sent += 1;
      return outcome(mid);
    });
  }
}

suite('repeat guard', () => {
  test('the same text within the window is sent once and both callers learn the same outcome', async () => {
    const rig = new Rig();
    assert.deepEqual(await Promise.all([rig.once('SOS'), rig.once('SOS')]), [good('m1'), good('m1')]);
    rig.nowMs = WINDOW_MS - 1;
    assert.deepEqual([await rig.once('SOS'), rig.sent], [good('m1'), 1]);
  });

  test('after the window, and for another text at once, it is a new SMS', async () => {
    const rig = new Rig();
    await rig.once('SOS');
    assert.deepEqual(await rig.once('SOS '), good('m2'));
    rig.nowMs = WINDOW_MS;
    assert.deepEqual(await rig.once('SOS'), good('m3'));
  });

  test('what failed is not remembered: the next try is sent', async () => {
    const rig = new Rig();
    assert.deepEqual(await rig.once('SOS', bad), bad('m1'));
    assert.deepEqual(await rig.once('SOS'), good('m2'));
    assert.deepEqual(await rig.once('SOS'), good('m2'));
  });

  test('what may have been sent is sent again as the same message, so that a retry is no second SMS', async () => {
    const rig = new Rig();
    const unknown = (mid: string): PublishOutcome => ({ kind: 'unknown', mid });
    assert.deepEqual(await rig.once('SOS', unknown), unknown('m1'));
    assert.deepEqual(await rig.once('SOS', unknown), unknown('m1'));
    assert.deepEqual(await rig.once('SOS'), good('m1'));
    assert.deepEqual([await rig.once('SOS'), rig.sent], [good('m1'), 3]);
    rig.nowMs = WINDOW_MS;
    assert.deepEqual(await rig.once('SOS'), good('m4'));
  });

  test('a sending that throws is not remembered either', async () => {
    const rig = new Rig();
    await assert.rejects(
      rig.guard.once('SOS', 'm0', () => Promise.reject(new Error('no'))),
      { message: 'no' },
    );
    assert.deepEqual(await rig.once('SOS'), good('m1'));
  });

  test('a late failure does not erase the memory of the newer sending', async () => {
    const rig = new Rig();
    const slow = Promise.withResolvers<PublishOutcome>();
    const first = rig.guard.once('SOS', 'm0', () => slow.promise);
    rig.nowMs = WINDOW_MS;
    await rig.once('SOS');
    slow.resolve(bad('m0'));
    assert.deepEqual(await first, bad('m0'));
    assert.deepEqual([await rig.once('SOS'), rig.sent], [good('m1'), 1]);
  });

  test('a window of 0 remembers nothing', async () => {
    const rig = new Rig(0);
    await rig.once('SOS');
    await rig.once('SOS');
    assert.equal(rig.sent, 2);
  });

  test('texts without end make room by forgetting the oldest', async () => {
    const rig = new Rig();
    for (let index = 0; index < 1_001; index++) await rig.once(`t${index}`);
    await rig.once('t1000');
    assert.equal(rig.sent, 1_001);
    await rig.once('t0');
    assert.equal(rig.sent, 1_002);
  });
});
