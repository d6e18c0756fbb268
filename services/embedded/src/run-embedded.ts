// Owns the embedded process: variables, greeting, and the demo's simulated house when it is asked for.
import { run } from '@monitor-mesh/shared/run.ts';
import { embeddedEnvironment, embeddedVariables } from './config.ts';
import { EMBEDDED_SERVICES, startEmbedded } from './embedded.ts';
import { greetingOf } from './greeting.ts';
import { simulateHouse } from './simulated-house.ts';

/** The demo lives in its own folder and says on every screen what it is. */
const DEMO = { DATA_DIR: './demo-data', HOUSE_LABEL: 'DEMO' } as const;

/** Runs until a signal; `demo` adds a simulated house. */
export function runEmbedded(
  environment: Readonly<Record<string, string | undefined>>,
  { demo = false } = {},
): Promise<void> {
  return run({
    name: demo ? 'monitor-mesh demo' : 'monitor-mesh',
    variables: embeddedVariables(EMBEDDED_SERVICES),
    environment: embeddedEnvironment(demo ? { ...environment, ...DEMO } : environment),
    start: async (config, log) => {
      const mesh = await startEmbedded(config, log);
      const endDemo = demo
        ? simulateHouse({ attach: () => mesh.broker.attach({ user: 'demo', role: 'local' }) })
        : undefined;
      process.stdout.write(
        greetingOf({
          http_host: String(config.HTTP_HOST),
          mqtt_host: String(config.MQTT_HOST),
          ports: mesh.ports,
          first_login_path: mesh.first_login_path,
          demo,
        }),
      );
      const stop = async (): Promise<readonly string[]> => {
        await endDemo?.();
        return mesh.stop();
      };
      return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
    },
  });
}
