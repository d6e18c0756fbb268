// Runs a broker for hostile neighbours in a process of its own: everybody may come in. Prints its port. The
// folder of its store is its argument; without one it keeps everything in memory.

import { join } from 'node:path';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { createMetrics } from '@monitor-mesh/shared/metrics.ts';
import { createBroker } from '../../src/broker.ts';
import { LmdbStore } from '../../src/store/lmdb-store.ts';

const folder = process.argv[2];

const broker = await createBroker({
  log: createLog('hostile', 'error'),
  metrics: createMetrics(),
  consumers: ['db-writer'],
  version: '0',
  ...(folder === undefined ? {} : { store: await LmdbStore.open(join(folder, 'broker.lmdb')) }),
  limits: {
    connections_max: 10_000,
    connects_per_second_max: 100_000,
    promised_messages_max: 10_000,
    queue_messages_max: 200_000,
  },
  authenticate: async (name) => ({ user: name ?? 'anybody', role: 'homeassistant' }),
});
const { port } = await broker.listenTcp({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${port}\n`);
process.once('SIGTERM', () => process.exit());
