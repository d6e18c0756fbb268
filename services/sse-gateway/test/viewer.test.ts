// One viewer: in order while it keeps up, last values when it does not, the end when even those are too many.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { HouseEvent } from '../src/event-ring.ts';
import { PENDING_BYTES_MAX, Viewer, type ViewerOptions } from '../src/viewer.ts';
import { parseBlocks, TestSink } from './screen.ts';

const event = (seq: number, key: string): HouseEvent => ({
  seq,
  key,
  topic: 't',
  device: undefined,
  frame: Buffer.from(`id: e-${seq}\ndata: "${key}"\n\n`),
  legacyFrame: undefined,
});

function rig(options: Partial<ViewerOptions> = {}): { readonly sink: TestSink; readonly viewer: Viewer } {
  const sink = new TestSink(1);
  const viewer = new Viewer({
    sink,
    wants: () => true,
    encode: ({ frame }) => [frame],
    idOf: (seq) => `e-${seq}`,
    coalesce: true,
    pending_max: 10,
    ...options,
  });
  return { sink, viewer };
}
const shown = (text: string): readonly string[] =>
  parseBlocks(text).map(({ id, event, data }) => (event === 'gap' ? `gap ${data}` : `${id} ${data}`));

suite('viewer', () => {
  test('one that keeps up gets every event as it is', () => {
    const { sink, viewer } = rig();
    for (const seq of [1, 2, 3]) {
      viewer.send(event(seq, 'a'), 0);
      assert.deepEqual(shown(sink.take()), [`e-${seq} "a"`]);
    }
    assert.equal(viewer.behindSince, undefined);
  });

  test('one that fell behind gets a gap with the number of what is missing, then last values in the order they happened', () => {
    const { sink, viewer } = rig();
    for (const [index, key] of ['a', 'a', 'b', 'a', 'c', 'b'].entries())
      viewer.send(event(index + 1, key), 100 + index);
    assert.equal(viewer.behindSince, 101);
    assert.deepEqual(shown(sink.take()), ['e-1 "a"']);
    assert.equal(viewer.behindSince, undefined);
    assert.deepEqual(shown(sink.take()), [
      'gap {"from":"e-2","to":"e-6","dropped":2}',
      'e-4 "a"',
      'e-5 "c"',
      'e-6 "b"',
    ]);
  });

  test('when nothing was replaced there is no gap to speak of', () => {
    const { sink, viewer } = rig();
    for (const [index, key] of ['a', 'b', 'c'].entries()) viewer.send(event(index + 1, key), 0);
    assert.deepEqual(shown(sink.takeAll()), ['e-1 "a"', 'e-2 "b"', 'e-3 "c"']);
  });

  test('it may fall behind again and again, each time with its own gap', () => {
    const { sink, viewer } = rig();
    for (const seq of [1, 2, 3]) viewer.send(event(seq, 'a'), 0);
    sink.take();
    for (const seq of [4, 5]) viewer.send(event(seq, 'a'), 7);
    assert.equal(viewer.behindSince, 7);
    assert.deepEqual(shown(sink.takeAll()), [
      'gap {"from":"e-2","to":"e-3","dropped":1}',
      'e-3 "a"',
      'gap {"from":"e-4","to":"e-5","dropped":1}',
      'e-5 "a"',
    ]);
  });

  test('what it does not want is neither sent nor counted as missing', () => {
    const { sink, viewer } = rig({ wants: ({ key }) => key !== 'b' });
    for (const [index, key] of ['a', 'b', 'b', 'b', 'c'].entries()) viewer.send(event(index + 1, key), 0);
    assert.deepEqual(shown(sink.takeAll()), ['e-1 "a"', 'e-5 "c"']);
  });

  test('one that may not skip anything is cut instead, and gets nothing after its end', () => {
    const { sink, viewer } = rig({ coalesce: false });
    for (const seq of [1, 2, 3]) viewer.send(event(seq, 'a'), 0);
    viewer.write(Buffer.from(':\n\n'));
    assert.deepEqual([sink.closed, viewer.closed, shown(sink.takeAll())], [true, true, ['e-1 "a"']]);
  });

  test('last values of more keys than a house has cut it: it comes back to a picture', () => {
    const { sink, viewer } = rig();
    for (let seq = 1; !viewer.closed; seq++) {
      assert.ok(seq < 20_000);
      viewer.send(event(seq, `k${seq}`), 0);
    }
    assert.equal(sink.closed, true);
    assert.doesNotThrow(() => sink.takeAll());
  });

  test('the network may take everything after the end, and nothing is written', () => {
    const { sink, viewer } = rig();
    for (const seq of [1, 2]) viewer.send(event(seq, 'a'), 0);
    viewer.close();
    viewer.close();
    assert.deepEqual(shown(sink.takeAll()), ['e-1 "a"']);
  });

  test('a heartbeat goes only to one that has taken everything', () => {
    const { sink, viewer } = rig();
    viewer.beat(Buffer.from(':\n\n'));
    viewer.beat(Buffer.from(':\n\n'));
    assert.equal(sink.takeAll(), ':\n\n');
  });

  test('the cap is a quarter of a megabyte unless said', () => {
    const sink = new TestSink(1);
    const options = {
      sink,
      wants: () => true,
      encode: ({ frame }: HouseEvent) => [frame],
      idOf: String,
      coalesce: true,
    };
    const viewer = new Viewer(options);
    viewer.write(Buffer.alloc(PENDING_BYTES_MAX));
    viewer.send(event(1, 'a'), 0);
    assert.equal(viewer.behindSince, undefined);
    viewer.send(event(2, 'a'), 5);
    assert.equal(viewer.behindSince, 5);
  });
});
