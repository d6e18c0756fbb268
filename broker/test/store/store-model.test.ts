// Owns the proof that a store equals a plain list of what was done to it, whatever was done, and whenever it was stopped.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import fc from 'fast-check';
import type { Message } from '../../src/messages/message.ts';
import type { BrokerStore, QueueEntry, StoredSession } from '../../src/store/broker-store.ts';
import { entry, lmdbBench, type MakeBench, memoryBench, message, session } from './bench.ts';

const CLIENTS = 3;

type Step = { readonly kind: 'commit' | 'take off' | 'reopen' };

type Change =
  | { readonly kind: 'append' | 'append large' | 'newSession' | 'deleteSession'; readonly client: number }
  | {
      readonly kind: 'remove' | 'release' | 'noteSent' | 'putIncoming' | 'deleteIncoming';
      readonly client: number;
      readonly place: number;
    }
  | { readonly kind: 'read'; readonly client: number; readonly place: number; readonly count: number }
  | { readonly kind: 'putRetained' | 'deleteRetained' | 'putWill' | 'deleteWill'; readonly name: string };

type Operation = Step | Change;

const isChange = (operation: Operation): operation is Change =>
  operation.kind !== 'commit' && operation.kind !== 'take off' && operation.kind !== 'reopen';

const client = fc.nat({ max: CLIENTS - 1 });
const place = fc.integer({ min: 1, max: 30 });
const name = fc.constantFrom('a', 'b/c', 'é', 'n'.repeat(2_000));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('append large' as const, 'newSession' as const, 'deleteSession' as const),
      client,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'remove' as const,
        'release' as const,
        'noteSent' as const,
        'putIncoming' as const,
        'deleteIncoming' as const,
      ),
      client,
      place,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('read' as const), client, place, count: fc.integer({ min: 1, max: 12 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'putRetained' as const,
        'deleteRetained' as const,
        'putWill' as const,
        'deleteWill' as const,
      ),
      name,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('commit' as const, 'take off' as const, 'reopen' as const) }),
  },
);

/** What one session should be. */
interface ModelSession {
  readonly stored: StoredSession;
  readonly queue: Map<number, QueueEntry>;
  last: number;
  sent: number;
  readonly incoming: Set<number>;
}

class Model {
  readonly #store: () => BrokerStore;
  readonly sessions: (ModelSession | undefined)[] = Array.from({ length: CLIENTS }, () => undefined);
  readonly retained = new Map<string, Message>();
  readonly wills = new Set<string>();
  readonly given = new Set<number>();

  constructor(store: () => BrokerStore) {
    this.#store = store;
  }

  session(which: number): ModelSession {
    const known = this.sessions[which];
    if (known !== undefined) return known;
    const number = this.#store().newNumber();
    assert.ok(!this.given.has(number), `${number} was given twice`);
    this.given.add(number);
    const made: ModelSession = { stored: session(number), queue: new Map(), last: 0, sent: 0, incoming: new Set() };
    this.sessions[which] = made;
    this.#store().putSession(made.stored);
    return made;
  }

  /** Does the same to the store and to the model. */
  apply(done: Change): void {
    const store = this.#store();
    switch (done.kind) {
      case 'putRetained': {
        const kept = message({ topic: done.name, retain: true });
        this.retained.set(done.name, kept);
        return store.putRetained(kept);
      }
      case 'deleteRetained':
        this.retained.delete(done.name);
        return store.putRetained(message({ topic: done.name, payload: Buffer.alloc(0) }));
      case 'putWill':
        this.wills.add(done.name);
        return store.putWill({ client_id: done.name, delay_s: 1, message: message() });
      case 'deleteWill':
        this.wills.delete(done.name);
        return store.deleteWill(done.name);
      default:
        return this.#applyTo(this.session(done.client), done, store);
    }
  }

