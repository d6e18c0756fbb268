// A durable consumer against a scripted broker: what is acknowledged, when, and on which connection.
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { DurableConsumer, type DurableConsumerOptions } from '../../src/bus/durable-consumer.ts';
import { createLog } from '../../src/log.ts';
import { Peer } from './peer.ts';

/** One call of the handler: its texts, and the outcome that the test decides. */
interface Call {
  readonly texts: readonly string[];
  resolve(): void;
  reject(): void;
}

interface Rig {
  readonly peer: Peer;
  readonly consumer: DurableConsumer;
  readonly calls: Call[];
  readonly states: [boolean, string | undefined][];
  /** Waits until so many messages have been taken off the wire. */
  received(count: number): Promise<void>;
  /** Waits for the handler's call of this number. */
  call(number: number): Promise<Call>;
}

async function rig(t: TestContext, options: Partial<DurableConsumerOptions> = {}): Promise<Rig> {
  const peer = new Peer();
  const calls: Call[] = [];
  const unsettled: Call[] = [];
  const states: [boolean, string | undefined][] = [];
  let taken = 0;
  const consumer = new DurableConsumer({
    service: 'db-writer',
    target: { attach: peer.attach },
    log: createLog('test', 'silent'),
    handle: (batch) =>
      new Promise((resolve, reject) => {
        const texts = batch.map(({ payload }) => payload.toString());
        const call = { texts, resolve, reject: () => reject(new Error('the database is down')) };
        calls.push(call);
        unsettled.push(call);
        peer.nudge();
      }),
    onState: (taking, reason) => {
      states.push([taking, reason]);
      peer.nudge();
    },
    // Asked once for each message that is taken.
    now: () => {
      taken += 1;
      peer.nudge();
      return 0;
    },
    ...options,
  });
  t.after(() => {
    for (const { resolve } of unsettled) resolve();
    return consumer.close();
  });
  await peer.until('connected', () => states.length > 0);
  const call = async (number: number): Promise<Call> => {
    await peer.until(`call ${number} of the handler`, () => calls.length >= number);
    const found = calls[number - 1];
    assert.ok(found);
    return found;
  };
  const received = (count: number): Promise<void> => peer.until(`message ${count}`, () => taken >= count);
  return { peer, consumer, calls, states, call, received };
}

