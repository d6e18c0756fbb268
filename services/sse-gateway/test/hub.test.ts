// What a newcomer sees first, what each role sees at all, and when a stream ends.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { EVERYTHING, parseWish, type Wish } from '../src/filter.ts';
import { type Audience, type ChangeEvent, Hub, STALL_MS_MAX } from '../src/hub.ts';
import { type Block, parseBlocks, TestSink } from './screen.ts';

const AT = '2026-10-05T07:02:03.000Z';
const changeOf = (id: string, state: string): ChangeEvent => ({
  id,
  state,
  at: AT,
  source: '',
  mid: 'm',
  topic: 'monitor/maj',
  heure: '09:02:03',
});
const kept = (id: string, state: string, at = AT) => ({ id, state, at, source: '' });
const wish = (query: Record<string, unknown>): Wish => {
  const parsed = parseWish(query);
  assert.ok(!('fault' in parsed));
  return parsed;
};

class Rig {
  nowMs = 0;
  readonly hub = new Hub('e', () => this.nowMs);

  join(audience: Partial<Audience> = {}, weight = 0): { readonly sink: TestSink; blocks(): readonly Block[] } {
    const sink = new TestSink(weight);
    this.hub.join(sink, { role: 'dashboard', wish: EVERYTHING, last_event_id: undefined, ...audience });
    return { sink, blocks: () => parseBlocks(sink.takeAll()) };
  }
}
const linked = (): Rig => {
  const rig = new Rig();
  rig.hub.link(true);
  return rig;
};
const dataOf = (block: Block | undefined): Record<string, unknown> =>
  JSON.parse(block?.data ?? '{}') as Record<string, unknown>;
const statesOf = (block: Block | undefined): unknown =>
  (dataOf(block).states as { id: string; state: string }[]).map(({ id, state }) => `${id}=${state}`);

suite('a newcomer', () => {
  test('gets the time to retry, one picture with the number of the newest event, and from then on each event', () => {
    const rig = linked();
    rig.hub.change(changeOf('a', 'On'));
    rig.hub.tell('alarm/state', { mode: 'disarmed' }, 'm', true);
    rig.hub.tell('alarm/event', { kind: 'opening' }, 'm', false);
    const { sink } = rig.join();
    const text = sink.takeAll();
    assert.ok(text.startsWith('retry: 2000\n\n'));
    const [snapshot, ...rest] = parseBlocks(text);
    assert.deepEqual([snapshot?.event, snapshot?.id, rest], ['snapshot', 'e-3', []]);
    assert.deepEqual(dataOf(snapshot), {
      at: '1970-01-01T00:00:00.000Z',
      states: [kept('a', 'On')],
      topics: { 'alarm/state': { mode: 'disarmed' } },
    });
    rig.hub.change(changeOf('a', 'Off'));
    const [update] = parseBlocks(sink.takeAll());
    assert.deepEqual([update?.event, update?.id], ['update', 'e-4']);
    assert.deepEqual(dataOf(update), { topic: 'monitor/maj', payload: kept('a', 'Off'), mid: 'm' });
  });

  for (const strange of ['e-99', 'f-1', 'nonsense', '', 'e-', 'e-1-2', 'e--1'])
    test(`whose Last-Event-ID is '${strange}' starts over: a reset, then the picture`, () => {
      const rig = linked();
      rig.hub.change(changeOf('a', 'On'));
      assert.deepEqual(
        rig
          .join({ last_event_id: strange })
          .blocks()
          .map(({ event }) => event),
        ['reset', 'snapshot'],
      );
    });

  test('is told when the broker does not answer, and everybody is told once when that changes', () => {
    const rig = new Rig();
    const early = rig.join();
    assert.deepEqual(
      early.blocks().map(({ event, data }) => (event === 'link' ? data : event)),
      ['snapshot', '{"broker":false}'],
    );
    rig.hub.link(true);
    rig.hub.link(true);
    assert.deepEqual(
      early.blocks().map(({ data }) => data),
      ['{"broker":true}'],
    );
    assert.deepEqual(
      rig
        .join()
        .blocks()
        .map(({ event }) => event),
      ['snapshot'],
    );
  });
});

