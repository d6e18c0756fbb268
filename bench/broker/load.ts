// Owns the load client: its compilation, its runs, and what is wrong with their results.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Broker } from './brokers.ts';

/** Longest run: beyond it something hangs that the client itself does not see. */
const RUN_DEADLINE_MS = 180_000;

export type Mode = 'throughput' | 'latency' | 'one_at_a_time' | 'idle';

/** Options of the client by its own names (client.c); what is absent has the client's default. */
export interface Load {
  readonly mode: Mode;
  readonly publishers?: number;
  readonly subscribers?: number;
  readonly qos?: 0 | 1;
  /** Of each publisher. */
  readonly messages?: number;
  readonly window?: number;
  readonly outstanding?: number;
  readonly persistent?: 0 | 1;
  readonly offline?: 0 | 1;
  readonly rate_hz?: number;
  readonly connections?: number;
}

/** The numbers of the client's line; those of another mode are absent. */
export type Result = Readonly<Record<string, number>>;

export interface LoadClient extends Disposable {
  run(load: Load, broker: Broker, signal: AbortSignal): Promise<Result>;
  /** Opens connections and holds them while `whileOpen` looks. */
  hold(load: Load, broker: Broker, signal: AbortSignal, whileOpen: (result: Result) => Promise<void>): Promise<void>;
}

/** Compiles the client into a temporary folder, which goes with it. */
export function compileClient(): LoadClient {
  const folder = mkdtempSync(join(tmpdir(), 'bench-client-'));
  const program = join(folder, 'client');
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const source = fileURLToPath(new URL('client.c', import.meta.url));
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, source], { stdio: 'inherit' });
  } catch (error) {
    dispose();
    throw error;
  }
  const start = (load: Load, broker: Broker, signal: AbortSignal): Session =>
    startClient(program, load, broker, signal);
  return {
    run: async (load, broker, signal) => {
      const session = start(load, broker, signal);
      return (await Promise.all([session.line, session.ended]))[0];
    },
    hold: async (load, broker, signal, whileOpen) => {
      const session = start(load, broker, signal);
      try {
        await whileOpen(await session.line);
      } finally {
        session.child.stdin?.end();
        await session.ended;
      }
    },
    [Symbol.dispose]: dispose,
  };
}

interface Session {
  readonly child: ChildProcess;
  readonly line: Promise<Result>;
  readonly ended: Promise<void>;
}

function startClient(program: string, load: Load, broker: Broker, signal: AbortSignal): Session {
  const { mode, ...options } = load;
  const { port, user, password } = broker;
  const words = Object.entries({ ...options, port, user, password }).map(([name, value]) => `${name}=${value}`);
  const child = spawn(program, [mode, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.any([signal, AbortSignal.timeout(RUN_DEADLINE_MS)]),
  });
  let printed = '';
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const line = new Promise<Result>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.endsWith('\n')) resolve(parseResult(printed));
    });
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(complaint.trim() || `the client ended with ${code}`)));
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(complaint.trim() || `exit code ${code}`)),
    );
  });
  for (const promise of [line, ended]) promise.catch(ignore); // whoever waits for the other one hears of it
  return { child, line, ended };
}

const ignore = (): void => undefined;

function parseResult(text: string): Result {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Object.values(value).some((number) => typeof number !== 'number'))
    throw new Error(`expected an object of numbers from the client, got '${text}'`);
  return value as Result;
}

/** What must be zero, in the words of the report. */
const FAULTS = {
  lost: 'lost',
  out_of_order: 'out of order',
  acks_out_of_order: 'acknowledged out of order',
  unacknowledged: 'not acknowledged',
  duplicates: 'arrived twice',
  cut: 'connections cut by the broker',
} as const;

/** What the broker did wrong in a run. */
export const faultsOf = (result: Result): readonly string[] =>
  Object.entries(FAULTS)
    .filter(([name]) => (result[name] ?? 0) > 0)
    .map(([name, words]) => `${result[name]} ${words}`);
