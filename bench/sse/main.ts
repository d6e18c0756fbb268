// What event streams cost beside nginx with nchan: the same clients, the same events, the same client program, in turn.
//
// How to read it. A delivery is one event at one reading client. `per CPU s` divides the deliveries of a run by the CPU
// time, user and system of all threads, of the process that holds the streams; the loopback's share of the kernel's work
// is in it for both. Latency is from before the POST that publishes to after the read that brings the event, both in the
// client program; in ours the event passes the broker and its disk on the way. `client` is that program's own CPU time
// in % of one core: near 100 it is the client that is measured. Memory is what the process gained by the open streams
// before the first event, divided by their number; the kernel's socket buffers are not in it. Stalled clients have a
// small window and stop reading after the first bytes; `cut` counts those that the server let go. `!!!` marks what must
// not be: events missing or twice, readers cut, a client without time to spare.
import { loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { compileClient, openAudience, type Run } from './client.ts';
import { cpuSeconds, rssBytes, type Scope } from './process.ts';
import { isPeerInstalled, type Server, startNchan, startOurs } from './servers.ts';

const EXIT_USAGE = 64;
const SETTLE_MS = 3_000;
const WARM_UP_EVENTS = 60;
const CLIENT_CPU_PCT_MAX = 90;
const AIMS = { deliveries_ratio_min: 0.7, memory_ratio_max: 3 } as const;

const USAGE = `make bench-sse, or node bench/sse/main.ts with
  --clients N   event streams open at once (5000)
  --stalled N   of these, clients that stop reading (100)
  --rate N      events a second (20)
  --seconds N   length of a run (15)
  --rounds N    measured runs of each server, in turn (3)
  --profile D   writes a CPU profile of the gateway into the folder D
`;

interface Options {
  readonly clients: number;
  readonly stalled: number;
  readonly rate: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly profile: string | undefined;
}

interface Figures {
  readonly per_cpu_s: number;
  readonly cpu_pct: number;
  readonly client_cpu_pct: number;
  /** Memory that the process gained by one stream. */
  readonly client_bytes: number;
  readonly run: Run;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const count = (value: number): string => Math.round(value).toLocaleString('en');
const ms = (us: number): string => `${(us / 1000).toFixed(1)} ms`;

function readOptions(): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { clients: text, stalled: text, rate: text, seconds: text, rounds: text, profile: text },
  });
  const number = (name: string, given: string | undefined, usual: number, least: number): number => {
    const value = given === undefined ? usual : Number(given);
    if (!Number.isInteger(value) || value < least) throw new Error(`--${name}: expected a number from ${least} on`);
    return value;
  };
  return {
    clients: number('clients', values.clients, 5_000, 1),
    stalled: number('stalled', values.stalled, 100, 0),
    rate: number('rate', values.rate, 20, 1),
    seconds: number('seconds', values.seconds, 15, 1),
    rounds: number('rounds', values.rounds, 3, 1),
    profile: values.profile,
  };
}

/** A scope of its own, so that one server's processes are gone when the next one's begin. */
async function inScope<Value>(work: (scope: Scope) => Promise<Value>): Promise<Value> {
  const ends: (() => unknown)[] = [];
  try {
    return await work({ after: (end) => void ends.unshift(end) });
  } finally {
    for (const end of ends) await end();
  }
}

async function measureServer(scope: Scope, program: string, server: Server, options: Options): Promise<Figures> {
  const { clients, stalled } = options;
  await pause(SETTLE_MS);
  const before = rssBytes(server.pid);
  const audience = await openAudience(scope, program, server, { clients, stalled });
  await pause(SETTLE_MS);
  const client_bytes = (rssBytes(server.pid) - before) / options.clients;
  await audience.run(WARM_UP_EVENTS, options.rate);
  const cpu = cpuSeconds(server.pid);
  const run = await audience.run(options.seconds * options.rate, options.rate);
  const cpu_s = cpuSeconds(server.pid) - cpu;
  await audience.end();
  return {
    client_bytes,
    run,
    per_cpu_s: run.deliveries / cpu_s,
    cpu_pct: (cpu_s / run.seconds) * 100,
    client_cpu_pct: (run.client_cpu_s / run.seconds) * 100,
  };
}

function show(name: string, round: number, { per_cpu_s, cpu_pct, client_cpu_pct, client_bytes, run }: Figures): void {
  print(
    `${name.padEnd(14)} round ${round}  ${count(per_cpu_s).padStart(8)} per CPU s  CPU ${count(cpu_pct).padStart(3)} %  p50 ${ms(run.p50_us)}  p99 ${ms(run.p99_us)}  ` +
      `${count(client_bytes)} bytes a client  client ${count(client_cpu_pct)} %  ${count(run.deliveries)} deliveries in ${run.seconds.toFixed(1)} s  stalled cut ${run.stalled_cut}`,
  );
  const faults = [
    run.missing > 0 ? `${run.missing} deliveries missing` : '',
    run.twice > 0 ? `${run.twice} twice` : '',
    run.readers_cut > 0 ? `${run.readers_cut} readers cut` : '',
    client_cpu_pct > CLIENT_CPU_PCT_MAX ? 'the client has no time to spare' : '',
  ].filter(Boolean);
  if (faults.length > 0) print(`!!! ${faults.join(', ')}`);
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function report(ours: readonly Figures[], theirs: readonly Figures[]): void {
  const ratio = (pick: (figures: Figures) => number): number => median(ours.map(pick)) / median(theirs.map(pick));
  const speed = ratio(({ per_cpu_s }) => per_cpu_s);
  const memory = ratio(({ client_bytes }) => client_bytes);
  const met = (is: boolean): string => (is ? 'met' : 'NOT MET');
  const { deliveries_ratio_min, memory_ratio_max } = AIMS;
  print(
    `\ndeliveries per CPU second  ${speed.toFixed(2)} of nchan's (aim ≥ ${deliveries_ratio_min}) ${met(speed >= deliveries_ratio_min)}`,
  );
  print(
    `memory per client          ${memory.toFixed(2)} of nchan's (aim ≤ ${memory_ratio_max}) ${met(memory <= memory_ratio_max)}`,
  );
  print(
    `p99                        ${ms(median(ours.map(({ run }) => run.p99_us)))} and ${ms(median(theirs.map(({ run }) => run.p99_us)))}`,
  );
}

async function main(options: Options): Promise<void> {
  const { clients, stalled, rate, seconds, rounds, profile } = options;
  print(
    `${clients} streams, ${stalled} of them stalled, ${rate} events/s, ${rounds} rounds of ${seconds} s in turn, medians`,
  );
  print(
    `load of the machine before: ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}`,
  );
  const ours: Figures[] = [];
  const theirs: Figures[] = [];
  const measure = async (round: number, into: Figures[], begin: (scope: Scope) => Promise<Server>): Promise<void> =>
    inScope(async (scope) => {
      const program = compileClient(scope);
      const server = await begin(scope);
      const figures = await measureServer(scope, program, server, options);
      show(server.name, round, figures);
      into.push(figures);
    });
  const peer = isPeerInstalled();
  if (!peer) print('nginx with nchan is not installed here: ours alone (make bench-sse as root installs it)');
  for (let round = 1; round <= rounds; round++) {
    await measure(round, ours, (scope) => startOurs(scope, profile));
    if (peer) await measure(round, theirs, startNchan);
  }
  if (peer) report(ours, theirs);
}

try {
  await main(readOptions());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = EXIT_USAGE;
}
