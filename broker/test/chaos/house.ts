// Owns the processes of a house that are killed: the broker, and the service that writes its database.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { ensureSessionKey } from '@monitor-mesh/shared/http/door.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** One process that is killed and started again the same. */
export class Killable implements AsyncDisposable {
  kills = 0;
  readonly #words: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #ended: Promise<void> | undefined;

  constructor(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.#words = words;
    this.#environment = environment;
  }

  start(): void {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...this.#words], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: `${ROOT}node_modules/.cache/node-compile`,
        ...this.#environment,
      },
      stdio: 'ignore',
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    await this.#ended;
  }

  async kill(): Promise<void> {
    this.kills += 1;
    await this.#end('SIGKILL');
    this.start();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end('SIGTERM');
  }
}

export interface House extends AsyncDisposable {
  readonly broker: Killable;
  readonly writer: Killable;
  readonly port: number;
  /** `mid` and number of rows; empty while there is no database yet. */
  rows(): ReadonlyMap<string, number>;
}

/** @param durable whether the broker keeps its store in the folder, or only in memory */
export async function openHouse(folder: string, durable: boolean): Promise<House> {
  const port = await freePort();
  const database = join(folder, 'monitor.sqlite');
  const broker = new Killable(['broker/test/hostile/broker-process.ts', durable ? folder : '', String(port)]);
  const writer = new Killable(['services/db-writer/src/main.ts'], {
    MQTT_URL: `mqtt://127.0.0.1:${port}`,
    MQTT_PASSWORD: 'any',
    ACCESS_FILE: join(folder, 'access.json'),
    SESSION_KEY_FILE: ensureSessionKey(folder),
    DATABASE_URL: `sqlite:${database}`,
    HTTP_PORT: '0',
  });
  broker.start();
  writer.start();
  return {
    broker,
    writer,
    port,
    rows: () => rowsIn(database),
    [Symbol.asyncDispose]: async () => {
      await writer[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}

function rowsIn(path: string): ReadonlyMap<string, number> {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    try {
      const found = db.prepare('SELECT mid, count(*) AS rows FROM device_event GROUP BY mid').all();
      return new Map(found.map(({ mid, rows }) => [String(mid), Number(rows)]));
    } finally {
      db.close();
    }
  } catch {
    return new Map(); // not made yet
  }
}
