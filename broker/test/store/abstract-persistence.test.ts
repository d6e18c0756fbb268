// Owns the proof that StorePersistence is a persistence as Aedes specifies it, on every store.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, suite } from 'node:test';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { StorePersistence } from '../../src/store/store-persistence.ts';

interface AbstractTests {
  readonly test: typeof test;
  /** The `destroy` with which each of the tests ends closes the store. */
  readonly persistence: () => Promise<StorePersistence>;
  /** Promises rather than call-backs. */
  readonly testAsync: true;
}

// The package declares no types for its tests.
const abstractTests = createRequire(import.meta.url)('aedes-persistence/abstract.js') as (tests: AbstractTests) => void;

suite('the specification of aedes-persistence on lmdb', () => {
  const folder = mkdtempSync(join(tmpdir(), 'broker-persistence-'));
  after(() => rmSync(folder, { recursive: true }));
  let opened = 0;
  const persistence = async (): Promise<StorePersistence> =>
    new StorePersistence(await LmdbStore.open(join(folder, `${++opened}.lmdb`)));
  abstractTests({ test, persistence, testAsync: true });
});

suite('the specification of aedes-persistence in memory', () => {
  abstractTests({ test, persistence: async () => new StorePersistence(new MemoryStore()), testAsync: true });
});
