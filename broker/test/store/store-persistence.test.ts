// Owns the proof that a stock Aedes on the store keeps everything over a stop.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Aedes, type AedesOptions } from 'aedes';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import type { StockPacket } from '../../src/store/stock-packet.ts';
import { StorePersistence } from '../../src/store/store-persistence.ts';
import { visit, within } from '../rig.ts';
import { temporaryFolder } from './bench.ts';

const KEEPER = { id: 'keeper' };
const BROKER = { id: 'broker 1' };

async function setUp(t: TestContext, path: string): Promise<{ persistence: StorePersistence; stop(): Promise<void> }> {
  const persistence = new StorePersistence(await LmdbStore.open(path));
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= persistence.destroy());
  t.after(stop);
  await persistence.setup(BROKER);
  return { persistence, stop };
}

const packet = (counter: number, fields: StockPacket = {}): StockPacket => ({
  cmd: 'publish',
  topic: 'house/lamp',
  payload: Buffer.from(`payload ${counter}`),
  qos: 1,
  retain: false,
  brokerId: BROKER.id,
  brokerCounter: counter,
  ...fields,
});

test('a new persistence on the same file finds everything', async (t) => {
  const path = join(temporaryFolder(t), 'broker.lmdb');
  const properties = {
    contentType: 'text/plain',
    correlationData: Buffer.from([0, 255]),
    userProperties: { a: ['b', 'c'] },
  };
  const subscription = { topic: 'house/+', qos: 2, rh: 1, rap: true, nl: false, subscriptionIdentifier: 7 };
  const retained = packet(9, { retain: true, properties });
  {
    const { persistence, stop } = await setUp(t, path);
    await persistence.addSubscriptions(KEEPER, [subscription, { topic: 'gone', qos: 1 }]);
    await persistence.removeSubscriptions(KEEPER, ['gone']);
    for (const counter of [1, 2, 3, 4])
      await persistence.outgoingEnqueueCombi([{ clientId: 'keeper' }], packet(counter, { qos: 2, properties }));
    await persistence.outgoingUpdate(KEEPER, packet(1, { messageId: 11 }));
    await persistence.outgoingUpdate(KEEPER, packet(2, { messageId: 12 }));
    await persistence.outgoingUpdate(KEEPER, { cmd: 'pubrel', messageId: 12 });
    await persistence.outgoingUpdate(KEEPER, packet(3, { messageId: 13 }));
    await persistence.outgoingClearMessageId(KEEPER, { messageId: 13 });
    await persistence.incomingStorePacket({ id: 'passer-by' }, packet(0, { qos: 2, messageId: 5 }));
    await persistence.storeRetained(retained);
    await persistence.putWill(KEEPER, { topic: 'house/end', payload: Buffer.from('bye'), qos: 1, retain: false });
    await stop();
  }
  const { persistence } = await setUp(t, path);
  assert.deepEqual(await persistence.subscriptionsByClient(KEEPER), [subscription]);
  const { subscriptionIdentifier: _, ...found } = subscription;
  assert.deepEqual(await persistence.subscriptionsByTopic('house/lamp'), [{ clientId: 'keeper', ...found }]);
  assert.deepEqual(await persistence.countOffline(), { subsCount: 1, clientsCount: 1 });
  const waiting: StockPacket[] = await persistence.outgoingStream(KEEPER).toArray();
  assert.deepEqual(
    waiting.map(({ cmd, brokerCounter, messageId }) => [cmd, brokerCounter, messageId]),
    [
      ['publish', 1, 11],
      ['pubrel', undefined, 12],
      ['publish', 4, undefined],
    ],
  );
  assert.deepEqual(waiting[0]?.properties, properties);
  assert.deepEqual(waiting[2]?.payload, Buffer.from('payload 4'));
  assert.equal((await persistence.outgoingClearMessageId(KEEPER, { messageId: 11 }))?.brokerCounter, 1);
  await persistence.outgoingUpdate(KEEPER, packet(4, { messageId: 14 }));
  assert.equal((await persistence.incomingGetPacket({ id: 'passer-by' }, { messageId: 5 })).topic, 'house/lamp');
  assert.deepEqual(await persistence.createRetainedStream('house/#').toArray(), [retained]);
  const wills: StockPacket[] = await persistence.streamWill({ 'broker 2': 1 }).toArray();
  assert.deepEqual(
    wills.map(({ clientId, brokerId, topic }) => [clientId, brokerId, topic]),
    [['keeper', BROKER.id, 'house/end']],
  );
});

test('a session that is cleaned takes its queue with it, and its name begins anew', async (t) => {
  const path = join(temporaryFolder(t), 'broker.lmdb');
  {
    const { persistence, stop } = await setUp(t, path);
    await persistence.addSubscriptions(KEEPER, [{ topic: 'house/lamp', qos: 1 }]);
    await persistence.outgoingEnqueue({ clientId: 'keeper' }, packet(1));
    await persistence.cleanSubscriptions(KEEPER);
    assert.deepEqual(await persistence.outgoingStream(KEEPER).toArray(), []);
    await persistence.outgoingEnqueue({ clientId: 'keeper' }, packet(2));
    await stop();
  }
  const { persistence } = await setUp(t, path);
  const waiting: StockPacket[] = await persistence.outgoingStream(KEEPER).toArray();
  assert.deepEqual(
    waiting.map(({ brokerCounter }) => brokerCounter),
    [2],
  );
  assert.deepEqual(await persistence.subscriptionsByClient(KEEPER), []);
});

/** A stock Aedes on the store, with nothing of the mesh around it. */
async function startStock(t: TestContext, path: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const persistence: unknown = new StorePersistence(await LmdbStore.open(path));
  const aedes = await Aedes.createBroker({ persistence } as AedesOptions);
  const server = createServer(aedes.handle);
  server.listen(0, '127.0.0.1');
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= new Promise((resolve) => {
      aedes.close(() => server.close(() => resolve()));
    });
    return stopped;
  };
  t.after(stop);
  await within(once(server, 'listening'), 'listening');
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

test('a stock Aedes delivers after a stop what was queued before it, QoS 1 and 2, and what is retained', async (t) => {
  const path = join(temporaryFolder(t), 'broker.lmdb');
  {
    const { url, stop } = await startStock(t, path);
    const keeper = await visit(t, url, undefined, { clientId: 'keeper', clean: false });
    await keeper.client.subscribeAsync('house/#', { qos: 2 });
    await keeper.client.endAsync();
    const { client: publisher } = await visit(t, url, undefined);
    for (const qos of [1, 2, 1, 2] as const) await publisher.publishAsync(`house/q${qos}`, `${qos}`, { qos });
    await publisher.publishAsync('shed/state', 'kept', { qos: 1, retain: true });
    await publisher.endAsync();
    await stop();
  }
  const { url } = await startStock(t, path);
  const { client, inbox } = await visit(t, url, undefined, { clientId: 'keeper', clean: false });
  await inbox.count(4);
  // Aedes answers before it stores, so messages of different QoS overtake each other on their way to the queue.
  assert.deepEqual(inbox.texts().toSorted(), ['1', '1', '2', '2']);
  assert.ok(inbox.seen.every(({ text, packet: { qos } }) => qos === Number(text)));
  await client.subscribeAsync('shed/#', { qos: 1 });
  await inbox.until(({ topic }) => topic === 'shed/state');
});
