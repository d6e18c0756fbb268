// Owns the proof that both stores do what a store must.
import { lmdbBench, memoryBench } from './bench.ts';
import { storeSuite } from './store-suite.ts';

storeSuite('a store on the disk', lmdbBench);
storeSuite('a store in memory', memoryBench);
