// What the broker carries beside mosquitto: throughput, latency, memory; the same client for both, in turn, medians.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BROKER_ROOT, type Broker, type BrokerOptions, peerVersion, startBroker, type Target } from './brokers.ts';
import {
  CASES,
  type Case,
  IDLE_CONNECTIONS,
  MEMORY_CASE,
  QUICK_SHARE,
  shareOf,
  turnOf,
  WARM_UP_SHARE,
} from './cases.ts';
import { compileClient, faultsOf, type LoadClient, type Result } from './load.ts';
import { type MemoryFigures, measureMemory, memoryRows } from './memory.ts';
import { type Row, tableOf } from './report.ts';

const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;
const DISK_TRIES = 200;
/** A client that has no time left is measured, not the broker. */
const CLIENT_CPU_PCT_MAX = 95;
const LOADED_BY = '1-1-qos1';
const NAMES = [...CASES.map(({ name }) => name), MEMORY_CASE];

const USAGE = `make bench-broker, or node bench/broker/main.ts with
  --only CASE    one case, or several with commas: ${NAMES.join(' ')}
  --rounds N     measured runs of each broker in each case, in turn (3)
  --quick        a tenth of the messages, one round: whether it works, not how fast it is
  --inflight N   max_inflight_messages of mosquitto (its default, 20)
BENCH_BROKER_ROOT names another copy of the project whose broker is measured.
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const shout = (line: string): void => void process.stderr.write(`!!! ${line}\n`);
const count = (value: number | undefined): string => (value ?? Number.NaN).toLocaleString('en');

interface Options {
  readonly only: ReadonlySet<string>;
  readonly rounds: number;
  readonly share: number;
  readonly brokers: BrokerOptions;
}

const parseLine = () =>
  parseArgs({
    options: {
      only: { type: 'string', default: NAMES.join(',') },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      inflight: { type: 'string' },
    },
  });

/** Undefined when the line does not say what is needed. */
function readOptions(): Options | undefined {
  let values: ReturnType<typeof parseLine>['values'];
  try {
    ({ values } = parseLine());
  } catch (error) {
    shout(error instanceof Error ? error.message : String(error));
    return undefined;
  }
  const only = new Set(values.only.split(','));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const inflight = values.inflight === undefined ? undefined : Number(values.inflight);
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;
  if ([...only].some((name) => !NAMES.includes(name)) || !isCount(rounds) || !isCount(inflight ?? 1)) return undefined;
  return {
    only,
    rounds,
    share: values.quick ? QUICK_SHARE : 1,
    brokers: { connections_max: IDLE_CONNECTIONS * 2, mosquitto_inflight: inflight },
  };
}

/** The benchmark's run: what all cases share. */
class Bench {
  readonly #client: LoadClient;
  readonly #options: Options;
  readonly #signal: AbortSignal;
  faults = 0;

  constructor(client: LoadClient, options: Options, signal: AbortSignal) {
    this.#client = client;
    this.#options = options;
    this.#signal = signal;
  }

  /** Starts the case's brokers, measures them in turn, stops them. */
  async measure(theCase: Case): Promise<Row> {
    const targets = turnOf(theCase.settings);
    const figures: Record<Target, number[]> = { fsync: [], memory: [], mosquitto: [] };
    await this.#withBrokers(targets, theCase.title, async (brokers) => {
      for (let round = 1; round <= this.#options.rounds; round++)
        for (const broker of brokers) {
          const result = await this.#runOnce(theCase, broker, round);
          const figure = result?.[theCase.figure];
          if (figure !== undefined) figures[broker.target].push(figure);
        }
    });
    return { title: theCase.title, figures, judged: theCase.settings[0] ?? 'fsync', aim: theCase.aim };
  }

  /** Warms the broker up and measures it once. */
  async #runOnce(theCase: Case, broker: Broker, round: number): Promise<Result | undefined> {
    const where = `${theCase.title}, ${broker.target}, round ${round}`;
    const load = shareOf(theCase.load, this.#options.share);
    try {
      const warm_up = await this.#client.run(shareOf(load, WARM_UP_SHARE), broker, this.#signal);
      this.#judge(`${where}, warm-up`, warm_up);
      const result = await this.#client.run(load, broker, this.#signal);
      this.#judge(where, result);
      const p99_us = result[theCase.figure.replace('p50', 'p99')];
      const p99 = theCase.figure === 'per_second' ? '' : `, p99 ${count(p99_us)}`;
      print(`  ${where}: ${count(result[theCase.figure])}${p99} (client ${result.client_cpu_pct} % of a core)`);
      return result;
    } catch (error) {
      this.#onFault(where, error);
      return undefined;
    }
  }

  /** Memory of freshly started brokers, one after the other. */
  async measureMemory(): Promise<readonly Row[]> {
    const measured = new Map<Target, MemoryFigures[]>();
    const load = CASES.find(({ name }) => name === LOADED_BY)?.load ?? { mode: 'throughput' };
    for (let round = 1; round <= this.#options.rounds; round++)
      for (const target of ['fsync', 'mosquitto', 'memory'] as const) {
        const where = `memory, ${target}, round ${round}`;
        await this.#withBrokers([target], where, async ([broker]) => {
          if (!broker) return;
          const part = shareOf(load, this.#options.share);
          const onRun = (result: Result): void => this.#judge(where, result);
          const figures = await measureMemory(this.#client, broker, part, this.#signal, onRun);
          measured.set(target, [...(measured.get(target) ?? []), figures]);
          print(`  ${where}: ${figures.rest_mb.toFixed(0)} MB at rest, ${figures.loaded_mb.toFixed(0)} MB after load`);
        });
      }
    return memoryRows(measured);
  }

  async #withBrokers(
    targets: readonly Target[],
    where: string,
    use: (brokers: readonly Broker[]) => Promise<void>,
  ): Promise<void> {
    try {
      await using stack = new AsyncDisposableStack();
      const brokers: Broker[] = [];
      for (const target of targets) brokers.push(stack.use(await startBroker(target, this.#options.brokers)));
      await use(brokers);
    } catch (error) {
      this.#onFault(where, error);
    }
  }

  #judge(where: string, result: Result): void {
    for (const fault of faultsOf(result)) {
      this.faults += 1;
      shout(`${where}: ${fault}`);
    }
    if ((result.client_cpu_pct ?? 0) > CLIENT_CPU_PCT_MAX) print(`  ${where}: the client itself was the limit`);
  }

  #onFault(where: string, error: unknown): void {
    this.#signal.throwIfAborted();
    this.faults += 1;
    shout(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Appends of 4 KiB that reach the disk, per second, where the brokers keep their data. */
function measureDisk(): number {
  const folder = mkdtempSync(join(tmpdir(), 'bench-disk-'));
  const file = openSync(join(folder, 'appended'), 'a');
  try {
    const block = Buffer.alloc(4096, 1);
    const begin_ms = performance.now();
    for (let i = 0; i < DISK_TRIES; i++) {
      writeSync(file, block);
      fdatasyncSync(file);
    }
    return Math.round((DISK_TRIES * 1000) / (performance.now() - begin_ms));
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runBench(options: Options, signal: AbortSignal): Promise<number> {
  using client = compileClient();
  const bench = new Bench(client, options, signal);
  print(`broker of ${BROKER_ROOT}, mosquitto ${peerVersion()}, ${options.rounds} round(s)`);
  print(`append of 4 KiB + fdatasync: ${count(measureDisk())}/s; load average before: ${loadavg()[0]?.toFixed(2)}`);
  const rows: Row[] = [];
  for (const theCase of CASES) if (options.only.has(theCase.name)) rows.push(await bench.measure(theCase));
  if (options.only.has(MEMORY_CASE)) rows.push(...(await bench.measureMemory()));
  print('');
  for (const line of tableOf(rows)) print(line);
  print(
    "\nmedians; * is the setting of DURABILITY that the ratio and the aim speak of; mosquitto's acknowledgements are not durable",
  );
  if (bench.faults > 0) shout(`${bench.faults} fault(s), see above`);
  return bench.faults > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (!options) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  if (peerVersion() === undefined) {
    shout('mosquitto is not here: apt-get install -y --no-install-recommends mosquitto');
    return 1;
  }
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  try {
    return await runBench(options, interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    return EXIT_INTERRUPTED;
  }
}

process.exitCode = await main();
