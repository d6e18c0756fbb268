// Owns the rig of the embedded mesh's tests: a whole mesh on free ports in a folder of its own, and people's ways in.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { embeddedEnvironment, embeddedVariables } from '@monitor-mesh/embedded/config.ts';
import { EMBEDDED_SERVICES, type EmbeddedMesh, startEmbedded } from '@monitor-mesh/embedded/embedded.ts';
import { readFirstLogin } from '@monitor-mesh/shared/auth/first-login.ts';
import { type BrokerClient, openClient } from '@monitor-mesh/shared/bus/connection.ts';
import { readConfig } from '@monitor-mesh/shared/config.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';

/** Longest wait for something that should happen; reaching it is a failure. */
export const DEADLINE_MS = 8_000;

export interface TestMesh {
  readonly mesh: EmbeddedMesh;
  readonly url: string;
  readonly mqtt_url: string;
  readonly ws_url: string;
  readonly folder: string;
  readonly token: string;
  readonly password: string;
  /** Every log line so far. */
  readonly lines: readonly string[];
  stop(): Promise<readonly string[]>;
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A mesh that is ready. It is stopped, and its folder removed, after the test. */
export async function startMesh(
  t: TestContext,
  environment: Readonly<Record<string, string>> = {},
  folder = temporaryFolder(t),
): Promise<TestMesh> {
  const given = { HTTP_PORT: '0', MQTT_PORT: '0', MQTT_WS_PORT: '0', DATA_DIR: folder, ...environment };
  const config = readConfig(embeddedVariables(EMBEDDED_SERVICES), embeddedEnvironment(given));
  const lines: string[] = [];
  const log = createLog('test', 'debug', { write: (line: string) => void lines.push(line) });
  const mesh = await startEmbedded(config, log);
  let stopped: Promise<readonly string[]> | undefined;
  const stop = (): Promise<readonly string[]> => {
    stopped ??= mesh.stop();
    return stopped;
  };
  t.after(stop);
  const login = readFirstLogin(folder);
  if (!login) throw new Error('expected a first login');
  if (environment.DATABASE_URL === undefined) await until('the mesh is ready', () => mesh.host.readiness().ready);
  return {
    mesh,
    folder,
    lines,
    stop,
    token: login.token,
    password: login.password,
    url: `http://127.0.0.1:${mesh.ports.http}`,
    mqtt_url: `mqtt://127.0.0.1:${mesh.ports.mqtt}`,
    ws_url: `ws://127.0.0.1:${mesh.ports.ws}`,
  };
}

/** Waits for a condition under the deadline; asks again each few milliseconds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`expected within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Event {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** An open event stream: its events as they come, and its bytes. */
export interface Stream {
  readonly status: number;
  readonly headers: Headers;
  readonly events: readonly Event[];
  text(): string;
  close(): void;
}

/** Opens an event stream as EventSource does; it is closed after the test. */
export async function openStream(
  t: TestContext,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Stream> {
  const abort = new AbortController();
  t.after(() => abort.abort());
  const answer = await fetch(url, { headers, signal: abort.signal });
  const events: Event[] = [];
  let text = '';
  const read = async (): Promise<void> => {
    if (!answer.body || !answer.ok) return;
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of answer.body) {
      const piece = decoder.decode(chunk, { stream: true });
      text += piece;
      rest += piece;
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) if (block.includes('data:')) events.push(parseBlock(block));
    }
    text += '\n[stream ended]';
  };
  read().catch((error: unknown) => {
    if (!abort.signal.aborted) text += `\n[stream ended: ${String(error)}]`;
  });
  return { status: answer.status, headers: answer.headers, events, text: () => text, close: () => abort.abort() };
}

function parseBlock(block: string): Event {
  const field = (name: string): string =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim() ?? '';
  return { id: field('id'), event: field('event') || 'message', data: field('data') };
}

/** A person's MQTT client; ended after the test. */
export async function openMqtt(
  t: TestContext,
  url: string,
  options: Parameters<typeof openClient>[1] = {},
): Promise<BrokerClient> {
  const { username = '', password = '', ...rest } = options;
  const client = openClient({ url, username, password: String(password) }, { reconnectPeriod: 0, ...rest });
  t.after(() => client.endAsync(true));
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  return client;
}

export const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` });

/** A stream that remembers what was written to it. */
export function collector(): NodeJS.WritableStream & { text(): string } {
  const pieces: string[] = [];
  const stream = new PassThrough();
  stream.on('data', (chunk) => pieces.push(String(chunk)));
  return Object.assign(stream, { text: () => pieces.join('') });
}
