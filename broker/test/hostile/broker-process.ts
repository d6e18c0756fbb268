// Runs a broker for hostile neighbours in a process of its own: everybody may come in. Prints its port. Its
// arguments are the folder of its store, and its port.

import { join } from 'node:path';
import { SERVICES } from '@monitor-mesh/shared/contract.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { createMetrics } from '@monitor-mesh/shared/metrics.ts';
import { createBroker } from '../../src/broker.ts';
import { LmdbStore } from '../../src/store/lmdb-store.ts';

const folder = process.argv[2] || undefined;

const broker = await createBroker({
  log: createLog('hostile', 'error'),
  metrics: createMetrics(),
  consumers: ['db-writer'],
  version: '0',
  ...(folder === undefined ? {} : { store: await LmdbStore.open(join(folder, 'broker.lmdb')) }),
  limits: {
    connections_max: 10_000,
    connects_per_second_max: 100_000,
    promised_messages_max: folder === undefined ? 10_000 : 2_000_000,
    queue_messages_max: 200_000,
  },
  authenticate: async (name) => ({
    user: name ?? 'anybody',
    role: SERVICES.find((service) => service === name) ?? 'homeassistant',
  }),
});
const { port } = await broker.listenTcp({ host: '127.0.0.1', port: Number(process.argv[3] ?? 0) });
process.stdout.write(`${port}\n`);
process.once('SIGTERM', () => process.exit());
