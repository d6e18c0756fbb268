// Runs a broker of its own process for the chaos: everybody may come in, in the role that the user name begins with.
// Arguments: --folder, --port, --store lmdb or memory, --generous for
// queues without an end. Prints its port when it listens.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVICES } from '@monitor-mesh/shared/contract.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { createMetrics } from '@monitor-mesh/shared/metrics.ts';
import { createBroker } from '../../src/broker.ts';
import { LmdbStore } from '../../src/store/lmdb-store.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';

const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: '.' },
    port: { type: 'string', default: '0' },
    store: { type: 'string', default: 'lmdb' },
    generous: { type: 'boolean', default: false },
  },
});

const broker = await createBroker({
  log: createLog('broker', 'warn'),
  metrics: createMetrics(),
  consumers: ['db-writer'],
  version: '0',
  store: values.store === 'memory' ? new MemoryStore() : await LmdbStore.open(join(values.folder, 'broker.lmdb')),
  limits: {
    connects_per_second_max: 100_000,
    // Where nothing may be dropped, every loss is a fault.
    ...(values.generous ? { queue_messages_max: 5_000_000, queue_bytes_max: 4 * 1024 ** 3 } : {}),
  },
  authenticate: async (user = 'admin') => ({ user, role: SERVICES.find((service) => service === user) ?? 'admin' }),
});
const { port } = await broker.listenTcp({ host: '127.0.0.1', port: Number(values.port) });
process.stdout.write(`${port}\n`);
