// Owns the run of the broker alone in its process, as in a container: everybody comes to it over the network.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { type ConfigOf, list, text } from '@monitor-mesh/shared/config.ts';
import { SERVICES } from '@monitor-mesh/shared/contract.ts';
import { Host } from '@monitor-mesh/shared/host.ts';
import { ACCESS_FILE, createDoor } from '@monitor-mesh/shared/http/door.ts';
import { HTTP_VARIABLES } from '@monitor-mesh/shared/http/variables.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import { createMetrics } from '@monitor-mesh/shared/metrics.ts';
import { type Running, run } from '@monitor-mesh/shared/run.ts';
import { LOG_VARIABLES, VERSION } from '@monitor-mesh/shared/run-service.ts';
import type { ServiceModule } from '@monitor-mesh/shared/service.ts';
import { BROKER_VARIABLES } from './config.ts';
import { createBrokerModule } from './service.ts';

const STORE_FILE = 'broker.lmdb';
const KEY_BYTES = 32;

export const BROKER_ALONE_VARIABLES = {
  DATA_DIR: text('Folder of everything that must outlive a stop', './data'),
  ACCESS_FILE: text('File of users and opened networks; in the data folder when it is not named', ''),
  MESH_SERVICES: list(
    'Services whose messages wait for them in the broker, from the first start on',
    'sse-gateway,db-writer,monitor-api,zigbee-bridge,sms-gateway',
    `services among ${SERVICES.join(', ')}`,
    (entry) => SERVICES.find((service) => service === entry),
  ),
  ...LOG_VARIABLES,
  ...HTTP_VARIABLES,
  ...BROKER_VARIABLES,
} as const;

/** Runs the broker until a signal. */
export function runBroker(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  return run({ name: 'broker', variables: BROKER_ALONE_VARIABLES, environment, start: startBroker });
}

/** Starts the broker with its HTTP door for health and metrics; on its first start it makes the first user. */
export async function startBroker(values: Readonly<Record<string, unknown>>, log: Log): Promise<Running> {
  const config = values as ConfigOf<typeof BROKER_ALONE_VARIABLES> & typeof values;
  const folder = config.DATA_DIR;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // No browser logs in here, so no session of another service may open this door: a key that nobody shares.
  const door = createDoor(config, config.ACCESS_FILE || join(folder, ACCESS_FILE), randomBytes(KEY_BYTES));
  const broker = createBrokerModule({
    consumers: config.MESH_SERVICES,
    store_path: join(folder, STORE_FILE),
    // Behind a container's published port a stranger may wear a loopback or gateway address.
    local_is_trusted: false,
  });
  const host = new Host({
    log,
    door,
    metrics: createMetrics({ process: true }),
    version: VERSION,
    http: { host: config.HTTP_HOST, port: config.HTTP_PORT },
    modules: [broker as unknown as ServiceModule],
    config: values,
    required: ['broker'],
    target: (service) => ({ attach: () => broker.attach({ user: service, role: service }) }),
  });
  await ensureFirstLogin(folder, door.authenticator.file);
  await host.start();
  return {
    stop: async () => {
      await host.stop();
      return [`stopped; ${broker.waited} message(s) wait for their services`];
    },
    [Symbol.asyncDispose]: () => host.stop(),
  };
}
