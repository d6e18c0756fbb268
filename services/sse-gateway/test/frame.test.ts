// The bytes of events, new and old.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { bookmark, frameOf, HEARTBEAT, legacyFrameOf, oneLine } from '../src/frame.ts';
import { parseBlocks } from './screen.ts';

suite('frames', () => {
  test('an event is its fields in order and an empty line', () => {
    assert.equal(
      frameOf({ id: 'e-1', event: 'update', data: '{}' }).toString(),
      'id: e-1\nevent: update\ndata: {}\n\n',
    );
    assert.equal(frameOf({ data: 'x' }).toString(), 'data: x\n\n');
    assert.deepEqual([bookmark('e-1').toString(), HEARTBEAT.toString()], ['id: e-1\n\n', ':\n\n']);
  });

  test('whatever a device says, its event is one block that says the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const blocks = parseBlocks(frameOf({ id: 'e-1', event: 'update', data: oneLine(value) }).toString());
        assert.deepEqual(
          blocks.map(({ data }) => data),
          [JSON.stringify(value)],
        );
      }),
    );
  });

  test('a field that would end its line is refused: nobody writes an event of their own into the stream', () => {
    for (const text of ['a\nb', 'a\rb', 'a\0b'])
      for (const field of ['id', 'event', 'data'])
        assert.throws(() => frameOf({ data: '', [field]: text }), /expected one-line SSE fields/u);
  });
});

suite('frames of the old server', () => {
  for (const [id, state, bytes] of [
    ['317', 'On', 'event: message\ndata: {"heure":"09:02:03","id":"317","state":"On"} \n\n'],
    ['é/1', "l'été", 'event: message\ndata: {"heure":"09:02:03","id":"é/1","state":"l\'été"} \n\n'],
    ['a', 'x\n\ndata: {}', 'event: message\ndata: {"heure":"09:02:03","id":"a","state":"x\\n\\ndata: {}"} \n\n'],
  ] as const)
    test(`${id} ${JSON.stringify(state)} is the old bytes, the blank before the line end among them`, () =>
      assert.deepEqual(legacyFrameOf('09:02:03', id, state), Buffer.from(bytes)));
});
