// Owns the embedded process: variables, greeting, and the demo's simulated house when it is asked for.
import { run } from '@monitor-mesh/shared/run.ts';
import type { ServiceModule } from '@monitor-mesh/shared/service.ts';
import { EMBEDDED_SERVICES, startEmbedded } from './embedded.ts';
import { embeddedEnvironment, embeddedVariables } from './config.ts';
import { greetingOf } from './greeting.ts';

/** Runs until a signal; `demo` adds a simulated house. */
export function runEmbedded(environment: Readonly<Record<string, string | undefined>>, demo: readonly ServiceModule[] = []): Promise<void> {
  const modules = [...EMBEDDED_SERVICES, ...demo];
  return run({
    name: 'monitor-mesh',
    variables: embeddedVariables(modules),
    environment: embeddedEnvironment(environment),
    start: async (config, log) => {
      const mesh = await startEmbedded(config, log, { modules: demo });
      process.stdout.write(
        greetingOf({
          http_host: String(config.HTTP_HOST),
          mqtt_host: String(config.MQTT_HOST),
          ports: mesh.ports,
          first_login_path: mesh.first_login_path,
          demo: demo.length > 0,
        }),
      );
      return mesh;
    },
  });
}
