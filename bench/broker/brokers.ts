// Owns the brokers that are compared: ours as a process, durable or in memory, and mosquitto; each in a folder of its own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The project whose broker is measured: this one, or a copy that nobody edits meanwhile. */
export const BROKER_ROOT = process.env.BENCH_BROKER_ROOT ?? fileURLToPath(new URL('../..', import.meta.url));
const MOSQUITTO = '/usr/sbin/mosquitto';
const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 10_000;

/** What is measured: our broker in either setting of DURABILITY, or the peer. */
export type Target = 'fsync' | 'memory' | 'mosquitto';

export interface Broker extends AsyncDisposable {
  readonly target: Target;
  readonly port: number;
  /** Empty: nobody asks. */
  readonly user: string;
  readonly password: string;
  /** Resident memory, bytes. */
  rssBytes(): number;
}

export interface BrokerOptions {
  readonly connections_max: number;
  /** mosquitto's max_inflight_messages; its default is 20. */
  readonly mosquitto_inflight: number | undefined;
}

/** Whether the peer is installed; nothing here installs or enables it. */
export function peerVersion(): string | undefined {
  try {
    return /version (\S+)/u.exec(execFileSync(MOSQUITTO, ['-h'], { encoding: 'utf8' }))?.[1];
  } catch (error) {
    const printed = (error as { readonly stdout?: unknown }).stdout; // it exits with 1 when it helps
    return typeof printed === 'string' ? /version (\S+)/u.exec(printed)?.[1] : undefined;
  }
}

export function startBroker(target: Target, options: BrokerOptions): Promise<Broker> {
  return target === 'mosquitto' ? startMosquitto(options) : startOurs(target, options);
}

async function startOurs(target: 'fsync' | 'memory', { connections_max }: BrokerOptions): Promise<Broker> {
  const folder = newFolder();
  try {
    const environment = { PATH: process.env.PATH, DATA_DIR: folder, ACCESS_FILE: join(folder, 'access.json') };
    const mesh = [join(BROKER_ROOT, 'services/mesh-cli/bin/mesh.ts'), 'user', 'add', 'bench', '--role', 'admin'];
    const added = execFileSync(process.execPath, mesh, { env: environment, encoding: 'utf8' });
    const [port, ws_port, http_port] = await freePorts(3);
    const command = [process.execPath, ...nodeFlags(), join(BROKER_ROOT, 'broker/src/main.ts')];
    return await startProcess(target, command, folder, port ?? 0, {
      user: 'bench',
      password: /^password=(\S+)$/mu.exec(added)?.[1] ?? '',
      environment: {
        ...environment,
        NODE_COMPILE_CACHE: join(BROKER_ROOT, 'node_modules/.cache/node-compile'),
        DURABILITY: target,
        MQTT_PORT: String(port),
        MQTT_WS_PORT: String(ws_port),
        HTTP_PORT: String(http_port),
        LOG_LEVEL: 'warn',
        // no limit on either side may decide a case
        MQTT_CONNECTIONS_MAX: String(connections_max),
        MQTT_CONNECTS_PER_SECOND_MAX: '100000',
        MQTT_QUEUE_MESSAGES_MAX: '1000000',
      },
    });
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

async function startMosquitto({ mosquitto_inflight }: BrokerOptions): Promise<Broker> {
  const folder = newFolder();
  try {
    const [port] = await freePorts(1);
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder}/`,
      'max_queued_messages 0',
      'set_tcp_nodelay true',
      'log_dest stderr',
      'log_type error',
      'log_type warning',
      ...(mosquitto_inflight === undefined ? [] : [`max_inflight_messages ${mosquitto_inflight}`]),
      ...(process.getuid?.() === 0 ? ['user root'] : []), // else it becomes a user who may not write in the folder
    ];
    const config = join(folder, 'mosquitto.conf');
    writeFileSync(config, `${lines.join('\n')}\n`);
    return await startProcess('mosquitto', [MOSQUITTO, '-c', config], folder, port ?? 0);
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

interface Access {
  readonly user: string;
  readonly password: string;
  readonly environment: NodeJS.ProcessEnv;
}
const ANYBODY: Access = { user: '', password: '', environment: { PATH: process.env.PATH } };

/** Starts a broker and waits until it answers. The folder goes with it. */
async function startProcess(
  target: Target,
  [program = '', ...words]: readonly string[],
  folder: string,
  port: number,
  { user, password, environment }: Access = ANYBODY,
): Promise<Broker> {
  // the terminal's Ctrl-C is for the benchmark, which then stops its brokers
  const child = spawn(program, words, { env: environment, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    printed = `${printed}${chunk}`.slice(-10_000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    await endProcess(child, ended);
    removeFolder(folder);
  };
  try {
    await untilAnswered(port, () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null);
  } catch (cause) {
    await stop();
    throw new Error(`${target} does not answer on port ${port}:\n${printed}`, { cause });
  }
  return {
    target,
    port,
    user,
    password,
    rssBytes: () => rssBytes(child.pid ?? 0),
    [Symbol.asyncDispose]: async () => {
      const fault = child.exitCode ?? child.signalCode;
      await stop();
      if (fault !== null) throw new Error(`${target} ended by itself (${fault}):\n${printed}`);
    },
  };
}

async function endProcess(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await ended;
  clearTimeout(late);
}

async function untilAnswered(port: number, hasEnded: () => boolean): Promise<void> {
  const deadline_ms = performance.now() + START_DEADLINE_MS;
  while (!(await isOpen(port))) {
    if (hasEnded()) throw new Error('it ended');
    if (performance.now() > deadline_ms) throw new Error(`nothing within ${START_DEADLINE_MS} ms`);
    await pause(20);
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** What `make start` gives to Node, as the Makefile and package.json say it. */
function nodeFlags(): readonly string[] {
  const line = /^NODE_FLAGS := (.*)$/mu.exec(readFileSync(join(BROKER_ROOT, 'Makefile'), 'utf8'))?.[1];
  if (line === undefined) throw new Error(`expected NODE_FLAGS in ${BROKER_ROOT}/Makefile`);
  return line.split(' ');
}

/** Ports that are free now, all different. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports = servers.map(
    (server) =>
      new Promise<number>((resolve, reject) => {
        server.once('error', reject);
        server.once('listening', () => {
          const address = server.address();
          resolve(typeof address === 'object' && address !== null ? address.port : 0);
        });
      }),
  );
  const found = await Promise.all(ports);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return found;
}

const rssBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'bench-broker-'));
const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });
