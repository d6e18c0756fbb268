// The memory of the feed: what it gives back, and what it says when it no longer can.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { type EventDraft, EventRing, type HouseEvent, parsePosition, RING_BYTES_MAX } from '../src/event-ring.ts';

const draft = (bytes = 1): EventDraft => ({
  topic: 'monitor/maj',
  device: 'a',
  key: 'device a',
  frameOf: () => Buffer.alloc(bytes),
});
const seqs = (events: readonly HouseEvent[] | undefined): readonly number[] | undefined =>
  events?.map(({ seq }) => seq);
const from = (start: number, end: number): readonly number[] =>
  Array.from({ length: Math.max(0, end - start + 1) }, (_, index) => start + index);

suite('event ring', () => {
  /** Around the two ends of what is known. */
  const offset = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -100, max: 100 }));

  test('after any position it gives exactly the events since then, or says that it can not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(2_500), offset, fc.boolean(), (max, pushed, by, young) => {
        const seq = Math.max(0, (young ? pushed : pushed - max) + by);
        const ring = new EventRing('e', max);
        for (let count = 0; count < pushed; count++) ring.push(draft());
        const known = seq <= pushed && seq >= pushed - max;
        assert.deepEqual(seqs(ring.after({ epoch: 'e', seq })), known ? from(seq + 1, pushed) : undefined);
        assert.equal(ring.seq, pushed);
      }),
      { numRuns: 100 },
    );
  });

  test('its bytes are bounded as well, and one event larger than the bound is not kept', () => {
    const ring = new EventRing('e', 1_000);
    const quarter = RING_BYTES_MAX / 4;
    for (let count = 0; count < 6; count++) ring.push(draft(quarter));
    assert.deepEqual(seqs(ring.after({ epoch: 'e', seq: 2 })), [3, 4, 5, 6]);
    assert.equal(seqs(ring.after({ epoch: 'e', seq: 1 })), undefined);
    ring.push(draft(RING_BYTES_MAX + 1));
    assert.deepEqual(seqs(ring.after({ epoch: 'e', seq: 7 })), []);
    assert.equal(seqs(ring.after({ epoch: 'e', seq: 6 })), undefined);
    ring.push(draft());
    assert.deepEqual(seqs(ring.after({ epoch: 'e', seq: 7 })), [8]);
  });

  test('frames of the old servers count as well, and all that is known is given oldest first', () => {
    const ring = new EventRing('e', 1_000);
    const oldOf = () => ({ page: Buffer.alloc(RING_BYTES_MAX / 4), fact: Buffer.alloc(RING_BYTES_MAX / 4) });
    for (let count = 0; count < 3; count++) ring.push({ ...draft(), oldOf });
    assert.deepEqual(seqs(ring.all()), [3]);
    ring.push(draft());
    assert.deepEqual(seqs(ring.all()), [3, 4]);
  });

  test('another epoch is another life, whose numbers mean nothing here', () => {
    const ring = new EventRing('e');
    ring.push(draft());
    assert.equal(seqs(ring.after({ epoch: 'f', seq: 0 })), undefined);
    assert.deepEqual(seqs(ring.after({ epoch: 'e', seq: 0 })), [1]);
  });

  test('an event is built once, with the id that its viewers see', () => {
    const ids: string[] = [];
    const ring = new EventRing('mf3k');
    const frameOf = (id: string): Buffer => {
      ids.push(id);
      return Buffer.from(id);
    };
    const event = ring.push({ ...draft(), frameOf });
    assert.deepEqual([ids, event.frame.toString(), ring.idOf(event.seq)], [['mf3k-1'], 'mf3k-1', 'mf3k-1']);
  });
});

suite('positions', () => {
  test('an id of the ring is read back, blanks around it allowed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (time, seq) => {
        const epoch = time.toString(36);
        assert.deepEqual(parsePosition(` ${new EventRing(epoch).idOf(seq)} `), { epoch, seq });
      }),
    );
  });

  for (const strange of [
    '',
    '-',
    '1',
    'e-',
    '-1',
    'e-1-1',
    'E-1',
    'e-1.5',
    'e--1',
    'e-1e9',
    `e-${'9'.repeat(16)}`,
    `${'e'.repeat(17)}-1`,
  ])
    test(`'${strange}' is none of ours`, () => assert.equal(parsePosition(strange), undefined));
});