suite('durable consumer', { concurrency: true }, () => {
  test('comes to its own session, which never expires, and limits what may be under way', async (t) => {
    const { peer } = await rig(t);
    const [connect] = peer.link.packets;
    assert.ok(connect?.cmd === 'connect');
    assert.deepEqual([connect.clientId, connect.clean], ['mesh-db-writer', false]);
    assert.deepEqual(
      [connect.properties?.sessionExpiryInterval, connect.properties?.receiveMaximum],
      [0xffffffff, 2_000],
    );
  });

  test('nothing is acknowledged before the handler’s promise, then a whole batch in order and in one write', async (t) => {
    const { peer, call, received } = await rig(t);
    peer.publish('a');
    const first = await call(1);
    peer.publish('b', 'c', 'd');
    await received(4);
    assert.deepEqual([first.texts, peer.link.acks], [['a'], []]);
    first.resolve();
    const second = await call(2);
    assert.deepEqual([second.texts, peer.link.acks], [['b', 'c', 'd'], [1]]);
    second.resolve();
    await peer.until('the acknowledgements', () => peer.link.acks.length === 4);
    assert.deepEqual(peer.link.acks, [1, 2, 3, 4]);
    assert.deepEqual(
      peer.link.chunks.filter(([packet]) => packet?.cmd === 'puback').map((packets) => packets.length),
      [1, 3],
    );
  });

  test('a batch is no larger than its limit', async (t) => {
    const { peer, call } = await rig(t, { batch_max: 2 });
    peer.publish('a', 'b', 'c', 'd', 'e');
    for (const number of [1, 2, 3, 4]) {
      const { texts, resolve } = await call(number);
      assert.ok(texts.length <= 2);
      resolve();
      if (peer.unacknowledged.size === 0) break;
    }
    await peer.until('the acknowledgements', () => peer.link.acks.length === 5);
    assert.deepEqual(peer.link.acks, [1, 2, 3, 4, 5]);
  });

  test('work that overlaps is acknowledged in the order of the messages, however it ends', async (t) => {
    const { peer, call } = await rig(t, { overlap: 3, batch_max: 1 });
    peer.publish('a', 'b', 'c');
    const [a, b, c] = [await call(1), await call(2), await call(3)];
    c.resolve();
    b.resolve();
    peer.publish('d');
    const d = await call(4);
    assert.deepEqual(peer.link.acks, []);
    a.resolve();
    d.resolve();
    await peer.until('the acknowledgements', () => peer.link.acks.length === 4);
    assert.deepEqual(peer.link.acks, [1, 2, 3, 4]);
  });

  test('a rejected batch is not acknowledged, the probe is asked, and all of it comes again', async (t) => {
    let probes = 0;
    const { peer, call, states } = await rig(t, {
      probe: async () => {
        probes += 1;
        if (probes === 1) throw new Error('still down');
      },
    });
    peer.publish('a', 'b');
    const first = await call(1);
    peer.publish('c');
    first.reject();
    await peer.until('the second connection', () => peer.links.length === 2);
    assert.equal(probes, 2);
    assert.deepEqual(peer.links[0]?.acks, []);
    const seen: string[] = [];
    for (let number = 2; seen.length < 3; number++) {
      const { texts, resolve } = await call(number);
      seen.push(...texts);
      resolve();
    }
    assert.deepEqual(seen, ['a', 'b', 'c']);
    await peer.until('the acknowledgements', () => peer.unacknowledged.size === 0);
    assert.deepEqual(peer.link.acks, [1, 2, 3]);
    assert.deepEqual(
      states.map(([taking, reason]) => reason ?? taking),
      [true, 'the database is down', 'still down', true],
    );
  });

  test('two batches that fail at once make one pause and one new connection', async (t) => {
    const { peer, calls, call, states } = await rig(t, { overlap: 2, batch_max: 1 });
    peer.publish('a', 'b');
    await call(2);
    for (const { reject } of calls) reject();
    (await call(3)).resolve();
    (await call(4)).resolve();
    await peer.until('the acknowledgements', () => peer.unacknowledged.size === 0);
    assert.deepEqual(
      states.map(([taking, reason]) => reason ?? taking),
      [true, 'the database is down', true],
    );
  });

  test('work that was read on a connection that is gone is not acknowledged on the next one', async (t) => {
    const { peer, call } = await rig(t);
    peer.publish('a');
    const first = await call(1);
    peer.link.end.destroy();
    await peer.until('the second connection', () => peer.links.length === 2 && peer.link.packets.length > 0);
    first.resolve();
    const again = await call(2);
    assert.deepEqual([again.texts, peer.link.acks], [['a'], []]);
    again.resolve();
    await peer.until('the acknowledgement', () => peer.link.acks.length === 1);
  });

  test('what the library had parsed when the connection ended is no work of the next one', async (t) => {
    const { peer, calls, call, states } = await rig(t, { overlap: 100, batch_max: 1 });
    peer.publish(...Array.from({ length: 50 }, (_, index) => `m${index}`));
    await call(1);
    peer.link.end.destroy();
    await peer.until('the end of the connection', () => states.length === 2);
    for (let count = 0; count < 100; count++) await turn();
    const before = calls.splice(0);
    assert.ok(before.length < 50, 'the connection ended in the middle');
    await peer.until('all of it again', () => calls.length === 50);
    for (const { resolve } of before) resolve();
    await turn();
    assert.deepEqual(peer.link.acks, []);
    for (const { resolve } of calls) resolve();
    await peer.until('the acknowledgements', () => peer.unacknowledged.size === 0);
    assert.deepEqual(
      peer.link.acks,
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
  });

  test('closing takes nothing new, ends what is under way and acknowledges it', async (t) => {
    const { peer, consumer, calls, call } = await rig(t);
    peer.publish('a');
    const first = await call(1);
    peer.publish('b');
    const closed = consumer.close();
    first.resolve();
    await closed;
    assert.deepEqual(peer.link.acks, [1]);
    assert.equal(peer.link.packets.at(-1)?.cmd, 'disconnect');
    assert.deepEqual([calls.length, [...peer.unacknowledged.values()]], [1, ['b']]);
  });

  test('while the handler is busy no more than a bounded number of messages is taken from the socket', async (t) => {
    const { peer, calls, call } = await rig(t);
    const total = 6_000;
    for (let count = 0; count < total; count++) peer.publish('x'.repeat(200));
    await call(1);
    assert.ok(peer.link.end.writableLength > 0);
    const sizes: number[] = [];
    for (let number = 1, handled = 0; handled < total; number++) {
      const { texts, resolve } = await call(number);
      handled += texts.length;
      sizes.push(texts.length);
      resolve();
    }
    await peer.until('the acknowledgements', () => peer.unacknowledged.size === 0);
    assert.deepEqual([Math.max(...sizes), calls.length > 11], [500, true]);
  });
});
