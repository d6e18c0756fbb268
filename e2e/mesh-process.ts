// Owns the mesh as a process of its own, started as its household starts it, for stories and benchmarks.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FirstLogin, readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEADLINE_MS = 20_000;

/** Whatever ends: a test, or a benchmark's run. */
export interface Scope {
  after(end: () => unknown): void;
}

/** What `npm start` gives to Node. */
const NODE_WORDS: readonly string[] = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'))
  .scripts.start.split(' node ')[1]
  .split(' ');

export interface MeshProcess {
  readonly url: string;
  readonly mqtt_port: number;
  readonly ws_port: number;
  readonly login: FirstLogin;
  readonly child: ChildProcess;
  /** Everything it has printed so far. */
  text(): string;
  /** Asks it to stop, or kills it, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Stops it and starts it again: the same folder, the same ports. */
  again(signal?: NodeJS.Signals): Promise<MeshProcess>;
}

export function temporaryFolder(t: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-e2e-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the embedded mesh on free ports and waits for its greeting. It is stopped after the test. */
export async function startMesh(t: Scope, environment: Readonly<Record<string, string>> = {}): Promise<MeshProcess> {
  const folder = environment.DATA_DIR ?? temporaryFolder(t);
  const given = { HTTP_PORT: '0', MQTT_PORT: '0', MQTT_WS_PORT: '0', ...environment, DATA_DIR: folder };
  const child = spawn(process.execPath, NODE_WORDS, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: `${ROOT}node_modules/.cache/node-compile`, ...given },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  t.after(() => stop());
  const greeted = new Promise<void>((resolve, reject) => {
    const onText = (chunk: Buffer): void => {
      printed += chunk.toString();
      if (/is ready[\s\S]*stop {2}/u.test(printed)) resolve();
    };
    child.stdout.on('data', onText);
    child.stderr.on('data', onText);
    child.once('exit', (code) => reject(new Error(`the mesh ended with ${code}:\n${printed}`)));
    setTimeout(() => reject(new Error(`no greeting:\n${printed}`)), DEADLINE_MS).unref();
  });
  await greeted;
  const port = (pattern: RegExp): number => Number(pattern.exec(printed)?.[1]);
  const http_port = port(/http:\/\/[^:]+:(\d+)\//u);
  const mqtt_port = port(/mqtt:\/\/[^:]+:(\d+)/u);
  const ws_port = port(/ws:\/\/[^:]+:(\d+)/u);
  const login = readFirstLogin(folder);
  if (!login) throw new Error('expected a first login');
  const again = async (signal?: NodeJS.Signals): Promise<MeshProcess> => {
    await stop(signal);
    const same = { HTTP_PORT: String(http_port), MQTT_PORT: String(mqtt_port), MQTT_WS_PORT: String(ws_port) };
    return startMesh(t, { ...given, ...same });
  };
  return {
    url: `http://127.0.0.1:${http_port}`,
    mqtt_port,
    ws_port,
    login,
    child,
    stop,
    again,
    text: () => printed,
  };
}
