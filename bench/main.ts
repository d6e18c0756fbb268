// What the mesh costs: a change from HTTP to a screen beside bare peers in the same run, memory at rest, time to ready.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type MeshProcess, type Scope, startMesh } from '../e2e/mesh-process.ts';
import { brokerHop, fastifyHop, meshHop } from './hops.ts';
import { type Hop, type Latencies, measure, medianOf } from './latency.ts';

const RATE_HZ = 200;
const SECONDS = 10;
const ROUNDS = 3;
const IDLE_MS = 10_000;

const ends: (() => unknown)[] = [];
const scope: Scope = { after: (end) => void ends.unshift(end) };
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const ms = (value: number): string => `${value.toFixed(2)} ms`;

async function startTimed(): Promise<{ readonly mesh: MeshProcess; readonly ready_ms: number }> {
  const begin = performance.now();
  const mesh = await startMesh(scope);
  while (!(await fetch(`${mesh.url}/health/ready`)).ok) await pause(5);
  return { mesh, ready_ms: performance.now() - begin };
}

const rssMb = ({ child }: MeshProcess): number =>
  Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;

try {
  await (await startTimed()).mesh.stop(); // fills the cache of compiled sources, as every start but the first finds it
  const { mesh, ready_ms } = await startTimed();
  print(`start to ready      ${(ready_ms / 1000).toFixed(2)} s (aim ≤ 2 s)`);
  await pause(IDLE_MS);
  print(`memory at rest      ${rssMb(mesh).toFixed(0)} MB RSS (aim ≤ 150 MB)`);
  const hops: readonly Hop[] = [await meshHop(mesh), await fastifyHop(), await brokerHop()];
  for (const hop of hops) scope.after(() => hop[Symbol.asyncDispose]());
  for (const hop of hops) await measure(hop, RATE_HZ, RATE_HZ * SECONDS); // the compiler has seen everything
  const runs: Latencies[][] = hops.map(() => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, hop] of hops.entries()) runs[index]?.push(await measure(hop, RATE_HZ, RATE_HZ * SECONDS));
  const [whole, ...bare] = runs.map(medianOf);
  print(`\n${RATE_HZ}/s, ${ROUNDS} rounds of ${SECONDS} s in turn, medians`);
  for (const [index, hop] of hops.entries()) {
    const figures = medianOf(runs[index] ?? []);
    print(`${hop.name.padEnd(20)}p50 ${ms(figures.p50_ms)}   p99 ${ms(figures.p99_ms)}`);
  }
  const ratio = (pick: (figures: Latencies) => number): string =>
    ((whole ? pick(whole) : Number.NaN) / bare.reduce((sum, figures) => sum + pick(figures), 0)).toFixed(2);
  print(`ratio to their sum  p50 ${ratio(({ p50_ms }) => p50_ms)}   p99 ${ratio(({ p99_ms }) => p99_ms)} (aim ≤ 2)`);
  print(`memory after load   ${rssMb(mesh).toFixed(0)} MB RSS`);
} finally {
  for (const end of ends) await end();
}
