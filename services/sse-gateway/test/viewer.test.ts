// One viewer: in order while it keeps up, last values when it does not, the end when even those are too many.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { HouseEvent } from '../src/event-ring.ts';
import { type Manner, Viewer } from '../src/viewer.ts';
import { parseBlocks, TestSink } from './screen.ts';

const event = (seq: number, key: string): HouseEvent => ({
  seq,
  key,
  topic: 't',
  device: undefined,
  frame: Buffer.from(`id: e-${seq}\ndata: "${key}"\n\n`),
  old: undefined,
});
const HEARTBEAT = Buffer.from(':\n\n');
const STALL_MS = 30;

class Rig {
  readonly sink = new TestSink(1);
  readonly viewer: Viewer;

  constructor(manner: Partial<Manner> = {}) {
    this.viewer = new Viewer(
      { encode: ({ frame }) => frame, idOf: (seq) => `e-${seq}`, coalesce: true, pending_max: 10, ...manner },
      this.sink,
    );
  }

  /** Events numbered from `first`, one for each key. */
  send(keys: readonly string[], first = 1): void {
    for (const [index, key] of keys.entries()) {
      const next = event(first + index, key);
      this.viewer.send(next, next.frame);
    }
  }

  beat(nowMs: number): void {
    this.viewer.beat(HEARTBEAT, nowMs, STALL_MS);
  }
}
const shown = (text: string): readonly string[] =>
  parseBlocks(text).map(({ id, event, data }) => (event === 'gap' ? `gap ${data}` : `${id} ${data}`));

suite('viewer', () => {
  test('one that keeps up gets every event as it is', () => {
    const rig = new Rig();
    for (const seq of [1, 2, 3]) {
      rig.send(['a'], seq);
      assert.deepEqual(shown(rig.sink.take()), [`e-${seq} "a"`]);
    }
    assert.equal(rig.viewer.behind, false);
  });

  test('one that fell behind gets a gap with the number of what is missing, then last values in the order they happened', () => {
    const rig = new Rig();
    rig.send(['a', 'a', 'b', 'a', 'c', 'b']);
    assert.equal(rig.viewer.behind, true);
    assert.deepEqual(shown(rig.sink.take()), ['e-1 "a"']);
    assert.equal(rig.viewer.behind, false);
    assert.deepEqual(shown(rig.sink.take()), [
      'gap {"from":"e-2","to":"e-6","dropped":2}',
      'e-4 "a"',
      'e-5 "c"',
      'e-6 "b"',
    ]);
  });

  test('when nothing was replaced there is no gap to speak of', () => {
    const rig = new Rig();
    rig.send(['a', 'b', 'c']);
    assert.deepEqual(shown(rig.sink.takeAll()), ['e-1 "a"', 'e-2 "b"', 'e-3 "c"']);
  });

  test('it may fall behind again and again, each time with its own gap', () => {
    const rig = new Rig();
    rig.send(['a', 'a', 'a']);
    rig.sink.take();
    rig.send(['a', 'a'], 4);
    assert.deepEqual(shown(rig.sink.takeAll()), [
      'gap {"from":"e-2","to":"e-3","dropped":1}',
      'e-3 "a"',
      'gap {"from":"e-4","to":"e-5","dropped":1}',
      'e-5 "a"',
    ]);
  });

  test('one that may not skip anything is cut instead, and gets nothing after its end', () => {
    const rig = new Rig({ coalesce: false });
    rig.send(['a', 'a', 'a']);
    rig.viewer.write(HEARTBEAT);
    assert.deepEqual([rig.sink.closed, rig.viewer.closed, shown(rig.sink.takeAll())], [true, true, ['e-1 "a"']]);
  });

  test('an opening of any length is no falling behind, but what comes after it counts as ever', () => {
    for (const coalesce of [true, false]) {
      const rig = new Rig({ coalesce });
      rig.viewer.open(Buffer.alloc(1_000));
      rig.send(['a']);
      assert.deepEqual([rig.viewer.behind, rig.viewer.closed], [false, false]);
      rig.sink.takeAll();
      rig.send(['a', 'a'], 2); // nothing waited at the first, so the cap is the usual one at the second
      assert.deepEqual([rig.viewer.behind, rig.viewer.closed], [coalesce, !coalesce]);
    }
  });

  test('last values of more keys than a house has cut it: it comes back to a picture', () => {
    const rig = new Rig();
    for (let seq = 1; !rig.viewer.closed; seq++) {
      assert.ok(seq < 20_000);
      rig.send([`k${seq}`], seq);
    }
    assert.equal(rig.sink.closed, true);
    assert.doesNotThrow(() => rig.sink.takeAll());
  });

  test('the network may take everything after the end, and nothing is written', () => {
    const rig = new Rig();
    rig.send(['a', 'a']);
    rig.viewer.close();
    rig.viewer.close();
    assert.deepEqual(shown(rig.sink.takeAll()), ['e-1 "a"']);
  });
});

suite('a heartbeat', () => {
  test('goes only to one that has taken everything', () => {
    const rig = new Rig();
    rig.beat(0);
    rig.beat(1);
    assert.equal(rig.sink.takeAll(), ':\n\n');
  });

  test('reveals one that takes nothing, far below its cap and in silence', () => {
    const rig = new Rig({ pending_max: 1_000 });
    rig.send(['a']);
    for (const nowMs of [0, STALL_MS]) rig.beat(nowMs);
    assert.equal(rig.sink.closed, false);
    rig.beat(STALL_MS + 1);
    assert.deepEqual([rig.viewer.behind, rig.viewer.closed, rig.sink.closed], [false, true, true]);
  });

  test('spares one that is slow but takes something, and one that took everything in between', () => {
    for (const pending_max of [10, 1_000]) {
      const rig = new Rig({ pending_max });
      for (let nowMs = 0; nowMs < 10 * STALL_MS; nowMs += STALL_MS / 2) {
        rig.send(['a', 'b'], nowMs);
        rig.beat(nowMs);
        rig.sink.take();
      }
      assert.equal(rig.sink.closed, false);
    }
  });
});

suite('the last words', () => {
  const BYE = Buffer.from(': bye\n\n');

  test('come after everything that was kept for the viewer, and nothing after them', () => {
    const rig = new Rig();
    rig.send(['a', 'b', 'b']);
    rig.viewer.end(BYE);
    rig.send(['c'], 4);
    rig.viewer.write(HEARTBEAT);
    const text = rig.sink.takeAll();
    assert.deepEqual(shown(text), ['e-1 "a"', 'gap {"from":"e-2","to":"e-3","dropped":1}', 'e-3 "b"']);
    assert.ok(text.endsWith(': bye\n\n'));
    assert.deepEqual([rig.sink.ended, rig.sink.closed, rig.viewer.closed], [true, false, true]);
  });

  test('are waited for only as long as somebody wants to', () => {
    const rig = new Rig();
    rig.viewer.end(BYE);
    rig.viewer.close();
    assert.equal(rig.sink.closed, false);
    rig.viewer.cut();
    assert.equal(rig.sink.closed, true);
  });
});
