// Owns what every store must do, whether it outlives its process or not.
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import type { BrokerStore } from '../../src/store/broker-store.ts';
import { type Bench, entry, type MakeBench, message, seqsOf, session } from './bench.ts';

async function openedIn(t: TestContext, bench: Bench): Promise<BrokerStore> {
  const store = await bench.open();
  t.after(() => store[Symbol.asyncDispose]());
  return store;
}

const put = (store: BrokerStore, number: number, ...seqs: readonly number[]): void => {
  for (const seq of seqs) store.append(number, entry(seq));
};

/** Runs all tests of a store on stores made by `makeBench`. */
export function storeSuite(name: string, makeBench: MakeBench): void {
  suite(name, () => {
    suite('queues', () => queueTests(makeBench));
    suite('lives', () => lifeTests(makeBench));
  });
}

function queueTests(makeBench: MakeBench): void {
  const opened = (t: TestContext): Promise<BrokerStore> => openedIn(t, makeBench(t));

  test('a queue is read in order from any place, as much as was asked for', async (t) => {
    const store = await opened(t);
    put(store, 1, 1, 2, 3, 4, 5);
    put(store, 2, 1);
    await store.commit();
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), [1, 2, 3, 4, 5]);
    assert.deepEqual(seqsOf(store.read(1, 2, 3)), [2, 3, 4]);
    assert.deepEqual(seqsOf(store.read(1, 6, 10)), []);
    assert.deepEqual(seqsOf(store.read(2, 1, 10)), [1]);
    assert.deepEqual(seqsOf(store.read(3, 1, 10)), []);
  });

  test('an entry comes back as it was put', async (t) => {
    const store = await opened(t);
    const properties = Buffer.from([0x01, 0x01]);
    const kept = entry(1, {
      message: message({
        topic: 'été/λ',
        payload: Buffer.from([0, 1, 255]),
        qos: 2,
        properties,
        expires_at_ms: 17,
        publisher: 'ç',
      }),
      qos: 2,
      retain: true,
      subscription_ids: [1, 268_435_455],
    });
    store.append(1, kept);
    await store.commit();
    const found = store.read(1, 1, 1)[0];
    assert.ok(found);
    const { message: foundMessage, ...rank } = found;
    const { message: keptMessage, ...keptRank } = kept;
    assert.deepEqual(rank, keptRank);
    for (const field of ['topic', 'payload', 'properties', 'expires_at_ms', 'publisher'] as const)
      assert.deepEqual(foundMessage[field], keptMessage[field]);
  });

  test('one reading spans what is safe, what is on its way and what is new', async (t) => {
    const store = await opened(t);
    put(store, 1, 1, 2);
    await store.commit();
    put(store, 1, 3, 4);
    const onItsWay = store.commit();
    await new Promise(setImmediate);
    put(store, 1, 5, 6);
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(seqsOf(store.read(1, 2, 4)), [2, 3, 4, 5]);
    await onItsWay;
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), [1, 2, 3, 4, 5, 6]);
    await store.commit();
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), [1, 2, 3, 4, 5, 6]);
  });

  test('what was removed is not read again, at whatever stage it was', async (t) => {
    const store = await opened(t);
    put(store, 1, 1, 2);
    await store.commit();
    store.remove(1, 1);
    put(store, 1, 3, 4);
    const onItsWay = store.commit();
    await new Promise(setImmediate);
    store.remove(1, 3);
    put(store, 1, 5, 6);
    store.remove(1, 5);
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), [2, 4, 6]);
    await onItsWay;
    assert.deepEqual(seqsOf(store.read(1, 1, 2)), [2, 4]);
    await store.commit();
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), [2, 4, 6]);
  });

  test('an entry that the client has is read as such, at whatever stage it was', async (t) => {
    const store = await opened(t);
    for (const seq of [1, 2, 3]) store.append(1, entry(seq, { qos: 2 }));
    await store.commit();
    store.release(1, entry(2, { qos: 2, released: true }));
    const released = (): readonly boolean[] => store.read(1, 1, 10).map((read) => read.released);
    assert.deepEqual(released(), [false, true, false]);
    await store.commit();
    assert.deepEqual(released(), [false, true, false]);
  });

  test('a session that is deleted takes its queue with it, also what is not safe yet', async (t) => {
    const store = await opened(t);
    put(store, 1, 1);
    put(store, 2, 1);
    await store.commit();
    put(store, 1, 2);
    const onItsWay = store.commit();
    await new Promise(setImmediate);
    put(store, 1, 3);
    store.noteSent(1, 2);
    store.deleteSession(1);
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), []);
    assert.equal(store.sentUpTo(1), 0);
    await onItsWay;
    await store.commit();
    assert.deepEqual(seqsOf(store.read(1, 1, 100)), []);
    assert.deepEqual(seqsOf(store.read(2, 1, 100)), [1]);
  });

  test('the mark of what was sent is known at once', async (t) => {
    const store = await opened(t);
    assert.equal(store.sentUpTo(1), 0);
    store.noteSent(1, 256);
    assert.equal(store.sentUpTo(1), 256);
    store.noteSent(1, 70_000);
    await store.commit();
    assert.equal(store.sentUpTo(1), 70_000);
  });
}

