// Owns the load client: its compilation, its streams and its runs.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Scope } from './process.ts';
import type { Server } from './servers.ts';

/** What the client counted in one run, by its own names (client.c). */
export interface Run {
  readonly deliveries: number;
  readonly missing: number;
  readonly twice: number;
  readonly readers_cut: number;
  readonly stalled_cut: number;
  readonly seconds: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly max_us: number;
  readonly client_cpu_s: number;
}

/** Open streams of one server. */
export interface Audience {
  run(events: number, rate_hz: number): Promise<Run>;
  end(): Promise<void>;
}

/** Compiles the client; the path of the program, which goes with the scope. */
export function compileClient(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sse-client-'));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'client');
  const source = fileURLToPath(new URL('client.c', import.meta.url));
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, source], { stdio: 'inherit' });
  return program;
}

/** Opens the streams of a server; resolves when all are open. */
export async function openAudience(
  scope: Scope,
  program: string,
  server: Server,
  counts: { readonly clients: number; readonly stalled: number },
): Promise<Audience> {
  const options = Object.entries({ ...server.words, ...counts }).map(([name, value]) => `${name}=${value}`);
  const words = ['-c', 'ulimit -n 20000 && exec "$@"', 'sh', program, ...options];
  const child = spawn('/bin/sh', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done) throw new Error(`the client of ${server.name} ended`);
    return JSON.parse(line.value);
  };
  const end = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  scope.after(end);
  await next();
  return {
    run: async (events, rate_hz) => {
      child.stdin.write(`${events} ${rate_hz}\n`);
      return (await next()) as Run;
    },
    end,
  };
}
