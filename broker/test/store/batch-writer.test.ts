// Owns the proof of when a commit is answered, with a database whose disk answers when the test says so.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { BatchWriter, type WritableDatabase } from '../../src/store/batch-writer.ts';

const key = (text: string): Buffer => Buffer.from(text);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Remembers each transaction; each is safe when `land` or refused when `refuse` is called. */
class SlowDisk implements WritableDatabase {
  readonly transactions: string[][] = [];
  #answer: PromiseWithResolvers<boolean> | undefined;

  batch(action: () => void): Promise<boolean> {
    assert.equal(this.#answer, undefined, 'one transaction at a time');
    this.transactions.push([]);
    action();
    this.#answer = Promise.withResolvers();
    return this.#answer.promise;
  }
  put(name: Buffer, value: Buffer): void {
    this.transactions.at(-1)?.push(`${name}=${value}`);
  }
  remove(name: Buffer): void {
    this.transactions.at(-1)?.push(`-${name}`);
  }
  async land(): Promise<void> {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.resolve(true);
    await turn();
  }
  /** As lmdb does it: the cause is in a promise of its own. */
  async refuse(cause: string): Promise<void> {
    const answer = this.#answer;
    this.#answer = undefined;
    const commitError = Promise.reject(new Error(cause));
    answer?.reject(Object.assign(new Error('Commit failed (see commitError for details)'), { commitError }));
    await turn();
  }
}

interface Case {
  readonly disk: SlowDisk;
  readonly writer: BatchWriter;
  readonly events: string[];
  /** Names of the commits that were answered. */
  readonly answered: string[];
  commit(name: string): void;
}

function start(t: TestContext): Case {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const disk = new SlowDisk();
  const events: string[] = [];
  const answered: string[] = [];
  const writer = new BatchWriter(disk, {
    onTakeOff: () => events.push('take off'),
    onLanded: () => events.push('landed'),
    describeDisk: () => 'with 0 KiB free',
  });
  const commit = (name: string): void => {
    writer.commit().then(
      () => answered.push(name),
      (error: unknown) => answered.push(`${name}: ${error}`),
    );
  };
  return { disk, writer, events, answered, commit };
}

test('what happens in one turn is one transaction, and no commit is answered before it is on the disk', async (t) => {
  const { disk, writer, events, answered, commit } = start(t);
  for (const name of ['a', 'b', 'c']) {
    writer.put(key(name), key('1'));
    commit(name);
  }
  writer.put(key('a'), undefined);
  await turn();
  assert.deepEqual(disk.transactions, [['a=1', 'b=1', 'c=1', '-a']]);
  assert.deepEqual([answered, events], [[], ['take off']]);
  await disk.land();
  assert.deepEqual(
    [answered, events],
    [
      ['a', 'b', 'c'],
      ['take off', 'landed'],
    ],
  );
});

test('what happens while a transaction is on its way waits for the next, which begins at once', async (t) => {
  const { disk, writer, answered, commit } = start(t);
  writer.put(key('a'), key('1'));
  commit('a');
  await turn();
  commit('nothing new');
  writer.put(key('b'), key('1'));
  commit('b');
  await turn();
  assert.equal(disk.transactions.length, 1);
  await disk.land();
  assert.deepEqual(answered, ['a', 'nothing new']);
  assert.deepEqual(disk.transactions, [['a=1'], ['b=1']]);
  await disk.land();
  assert.deepEqual(answered, ['a', 'nothing new', 'b']);
});

test('a commit of nothing is answered at once', async (t) => {
  const { disk, answered, commit } = start(t);
  commit('a');
  await turn();
  assert.deepEqual([answered, disk.transactions], [['a'], []]);
});

test('what nobody waits for is written all the same, a little later', async (t) => {
  const { disk, writer } = start(t);
  writer.put(key('a'), undefined);
  await turn();
  assert.deepEqual(disk.transactions, []);
  t.mock.timers.tick(50);
  assert.deepEqual(disk.transactions, [['-a']]);
});

test('while the disk refuses, commits wait and the fault says why; it is asked again until all is written', async (t) => {
  const { disk, writer, answered, commit } = start(t);
  writer.put(key('a'), key('1'));
  commit('a');
  await turn();
  for (let attempt = 1; attempt <= 3; attempt++) {
    await disk.refuse('No space left on device');
    assert.match(writer.fault ?? '', /No space left on device, with 0 KiB free/u);
    if (attempt === 1) {
      writer.put(key('b'), key('1'));
      commit('b');
    }
    await turn();
    assert.deepEqual([answered, disk.transactions.length], [[], attempt]);
    t.mock.timers.tick(1_000);
  }
  await disk.land();
  assert.equal(writer.fault, undefined);
  assert.deepEqual(answered, ['a']);
  await disk.land();
  assert.deepEqual(answered, ['a', 'b']);
  assert.deepEqual(disk.transactions, [['a=1'], ['a=1'], ['a=1'], ['a=1'], ['b=1']]);
});

test('a stop while the disk refuses ends, and answers no commit as if it were safe', async (t) => {
  const { disk, writer, answered, commit } = start(t);
  writer.put(key('a'), key('1'));
  commit('a');
  await turn();
  await disk.refuse('No space left on device');
  writer.put(key('b'), key('1'));
  commit('b');
  await writer.close();
  assert.equal(answered.length, 2);
  assert.ok(answered.every((answer) => /the disk refuses/u.test(answer)));
});

test('a stop waits until everything is on the disk', async (t) => {
  const { disk, writer, answered, commit } = start(t);
  writer.put(key('a'), key('1'));
  commit('a');
  await turn();
  writer.put(key('b'), key('1'));
  let closed = false;
  const closing = writer.close().then(() => {
    closed = true;
  });
  await disk.land();
  assert.deepEqual([answered, closed], [['a'], false]);
  await turn();
  await disk.land();
  await closing;
  assert.deepEqual(disk.transactions, [['a=1'], ['b=1']]);
});