suite('what the broker kept', () => {
  test('fills the picture and is shown once, but never covers what was seen live', () => {
    const rig = linked();
    const { blocks } = rig.join();
    blocks();
    rig.hub.recall(kept('a', 'On'));
    rig.hub.recall(kept('a', 'On'));
    rig.hub.change(changeOf('a', 'Off'));
    rig.hub.recall(kept('a', 'On', '2027-01-01T00:00:00.000Z'));
    assert.deepEqual(
      blocks().map((block) => [dataOf(block).topic, (dataOf(block).payload as { state: string }).state]),
      [
        ['monitor/state/a', 'On'],
        ['monitor/maj', 'Off'],
      ],
    );
    assert.deepEqual(statesOf(rig.join().blocks()[0]), ['a=Off']);
  });

  test('a retained topic that was cleared is no longer part of the picture', () => {
    const rig = linked();
    rig.hub.tell('alarm/state', { mode: 'armed' }, 'm', true);
    rig.hub.tell('alarm/state', undefined, 'm', true);
    assert.deepEqual(dataOf(rig.join().blocks()[0]).topics, {});
  });
});

suite('what a viewer may and wants to see', () => {
  test('an SMS is for the owner; a dashboard gets neither the event nor its trace in a replay', () => {
    const rig = linked();
    const [owner, dashboard] = [rig.join({ role: 'admin' }), rig.join()];
    for (const { blocks } of [owner, dashboard]) blocks();
    rig.hub.tell('sms/in', { text: 'secret' }, 'm', false);
    rig.hub.change(changeOf('a', 'On'));
    assert.deepEqual(
      [owner, dashboard].map(({ blocks }) => blocks().map(({ id }) => id)),
      [['e-1', 'e-2'], ['e-2']],
    );
    assert.deepEqual(
      rig
        .join({ last_event_id: 'e-0' })
        .blocks()
        .map(({ id }) => id),
      ['e-2'],
    );
  });

  test('ids and topics narrow the picture, the events and the replay alike', () => {
    const rig = linked();
    for (const id of ['a', 'b', 'c']) rig.hub.change(changeOf(id, 'On'));
    rig.hub.tell('alarm/state', { mode: 'disarmed' }, 'm', true);
    const narrow = rig.join({ wish: wish({ id: 'b,c' }) });
    const [picture] = narrow.blocks();
    assert.deepEqual([statesOf(picture), dataOf(picture).topics], [['b=On', 'c=On'], {}]);
    rig.hub.change(changeOf('a', 'Off'));
    rig.hub.change(changeOf('c', 'Off'));
    assert.deepEqual(
      narrow.blocks().map(({ id }) => id),
      ['e-6'],
    );
    assert.deepEqual(
      rig
        .join({ wish: wish({ id: 'b' }), last_event_id: 'e-0' })
        .blocks()
        .map(({ id }) => id),
      ['e-2'],
    );
    assert.deepEqual(statesOf(rig.join({ wish: wish({ topic: 'alarm/#' }) }).blocks()[0]), []);
  });
});

suite('the end of a stream', () => {
  test('a viewer that takes nothing is cut after half a minute, one that catches up is not, and heartbeats go to those who keep up', () => {
    const rig = linked();
    const [stalled, slow, quick] = [rig.join({}, 1), rig.join({}, 1), rig.join()];
    quick.blocks();
    rig.hub.change(changeOf('a', 'On'));
    rig.hub.beat();
    quick.blocks();
    rig.nowMs = STALL_MS_MAX;
    slow.blocks();
    rig.hub.beat();
    assert.deepEqual([stalled.sink.closed, slow.sink.takeAll(), quick.sink.takeAll()], [false, ':\n\n', ':\n\n']);
    rig.nowMs += 1;
    rig.hub.beat();
    assert.deepEqual(
      [stalled.sink.closed, slow.sink.closed, quick.sink.closed, rig.hub.viewers],
      [true, false, false, 2],
    );
    rig.hub.closeAll();
    assert.deepEqual([slow.sink.closed, quick.sink.closed, rig.hub.viewers], [true, true, 0]);
    rig.hub.change(changeOf('a', 'Off'));
  });

  test('at a stop each viewer, of old addresses too, is told a moment of its own to come back, and nothing after that', () => {
    const rig = linked();
    const sinks = [rig.join().sink, new TestSink(), new TestSink()] as const;
    rig.hub.joinPages(sinks[1], undefined);
    rig.hub.joinFacts(sinks[2], undefined);
    let share = 0;
    rig.hub.farewell(() => {
      share += 0.25;
      return share;
    });
    rig.hub.change(changeOf('a', 'On'));
    rig.hub.beat();
    const last = sinks.map((sink) => sink.takeAll().split('\n\n').at(-2));
    assert.deepEqual(
      last,
      [2_000, 3_000, 4_000].map((ms) => `: restarting\nretry: ${ms}`),
    );
    assert.ok(sinks.every(({ ended, closed }) => ended && !closed));
  });
});

