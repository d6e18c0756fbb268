// Owns what the tests of the broker's memory share: stores in folders of their own, entries, deadlines come from rig.ts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Message, type MessageFields } from '../../src/messages/message.ts';
import type { BrokerStore, QueueEntry, StoredSession } from '../../src/store/broker-store.ts';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'broker-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** One kind of store, for one test. */
export interface Bench {
  /** The store of this test, as its last life left it; who opens it closes it. */
  open(): Promise<BrokerStore>;
  /** Whether a new life knows what the last one kept. */
  readonly outlives: boolean;
}

export type MakeBench = (t: TestContext) => Bench;

export const lmdbBenchAt = (path: string): Bench => ({ outlives: true, open: () => LmdbStore.open(path) });

export const lmdbBench: MakeBench = (t) => lmdbBenchAt(join(temporaryFolder(t), 'broker.lmdb'));

export const memoryBench: MakeBench = () => ({ outlives: false, open: async () => new MemoryStore() });

export const message = (fields: Partial<MessageFields> = {}): Message =>
  new Message({ topic: 'house/lamp', payload: Buffer.from('on'), qos: 1, retain: false, ...fields });

export const entry = (seq: number, fields: Partial<Omit<QueueEntry, 'seq'>> = {}): QueueEntry => ({
  seq,
  message: message({ payload: Buffer.from(`payload ${seq}`) }),
  qos: 1,
  retain: false,
  subscription_ids: [],
  released: false,
  sent: false,
  ...fields,
});

export const session = (number: number, fields: Partial<StoredSession> = {}): StoredSession => ({
  number,
  client_id: `client ${number}`,
  user: 'alice',
  role: 'device',
  durable: false,
  expiry_s: 3_600,
  subscriptions: [{ topic: 'house/#', qos: 1 }],
  ...fields,
});

export const seqsOf = (entries: readonly QueueEntry[]): readonly number[] => entries.map(({ seq }) => seq);
