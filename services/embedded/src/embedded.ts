// Owns the embedded mesh: broker and services in one process, joined by streams instead of sockets.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BrokerModule, createBrokerModule } from '@monitor-mesh/broker/service.ts';
import { dbWriter } from '@monitor-mesh/db-writer/service.ts';
import { monitorApi } from '@monitor-mesh/monitor-api/service.ts';
import { ensureFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import type { ServiceName } from '@monitor-mesh/shared/contract.ts';
import { Host } from '@monitor-mesh/shared/host.ts';
import {
  ACCESS_FILE,
  createDoor,
  type Door,
  ensureSessionKey,
  readSessionKey,
} from '@monitor-mesh/shared/http/door.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import { createMetrics } from '@monitor-mesh/shared/metrics.ts';
import type { Running } from '@monitor-mesh/shared/run.ts';
import { VERSION } from '@monitor-mesh/shared/run-service.ts';
import type { ServiceModule } from '@monitor-mesh/shared/service.ts';
import { sseGateway } from '@monitor-mesh/sse-gateway/service.ts';
import { zigbeeBridge } from '@monitor-mesh/zigbee-bridge/service.ts';
import type { EmbeddedVariables } from './config.ts';
import { lockFolder } from './folder-lock.ts';

/** The services that run beside the broker, in the order of their start. */
export const EMBEDDED_SERVICES: readonly ServiceModule[] = [dbWriter, sseGateway, monitorApi, zigbeeBridge];

/** Services whose messages wait in the broker: those that run here, and the modem's, whose SMS wait a day for it. */
const CONSUMERS: readonly ServiceName[] = ['sse-gateway', 'db-writer', 'monitor-api', 'zigbee-bridge', 'sms-gateway'];

const STORE_FILE = 'broker.lmdb';

export interface EmbeddedMesh extends Running {
  readonly ports: { readonly http: number; readonly mqtt: number; readonly ws: number };
  readonly first_login_path: string;
  readonly door: Door;
  readonly host: Host;
  readonly broker: BrokerModule;
}

/** Starts everything; resolves when the services have been started. */
export async function startEmbedded(
  values: Readonly<Record<string, unknown>>,
  log: Log,
  extra: { readonly modules?: readonly ServiceModule[]; readonly now?: () => number } = {},
): Promise<EmbeddedMesh> {
  const config = values as ConfigOf<EmbeddedVariables> & typeof values;
  const folder = config.DATA_DIR;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  const door = createDoor(config, join(folder, ACCESS_FILE), readSessionKey(ensureSessionKey(folder)), extra.now);
  const broker = createBrokerModule({
    consumers: CONSUMERS,
    store_path: join(folder, STORE_FILE),
    local_is_trusted: true,
  });
  const host = new Host({
    log,
    door,
    metrics: createMetrics({ process: true }),
    version: VERSION,
    http: { host: config.HTTP_HOST, port: config.HTTP_PORT },
    modules: [broker as unknown as ServiceModule, ...EMBEDDED_SERVICES, ...(extra.modules ?? [])],
    config: values,
    required: ['broker'],
    target: (service) => ({ attach: () => broker.attach({ user: service, role: service }) }),
    ...(extra.now === undefined ? {} : { now: extra.now }),
  });
  const stop = async (): Promise<readonly string[]> => {
    await host.stop();
    unlock();
    return [
      `stopped; ${broker.waited === 0 ? 'no message waits' : `${broker.waited} message(s) wait in the broker for their services`}`,
    ];
  };
  try {
    const first_login_path = await ensureFirstLogin(folder, door.authenticator.file, extra.now);
    await host.start();
    return {
      stop,
      host,
      door,
      broker,
      first_login_path,
      ports: { http: host.httpPort, ...broker.ports },
      [Symbol.asyncDispose]: async () => void (await stop()),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
