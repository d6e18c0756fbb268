// Owns what the benchmark asks of a process: its start, its end, its CPU time and its memory, as /proc tells them.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Whatever ends with the benchmark. */
export interface Scope {
  after(end: () => unknown): void;
}

/** What is kept of a process' last words. */
const PRINTED_MAX = 4_000;
const STOP_MS_MAX = 15_000;
const ANSWER_MS_MAX = 20_000;
/** Streams, and what a process needs beside them. */
const OPEN_FILES = 20_000;
const TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** A command under a limit of open files that thousands of streams fit in. It is ended with the scope; its id. */
export function start(scope: Scope, command: readonly string[], environment: NodeJS.ProcessEnv): number {
  const words = ['-c', `ulimit -n ${OPEN_FILES} && exec "$@"`, 'sh', ...command];
  const child = spawn('/bin/sh', words, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    printed = `${printed}${chunk}`.slice(-PRINTED_MAX);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  scope.after(async () => {
    const fault = child.exitCode ?? child.signalCode;
    if (fault !== null) return void process.stderr.write(`${command[0]} ended by itself (${fault}):\n${printed}`);
    child.kill();
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(late);
  });
  if (child.pid === undefined) throw new Error(`${command[0]} did not start`);
  return child.pid;
}

/** Waits until an address answers with success. */
export async function untilAnswered(url: string): Promise<void> {
  for (const end = Date.now() + ANSWER_MS_MAX; ; await pause(20)) {
    const answer = await fetch(url).catch(() => undefined); // not listening yet
    await answer?.body?.cancel();
    if (answer?.ok) return;
    if (Date.now() > end) throw new Error(`no answer from ${url}`);
  }
}

/** CPU time of all threads of a process so far, user and system, in s. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** Resident memory, bytes. */
export const rssBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

/** The children of a process. */
export const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
