// Owns broker and db-writer as processes of their own, as containers run them.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AccessFile } from '@monitor-mesh/shared/auth/access-file.ts';
import { readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { digestOf, randomSecret } from '@monitor-mesh/shared/auth/password.ts';
import { ensureSessionKey } from '@monitor-mesh/shared/http/door.ts';
import { freePort } from '../../e2e/free-port.ts';
import type { Scope } from '../../e2e/mesh-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** As the Dockerfile gives them to Node. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--max-old-space-size=256', '--disable-warning=ExperimentalWarning'];
const READY_MS_MAX = 20_000;

export interface Apart {
  readonly mqtt_port: number;
  readonly token: string;
}

function run(scope: Scope, file: string, environment: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(process.execPath, [...NODE_FLAGS, file], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH,
      LOG_LEVEL: 'warn',
      NODE_COMPILE_CACHE: `${ROOT}node_modules/.cache/node-compile`,
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  scope.after(async () => {
    child.kill();
    await ended;
  });
  return child;
}

async function untilReady(port: number): Promise<void> {
  for (const end = Date.now() + READY_MS_MAX; ; await pause(20)) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined); // not listening yet
    if (answer?.ok) return;
    if (Date.now() > end) throw new Error(`nothing is ready on port ${port}`);
  }
}

/** Both, ready; ended with the scope. */
export async function startApart(scope: Scope, folder: string, databaseUrl: string): Promise<Apart> {
  const data = join(folder, 'broker');
  mkdirSync(data, { recursive: true });
  const secret = randomSecret();
  const access = join(folder, 'access.json');
  new AccessFile(access).update((before) => ({ ...before, services: { 'db-writer': digestOf(secret) } }));
  const [mqtt, ws, health, writerHealth] = [await freePort(), await freePort(), await freePort(), await freePort()];
  run(scope, 'broker/src/main.ts', {
    DATA_DIR: data,
    ACCESS_FILE: access,
    MESH_SERVICES: 'db-writer',
    MQTT_PORT: String(mqtt),
    MQTT_WS_PORT: String(ws),
    HTTP_PORT: String(health),
  });
  await untilReady(health);
  run(scope, 'services/db-writer/src/main.ts', {
    MQTT_URL: `mqtt://127.0.0.1:${mqtt}`,
    MQTT_PASSWORD: secret,
    ACCESS_FILE: access,
    SESSION_KEY_FILE: ensureSessionKey(folder),
    DATABASE_URL: databaseUrl,
    HTTP_PORT: String(writerHealth),
  });
  await untilReady(writerHealth);
  return { mqtt_port: mqtt, token: readFirstLogin(data)?.token ?? '' };
}