  #applyTo(model: ModelSession, done: Extract<Change, { client: number }>, store: BrokerStore): void {
    const { number } = model.stored;
    switch (done.kind) {
      case 'append':
      case 'append large': {
        model.last += 1;
        const payload = Buffer.alloc(done.kind === 'append' ? 20 : 100_000, model.last);
        const added = entry(model.last, { qos: 2, message: message({ payload, qos: 2 }) });
        model.queue.set(added.seq, added);
        return store.append(number, added);
      }
      case 'release': {
        const known = model.queue.get(done.place);
        if (known === undefined) return;
        const released = { ...known, released: true };
        model.queue.set(done.place, released);
        return store.release(number, released);
      }
      case 'remove':
        if (done.place > model.last) return;
        model.queue.delete(done.place);
        return store.remove(number, done.place);
      case 'read': {
        const expected = [...model.queue.values()].filter(({ seq }) => seq >= done.place).slice(0, done.count);
        return assertSame(store.read(number, done.place, done.count), expected);
      }
      case 'noteSent':
        model.sent = done.place;
        store.noteSent(number, done.place);
        return assert.equal(store.sentUpTo(number), done.place);
      case 'putIncoming':
        model.incoming.add(done.place);
        return store.putIncoming(number, done.place);
      case 'deleteIncoming':
        model.incoming.delete(done.place);
        return store.deleteIncoming(number, done.place);
      case 'deleteSession':
        this.sessions[done.client] = undefined;
        store.deleteSession(number);
        return assert.deepEqual(store.read(number, 1, 10), []);
      case 'newSession':
        return;
    }
  }

  /** After a new start, the whole image. */
  check(store: BrokerStore): void {
    const image = store.load();
    const known = this.sessions.filter((one) => one !== undefined);
    const byNumber = known.toSorted((one, other) => one.stored.number - other.stored.number);
    assert.deepEqual(
      image.sessions,
      byNumber.map(({ stored }) => stored),
    );
    const extents = byNumber.flatMap(({ stored, queue: { size } }) => (size === 0 ? [] : [[stored.number, size]]));
    assert.deepEqual(
      Array.from(image.queues, ([number, { count }]) => [number, count]),
      extents,
    );
    const incoming = byNumber.flatMap(({ stored, incoming: ids }) =>
      ids.size === 0 ? [] : [[stored.number, [...ids].sort((a, b) => a - b)]],
    );
    assert.deepEqual([...image.incoming], incoming);
    for (const { stored, queue, sent } of known) {
      assertSame(store.read(stored.number, 1, 1_000), [...queue.values()]);
      assert.equal(store.sentUpTo(stored.number), sent);
    }
    assert.deepEqual(image.retained.map(({ topic }) => topic).sort(), [...this.retained.keys()].sort());
    assert.deepEqual(image.wills.map(({ client_id }) => client_id).sort(), [...this.wills].sort());
  }
}

function assertSame(found: readonly QueueEntry[], expected: readonly QueueEntry[]): void {
  const plain = (entries: readonly QueueEntry[]): unknown =>
    entries.map(({ seq, released, message: { topic, payload } }) => ({
      seq,
      released,
      topic,
      bytes: payload.length,
      first: payload[0],
    }));
  assert.deepEqual(plain(found), plain(expected));
}

async function equalsModel(t: TestContext, makeBench: MakeBench, numRuns: number): Promise<void> {
  const run = async (operations: readonly Operation[]): Promise<void> => {
    const bench = makeBench(t);
    let store = await bench.open();
    try {
      const model = new Model(() => store);
      const reopen = async (): Promise<void> => {
        if (!bench.outlives) return;
        const { boot } = store;
        await store[Symbol.asyncDispose]();
        store = await bench.open();
        assert.equal(store.boot, boot + 1);
        model.check(store);
      };
      for (const done of operations) {
        if (isChange(done)) model.apply(done);
        else if (done.kind === 'commit') await store.commit();
        else if (done.kind === 'reopen') await reopen();
        else {
          store.commit().catch(assert.ifError);
          await new Promise(setImmediate);
        }
      }
      await reopen();
    } finally {
      await store[Symbol.asyncDispose]();
    }
  };
  const operations = fc.array(operation, { maxLength: 120, size: 'max' });
  await fc.assert(fc.asyncProperty(operations, run), { numRuns });
}

test('a store on the disk equals its model, over commits and new starts', (t) => equalsModel(t, lmdbBench, 60));
test('a store in memory equals its model', (t) => equalsModel(t, memoryBench, 200));