function lifeTests(makeBench: MakeBench): void {
  test('numbers are never given twice, nor after a new start', async (t) => {
    const bench = makeBench(t);
    const given: number[] = [];
    for (let life = 1; life <= 3; life++) {
      const store = await openedIn(t, bench);
      for (let count = 0; count < 3; count++) given.push(store.newNumber());
      await store[Symbol.asyncDispose]();
      if (!bench.outlives) break;
    }
    assert.deepEqual(new Set(given).size, given.length);
    assert.ok(given.every((number) => number > 0));
  });

  test('a new start has everything, or nothing where nothing outlives', async (t) => {
    const bench = makeBench(t);
    const long = 'x'.repeat(60_000);
    {
      const store = await openedIn(t, bench);
      store.putSession(session(1));
      store.putSession(session(2, { ends_at_ms: 99 }));
      put(store, 1, 7, 8, 9);
      store.remove(1, 8);
      store.noteSent(1, 8);
      for (const id of [5, 65_535, 6]) store.putIncoming(1, id);
      store.deleteIncoming(1, 6);
      store.putIncoming(2, 1, message({ topic: 'taken' }));
      for (const topic of ['kept', 'forgotten', long]) store.putRetained(message({ topic, retain: true }));
      store.putRetained(message({ topic: 'forgotten', payload: Buffer.alloc(0) }));
      for (const client_id of ['a', 'b', long])
        store.putWill({ client_id, delay_s: 3, expiry_s: 4, message: message() });
      store.deleteWill('b');
      store.deleteSession(2);
      await store.commit();
      await store[Symbol.asyncDispose]();
    }
    const store = await openedIn(t, bench);
    const image = store.load();
    assert.equal(image.sessions.length, bench.outlives ? 1 : 0);
    if (!bench.outlives) return;
    assert.equal(store.boot, 2);
    assert.deepEqual(image.sessions, [session(1)]);
    assert.deepEqual([...image.queues.keys()], [1]);
    const { first, last, count } = image.queues.get(1) ?? {};
    assert.deepEqual({ first, last, count }, { first: 7, last: 9, count: 2 });
    assert.equal(store.sentUpTo(1), 8);
    assert.deepEqual([...image.incoming], [[1, [5, 65_535]]]);
    assert.deepEqual([...image.incoming_messages.keys()], []);
    assert.deepEqual(image.retained.map(({ topic }) => topic).sort(), ['kept', long]);
    assert.deepEqual(
      image.wills.map(({ client_id, delay_s, expiry_s }) => [client_id, delay_s, expiry_s]),
      [
        ['a', 3, 4],
        [long, 3, 4],
      ],
    );
    assert.deepEqual(image.wills[0]?.message.payload, message().payload);
  });
}
