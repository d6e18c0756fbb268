// Owns the run of one service alone in its process, as in a container: it comes to the broker over the network.
import { readFileSync } from 'node:fs';
import { type ConfigOf, choice, text } from './config.ts';
import { Host } from './host.ts';
import { createDoor, readSessionKey } from './http/door.ts';
import { HTTP_VARIABLES } from './http/variables.ts';
import { LOG_LEVELS } from './log.ts';
import { createMetrics } from './metrics.ts';
import { run } from './run.ts';
import type { ServiceModule } from './service.ts';

/** The release that is running, from the package at the root. */
export const VERSION: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

export const LOG_VARIABLES = { LOG_LEVEL: choice('Least severe line that is logged', 'info', LOG_LEVELS) } as const;

export const ALONE_VARIABLES = {
  MQTT_URL: text('The broker', 'mqtt://127.0.0.1:1883'),
  MQTT_PASSWORD: text("This service's secret for the broker", undefined, { secret: true }),
  ACCESS_FILE: text('File of users and opened networks, written by the mesh command', 'data/access.json'),
  SESSION_KEY_FILE: text('File of the key that signs browser sessions', 'data/session.key'),
  ...LOG_VARIABLES,
  ...HTTP_VARIABLES,
} as const;

/** Runs a service alone until a signal. */
export function runService(module: ServiceModule): Promise<void> {
  return run({
    name: module.name,
    variables: { ...ALONE_VARIABLES, ...module.variables },
    environment: process.env,
    start: async (values, log) => {
      const config = values as ConfigOf<typeof ALONE_VARIABLES> & typeof values;
      const host = new Host({
        log,
        metrics: createMetrics({ process: true }),
        version: VERSION,
        http: { host: config.HTTP_HOST, port: config.HTTP_PORT },
        door: createDoor(config, config.ACCESS_FILE, readSessionKey(config.SESSION_KEY_FILE)),
        modules: [module],
        config: values,
        required: [module.name],
        target: (service) => ({ url: config.MQTT_URL, username: service, password: config.MQTT_PASSWORD }),
      });
      await host.start();
      return {
        stop: async () => {
          await host.stop();
          return [];
        },
        [Symbol.asyncDispose]: () => host.stop(),
      };
    },
  });
}
