// The promise of the feed: no event lost or reordered, however screens come, go, fall asleep and come back.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { EVERYTHING } from '../src/filter.ts';
import { type ChangeEvent, Hub } from '../src/hub.ts';
import type { Viewer } from '../src/viewer.ts';
import { type Block, parseBlocks, TestSink } from './screen.ts';

const AT = '2026-10-05T07:02:03.000Z';
const changeOf = (id: string, state: string): ChangeEvent => ({
  id,
  state,
  at: AT,
  source: '',
  mid: `${id} ${state}`,
  topic: 'monitor/maj',
  heure: '09:02:03',
});
type Device = { readonly id: string; readonly state: string };
const boardOf = (hub: Hub): ReadonlyMap<string, string> =>
  new Map([...hub.board.devices()].map(({ id, state }) => [id, state]));
const seqOf = (id: string | undefined): number => Number(id?.split('-')[1]);

/** A browser with EventSource: remembers the last id, rebuilds the house, and complains about anything it was not told. */
class Screen {
  readonly house = new Map<string, string>();
  lastId: string | undefined;
  #seq = 0;
  #mayRestart = true;
  #gap: { to: number; dropped: number } | undefined;
  #sink = new TestSink();
  #viewer: Viewer | undefined;
  snapshots = 0;
  gaps = 0;

  connect(hub: Hub, weight: number): void {
    this.disconnect(hub);
    this.#sink = new TestSink(weight);
    this.#mayRestart = this.lastId === undefined;
    this.#viewer = hub.join(this.#sink, { role: 'dashboard', wish: EVERYTHING, last_event_id: this.lastId });
  }

  /** What was not taken yet is lost with the connection. */
  disconnect(hub: Hub): void {
    if (this.#viewer) hub.leave(this.#viewer);
    this.#viewer = undefined;
    this.#gap = undefined;
  }

  get connected(): boolean {
    return this.#viewer !== undefined;
  }

  take(all: boolean): void {
    if (!this.#viewer) return;
    for (const block of parseBlocks(all ? this.#sink.takeAll() : this.#sink.take())) this.#on(block);
  }

  #on({ id, event, data = '' }: Block): void {
    const value = JSON.parse(data) as never;
    if (event === 'reset') this.#mayRestart = true;
    else if (event === 'snapshot') this.#onSnapshot(seqOf(id), value);
    else if (event === 'gap') this.#onGap(value);
    else if (event === 'update') this.#onUpdate(seqOf(id), value);
    else assert.equal(event, 'link');
    if (id !== undefined) this.lastId = id;
  }

  #onSnapshot(seq: number, { states }: { readonly states: readonly Device[] }): void {
    assert.ok(this.#mayRestart, 'a snapshot comes to a newcomer or after a reset');
    this.#mayRestart = false;
    this.#seq = seq;
    this.snapshots += 1;
    this.house.clear();
    for (const { id, state } of states) this.house.set(id, state);
  }

  #onGap({ from, to, dropped }: { readonly from: string; readonly to: string; readonly dropped: number }): void {
    assert.equal(seqOf(from), this.#seq + 1, 'a gap begins where the screen stands');
    this.#gap = { to: seqOf(to), dropped };
    this.gaps += 1;
  }

  #onUpdate(seq: number, { payload }: { readonly payload: Device }): void {
    if (this.#gap) {
      assert.ok(seq > this.#seq && seq <= this.#gap.to, 'last values come in order, within the gap');
      this.#gap.dropped -= seq - this.#seq - 1;
      if (seq === this.#gap.to) {
        assert.equal(this.#gap.dropped, 0, 'the gap counts what is missing');
        this.#gap = undefined;
      }
    } else assert.equal(seq, this.#seq + 1, 'the next event is the next one');
    this.#seq = seq;
    this.house.set(payload.id, payload.state);
  }
}

type Step =
  | { readonly kind: 'publish'; readonly device: string }
  | { readonly kind: 'connect' | 'disconnect' | 'take'; readonly screen: number };

const SCREENS = 3;
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('publish' as const), device: fc.constantFrom('a', 'b', 'c', 'd') }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('connect', 'disconnect', 'take', 'take'),
        screen: fc.nat(SCREENS - 1),
      }),
    },
  ),
  { maxLength: 120, size: 'max' },
) as fc.Arbitrary<readonly Step[]>;

/** Plays the steps; every screen checks each event as it comes, and at last the whole house. */
function play(steps: readonly Step[], eventsMax: number, weight: number): readonly Screen[] {
  const hub = new Hub('e', () => 0, eventsMax);
  const screens = Array.from({ length: SCREENS }, () => new Screen());
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'publish') {
      hub.change(changeOf(step.device, `s${index}`));
      continue;
    }
    const screen = screens[step.screen];
    if (step.kind === 'connect') screen?.connect(hub, weight);
    else if (step.kind === 'disconnect') screen?.disconnect(hub);
    else screen?.take(false);
  }
  for (const screen of screens) {
    if (!screen.connected) screen.connect(hub, weight);
    screen.take(true);
    assert.deepEqual(screen.house, boardOf(hub));
  }
  return screens;
}

suite('the feed', () => {
  test('with a ring that remembers everything each screen sees one snapshot and then every event once, in order', () => {
    fc.assert(
      fc.property(steps, (steps) => {
        for (const { snapshots, gaps, lastId } of play(steps, 1_000, 0)) {
          assert.equal(gaps, 0);
          assert.ok(snapshots === 1 || (snapshots > 1 && lastId !== undefined));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('a screen that was away for longer than the ring remembers starts over with a reset, and shows the same house', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 6 }), (steps, eventsMax) => void play(steps, eventsMax, 0)),
      { numRuns: 200 },
    );
  });

  test('a screen that can not keep up loses nothing but what newer values replaced, and is told how much', () => {
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 200 }),
        fc.constantFrom(500, 1_000, 3_000),
        (steps, eventsMax, weight) => void play(steps, eventsMax, weight),
      ),
      { numRuns: 300 },
    );
  });

  test('the generated lives do reach resets and gaps', () => {
    const lives = fc.sample(steps, { numRuns: 100, seed: 1 });
    const sum = (pick: (screen: Screen) => number, ...[eventsMax, weight]: readonly [number, number]): number =>
      lives.flatMap((life) => play(life, eventsMax, weight)).reduce((total, screen) => total + pick(screen), 0);
    assert.ok(sum(({ gaps }) => gaps, 200, 3_000) > 50);
    assert.ok(sum(({ snapshots }) => snapshots, 3, 0) > 350);
  });
});
