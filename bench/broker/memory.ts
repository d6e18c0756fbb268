// Owns the look at memory: a broker at rest, with idle connections, and after load.
import { setTimeout as pause } from 'node:timers/promises';
import type { Broker, Target } from './brokers.ts';
import { IDLE_CONNECTIONS } from './cases.ts';
import type { Load, LoadClient, Result } from './load.ts';
import type { Row } from './report.ts';

const MB = 1024 * 1024;
const REST_MS = 5_000;

/** One broker's figures, MB but for the bytes of a connection. */
export interface MemoryFigures {
  readonly rest_mb: number;
  readonly connected_mb: number;
  readonly connection_bytes: number;
  readonly loaded_mb: number;
}

/** Looks at a broker that has just been started; `onRun` hears of each run's result. */
export async function measureMemory(
  client: LoadClient,
  broker: Broker,
  load: Load,
  signal: AbortSignal,
  onRun: (result: Result) => void,
): Promise<MemoryFigures> {
  await pause(REST_MS, undefined, { signal });
  const rest_bytes = broker.rssBytes();
  let connected_bytes = 0;
  let open = 0;
  const idle: Load = { mode: 'idle', connections: IDLE_CONNECTIONS };
  await client.hold(idle, broker, signal, async (result) => {
    open = result.open ?? 0;
    if (open < IDLE_CONNECTIONS) onRun({ cut: IDLE_CONNECTIONS - open });
    await pause(REST_MS, undefined, { signal });
    connected_bytes = broker.rssBytes();
  });
  onRun(await client.run(load, broker, signal));
  await pause(REST_MS, undefined, { signal });
  return {
    rest_mb: rest_bytes / MB,
    connected_mb: connected_bytes / MB,
    connection_bytes: (connected_bytes - rest_bytes) / open,
    loaded_mb: broker.rssBytes() / MB,
  };
}

/** The lines of the table. */
export function memoryRows(measured: ReadonlyMap<Target, readonly MemoryFigures[]>): readonly Row[] {
  const row = (title: string, pick: (figures: MemoryFigures) => number): Row => ({
    title,
    figures: Object.fromEntries([...measured].map(([target, all]) => [target, all.map(pick)])),
    judged: 'fsync',
    aim: undefined,
  });
  const count = IDLE_CONNECTIONS.toLocaleString('en');
  return [
    row('RSS at rest, MB', ({ rest_mb }) => rest_mb),
    row(`RSS with ${count} idle connections, MB`, ({ connected_mb }) => connected_mb),
    row('bytes per idle connection', ({ connection_bytes }) => connection_bytes),
    row('RSS after load, MB', ({ loaded_mb }) => loaded_mb),
  ];
}
