// Owns a process that writes batches to a SQLite store until it is killed, and tells its parent what was acknowledged.
import { argv } from 'node:process';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import { change, delivery, raw } from './deliveries.ts';

const [path = '', size = '25'] = argv.slice(2);
const store = await openSqliteStore({ path });
for (let batch = 0; process.connected; batch += 1) {
  const mids = Array.from({ length: Number(size) }, (_, index) => `${process.pid}-${batch}-${index}`);
  await store.apply(mids.map((mid) => delivery(mid, change({ id: mid }), raw({ topic: mid }))));
  process.send?.(batch);
}