suite('the old address', () => {
  test('has changes only, in the old frame to the byte, with a bookmark that no old page sees; no picture', () => {
    const rig = new Rig();
    rig.hub.change(changeOf('a', 'On'));
    const sink = new TestSink();
    rig.hub.joinPages(sink, undefined);
    assert.equal(sink.takeAll(), '');
    rig.hub.change(changeOf('317', 'l\'été\n"x"'));
    rig.hub.tell('alarm/state', { mode: 'armed' }, 'm', true);
    rig.hub.recall(kept('b', 'On'));
    rig.hub.link(true);
    assert.equal(
      sink.takeAll(),
      `event: message\ndata: {"heure":"09:02:03","id":"317","state":"l'été\\n\\"x\\""} \n\nid: e-2\n\n`,
    );
  });

  test('replays what the ring has since the last bookmark, and nothing when it is no longer known', () => {
    const rig = linked();
    for (const state of ['1', '2', '3']) rig.hub.change(changeOf('a', state));
    for (const [since, seen] of [
      ['e-1', ['2', '3']],
      ['e-3', []],
      ['x-1', []],
      [undefined, []],
    ] as const) {
      const sink = new TestSink();
      rig.hub.joinPages(sink, since);
      const states = parseBlocks(sink.takeAll()).flatMap(({ data }) =>
        data ? [(JSON.parse(data) as { state: string }).state] : [],
      );
      assert.deepEqual(states, seen);
    }
  });

  test('a replay larger than what may wait for a viewer is no reason to cut it', () => {
    const rig = linked();
    for (let index = 0; index < 100; index++) rig.hub.change(changeOf('a', 'x'.repeat(4_000)));
    const sink = new TestSink(1);
    rig.hub.joinPages(sink, 'e-0');
    rig.hub.change(changeOf('a', 'last'));
    assert.equal(parseBlocks(sink.takeAll()).filter(({ data }) => data).length, 101);
    assert.equal(sink.closed, false);
  });

  test('never has a value left out: a viewer that can not keep up is cut', () => {
    const rig = linked();
    const sink = new TestSink(10_000);
    rig.hub.joinPages(sink, undefined);
    rig.hub.change(changeOf('a', '1'));
    rig.hub.change(changeOf('a', '2'));
    assert.equal(sink.closed, true);
    rig.hub.beat();
    assert.equal(rig.hub.viewers, 0);
  });
});

suite('the old Node server', () => {
  const facts = (sink: TestSink): readonly string[] =>
    parseBlocks(sink.takeAll()).flatMap(({ event, data }) => (data === undefined ? [] : [`${event} ${data}`]));

  test('gives all facts it knows as one array first, then each as it comes, without a name', () => {
    const rig = linked();
    rig.hub.change(changeOf('306', 'On'));
    rig.hub.tell('alarm/state', { mode: 'armed' }, 'm', true);
    rig.hub.change(changeOf('b', 'l\'été\n"x"'));
    const sink = new TestSink();
    rig.hub.joinFacts(sink, undefined);
    const backlog = 'data: [{"id":"306","state":"On"},{"id":"b","state":"l\'été\\n\\"x\\""}]\n\nid: e-3\n\n';
    assert.equal(sink.takeAll(), backlog);
    rig.hub.change(changeOf('306', 'Off'));
    rig.hub.link(false);
    assert.equal(sink.takeAll(), 'data: {"id":"306","state":"Off"}\n\nid: e-4\n\n');
  });

  test('knows no more than the ring, and begins with an empty array when nothing happened', () => {
    const hub = new Hub('e', () => 0, 2);
    const early = new TestSink();
    hub.joinFacts(early, undefined);
    assert.deepEqual(facts(early), ['message []']);
    for (const state of ['1', '2', '3']) hub.change(changeOf('a', state));
    const late = new TestSink();
    hub.joinFacts(late, undefined);
    assert.deepEqual(facts(late), ['message [{"id":"a","state":"2"},{"id":"a","state":"3"}]']);
  });

  test('gives one who comes back what it missed, one by one, and all again when that is no longer known', () => {
    const rig = linked();
    for (const state of ['1', '2']) rig.hub.change(changeOf('a', state));
    for (const [since, seen] of [
      ['e-1', ['message {"id":"a","state":"2"}']],
      ['e-2', []],
      ['x-1', ['message [{"id":"a","state":"1"},{"id":"a","state":"2"}]']],
    ] as const) {
      const sink = new TestSink();
      rig.hub.joinFacts(sink, since);
      assert.deepEqual(facts(sink), seen);
    }
  });
});
