// What a message means to the screens.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { Board, DEVICES_MAX } from '../src/board.ts';
import { decideChanges, RecentMids } from '../src/projection.ts';

const NOW_MS = Date.UTC(2026, 9, 5, 7, 2, 3);
const decide = (payload: string | Uint8Array, topic = 'monitor/maj') =>
  decideChanges(
    { topic, payload: Buffer.from(payload), mid: 'm1', retain: false, received_ms: NOW_MS },
    'Europe/Paris',
  );
const SEEN = { mid: 'm1', heure: '09:02:03', source: '', at: '2026-10-05T07:02:03.000Z' };

suite('changes', () => {
  test('one change has the house’s instant, the wall clock, the mid and the topic it came by', () => {
    assert.deepEqual(decide('{"idx":317,"state":"On"}', 'monitor/ha'), {
      ok: true,
      value: [{ id: '317', state: 'On', topic: 'monitor/ha', ...SEEN }],
    });
  });

  test('the sender’s own instant and source are shown, but the wall clock is the house’s', () => {
    assert.deepEqual(decide('{"id":"a","state":"On","at":"2026-10-05T06:00:00Z","source":"ha"}'), {
      ok: true,
      value: [{ id: 'a', state: 'On', topic: 'monitor/maj', ...SEEN, at: '2026-10-05T06:00:00.000Z', source: 'ha' }],
    });
  });

  test('a clock from 2099 is replaced and flagged, so that it does not block its device', () => {
    assert.deepEqual(decide('{"id":"a","state":"On","at":"2099-01-01T00:00:00Z"}'), {
      ok: true,
      value: [{ id: 'a', state: 'On', topic: 'monitor/maj', ...SEEN, clock: 'wrong' }],
    });
  });

  test('pairs are as many changes of one message', () => {
    const decided = decide('{"a":"On","b":20.5}');
    assert.deepEqual(decided.ok && decided.value.map(({ id, state, mid }) => [id, state, mid]), [
      ['a', 'On', 'm1'],
      ['b', '20.5', 'm1'],
    ]);
  });

  test('no bytes make it throw', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(fc.property(bytes, (payload) => void decide(payload)));
  });
});

suite('recent mids', () => {
  test('a mid is new once, and forgotten only after as many others as are remembered', () => {
    const recent = new RecentMids(3);
    assert.deepEqual(
      ['a', 'a', 'b', 'c', 'a', 'd', 'a', 'd'].map((mid) => recent.isNew(mid)),
      [true, false, true, true, false, true, true, false],
    );
  });
});

suite('the board', () => {
  const device = (id: string, state: string) => ({ id, state, at: SEEN.at, source: '' });

  test('what was seen live stays, whatever the broker kept; else the kept state is taken, and again only when it is news', () => {
    const board = new Board();
    assert.deepEqual(
      [board.recall(device('a', 'On')), board.recall(device('a', 'On')), board.recall(device('a', 'Off'))],
      [true, false, true],
    );
    assert.deepEqual([board.change(device('a', 'Live')), board.recall(device('a', 'On'))], [true, false]);
    assert.deepEqual([...board.devices()], [device('a', 'Live')]);
  });

  test('one device too many is refused, those that are known go on changing', () => {
    const board = new Board();
    for (let index = 0; index < DEVICES_MAX; index++) board.change(device(`d${index}`, 'On'));
    assert.deepEqual(
      [board.change(device('x', 'On')), board.recall(device('x', 'On')), board.change(device('d0', 'Off'))],
      [false, false, true],
    );
    assert.equal(board.device('d0')?.state, 'Off');
  });
});
