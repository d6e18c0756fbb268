// Owns the servers that are compared: sse-gateway with its broker, and nginx with nchan, each in a folder of its own.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AccessFile } from '@monitor-mesh/shared/auth/access-file.ts';
import { readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { digestOf, randomSecret } from '@monitor-mesh/shared/auth/password.ts';
import { ensureSessionKey } from '@monitor-mesh/shared/http/door.ts';
import { freePort } from '../../e2e/free-port.ts';
import { childrenOf, type Scope, start, untilAnswered } from './process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** As the Dockerfile gives them to Node. */
const NODE_FLAGS = ['--max-semi-space-size=4', '--max-old-space-size=256', '--disable-warning=ExperimentalWarning'];
const NGINX = '/usr/sbin/nginx';
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const STREAMS_MAX = 15_000;
/** What stands around the state in an event of the gateway. */
const EVENT_HEAD = '{"topic":"monitor/maj","payload":{"id":"bench","state":"';
const EVENT_TAIL = '","at":"2026-10-05T07:02:03.000Z","source":"fact"},"mid":"01a2106f-e484-7fbb-b1ae-52e0e54213ce"}';

/** A server to be measured, and what the client must know to use it. */
export interface Server {
  readonly name: string;
  /** The process that holds the streams. */
  readonly pid: number;
  readonly words: Readonly<Record<string, string | number>>;
}

export const isPeerInstalled = (): boolean => existsSync(NGINX) && existsSync(NCHAN);

function newFolder(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sse-'));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Broker and gateway as processes of their own, as containers run them; the gateway is what is measured. */
export async function startOurs(scope: Scope, profile: string | undefined): Promise<Server> {
  const folder = newFolder(scope);
  const data = join(folder, 'broker');
  mkdirSync(data);
  const secret = randomSecret();
  const access = join(folder, 'access.json');
  new AccessFile(access).update((before) => ({ ...before, services: { 'sse-gateway': digestOf(secret) } }));
  const environment = {
    PATH: process.env.PATH,
    LOG_LEVEL: 'warn',
    NODE_COMPILE_CACHE: `${ROOT}node_modules/.cache/node-compile`,
    ACCESS_FILE: access,
  };
  const [mqtt, ws, health, http] = [await freePort(), await freePort(), await freePort(), await freePort()];
  start(scope, [process.execPath, ...NODE_FLAGS, join(ROOT, 'broker/src/main.ts')], {
    ...environment,
    DATA_DIR: data,
    MESH_SERVICES: 'sse-gateway',
    MQTT_PORT: String(mqtt),
    MQTT_WS_PORT: String(ws),
    HTTP_PORT: String(health),
  });
  await untilAnswered(`http://127.0.0.1:${health}/health/ready`);
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const gateway = [process.execPath, ...NODE_FLAGS, ...profiling, join(ROOT, 'services/sse-gateway/src/main.ts')];
  const pid = start(scope, gateway, {
    ...environment,
    MQTT_URL: `mqtt://127.0.0.1:${mqtt}`,
    MQTT_PASSWORD: secret,
    SESSION_KEY_FILE: ensureSessionKey(folder),
    HTTP_PORT: String(http),
    SSE_VIEWERS_MAX: String(STREAMS_MAX),
    SSE_VIEWERS_PER_USER_MAX: String(STREAMS_MAX),
  });
  await untilAnswered(`http://127.0.0.1:${http}/health/ready`);
  const token = readFirstLogin(data)?.token ?? '';
  const words = { port: http, open: '/api/v1/stream', publish: '/fact', token };
  return { name: 'sse-gateway', pid, words: { ...words, body_head: '{"id":"bench","state":"', body_tail: '"}' } };
}

/** One worker: one process is what is compared. Its events are as long as ours. */
export async function startNchan(scope: Scope): Promise<Server> {
  const folder = newFolder(scope);
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `load_module ${NCHAN};
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile ${STREAMS_MAX * 1.2};
events { worker_connections ${STREAMS_MAX}; }
http {
  access_log off;
  keepalive_requests 1000000;
  tcp_nodelay on;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  nchan_shared_memory_size 64M;
  server {
    listen 127.0.0.1:${port};
    location = /ready { return 204; }
    location = /publish { nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 4096; }
    location = /stream { nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }
  }
}
`,
  );
  const master = start(scope, [NGINX, '-p', folder, '-c', config], { PATH: process.env.PATH });
  await untilAnswered(`http://127.0.0.1:${port}/ready`);
  let worker: number | undefined;
  for (; worker === undefined; await pause(10)) [worker] = childrenOf(master);
  const words = { port, open: '/stream', publish: '/publish', body_head: EVENT_HEAD, body_tail: EVENT_TAIL };
  return { name: 'nginx + nchan', pid: worker, words };
}
