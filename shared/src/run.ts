// Owns a process's outer edge: configuration, the printed table, signals and exit codes.
import { ConfigError, configTable, readConfig, type Variables } from './config.ts';
import { MeshError, reasonOf } from './errors.ts';
import { createLog, type Log } from './log.ts';

/** BSD sysexits: what supervisors and people can tell apart. */
export const EXIT = { ok: 0, fault: 1, unavailable: 69, config: 78 } as const;

export interface Running extends AsyncDisposable {
  /** Stops in order; resolves with lines for the person who stopped it. */
  stop(): Promise<readonly string[]>;
}

export interface RunOptions<Shape extends Variables> {
  readonly name: string;
  readonly variables: Shape;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly start: (config: Readonly<Record<string, unknown>>, log: Log) => Promise<Running>;
}

/**
 * Runs until a signal. The exit code says what happened: 0 stopped as asked, 78 configuration, 69 a port or a peer that
 * is needed to begin, 1 any other fault.
 */
export async function run<Shape extends Variables>(options: RunOptions<Shape>): Promise<void> {
  try {
    const config = readConfig(options.variables, options.environment);
    const level = (config as Readonly<Record<string, unknown>>).LOG_LEVEL;
    const log = createLog(options.name, typeof level === 'string' ? level : 'info');
    process.stderr.write(`${options.name} configuration\n${configTable(options.variables, options.environment)}\n`);
    const running = await options.start(config, log);
    await untilSignal();
    const farewell = await running.stop();
    for (const line of farewell) process.stderr.write(`${line}\n`);
    process.exitCode = EXIT.ok;
  } catch (error) {
    process.exitCode = report(options.name, error);
  }
  // A library's forgotten timer must not keep a stopped process in the list.
  process.exit();
}

function report(name: string, error: unknown): number {
  if (error instanceof ConfigError) {
    process.stderr.write(
      `${name}: the configuration has ${error.faults.length} fault(s)\n${error.faults.map((fault) => `  ${fault}`).join('\n')}\n`,
    );
    return EXIT.config;
  }
  if (error instanceof MeshError) {
    process.stderr.write(`${name}: ${error.message}\n`);
    return EXIT.unavailable;
  }
  process.stderr.write(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : reasonOf(error)}\n`);
  return EXIT.fault;
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      process.once('SIGINT', () => process.exit(EXIT.fault));
      process.once('SIGTERM', () => process.exit(EXIT.fault));
      resolve();
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
  });
}
