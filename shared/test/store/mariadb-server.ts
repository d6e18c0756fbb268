// Owns MariaDB servers to test with: Debian's mariadbd with a data folder of its own, on loopback, ended by its pid.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Connection, createConnection, type FieldPacket, type RowDataPacket } from 'mysql2/promise';
import { freePort } from '../../../e2e/free-port.ts';

const PROGRAM = '/usr/sbin/mariadbd';
const SYSTEM_TABLES = ['mysql_system_tables.sql', 'mysql_system_tables_data.sql'];

/** Why tests with a real server are skipped here, or `false`. */
export const noMariadb: string | false = existsSync(PROGRAM)
  ? false
  : 'no mariadbd here (as root on Debian: apt-get install mariadb-server-core)';

/** One server. Its users and databases are what tests make by `sql`. */
export class MariadbServer implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #options: readonly string[];
  #process: ChildProcess | undefined;

  /** @param options more options of mariadbd */
  static async start(options: readonly string[] = []): Promise<MariadbServer> {
    const folder = await mkdtemp(join(tmpdir(), 'monitor-mesh-mariadb-'));
    await mkdir(join(folder, 'data'));
    bootstrap(join(folder, 'data'));
    const server = new MariadbServer(folder, await freePort(), options);
    await server.up();
    await server.sql("CREATE USER mesh@'%' IDENTIFIED BY 'mesh-password'; GRANT ALL ON *.* TO mesh@'%'");
    return server;
  }

  private constructor(folder: string, port: number, options: readonly string[]) {
    this.folder = folder;
    this.port = port;
    this.#options = options;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** URL of a database, for the user `mesh`. */
  url(database: string, { user = 'mesh', password = 'mesh-password' } = {}): string {
    return `mysql://${user}:${password}@127.0.0.1:${this.port}/${database}`;
  }

  /** Starts the program on the data that is there, and waits until it takes connections. */
  async up(options: readonly string[] = []): Promise<void> {
    const words = ['--no-defaults', `--datadir=${join(this.folder, 'data')}`, `--port=${this.port}`];
    const place = ['--bind-address=127.0.0.1', `--socket=${join(this.folder, 'socket')}`, '--user=root'];
    const small = ['--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M', '--skip-name-resolve'];
    const child = spawn(PROGRAM, [...words, ...place, ...small, ...this.#options, ...options], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    const told: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      told.push(line);
      if (!line.includes('ready for connections')) continue;
      child.stderr.resume();
      return;
    }
    throw new Error(`mariadbd did not start:\n${told.slice(-5).join('\n')}`);
  }

  /** Ends the program: gently, or as a power cut does. */
  async down(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Statements as they are, by the server's own administrator; rows of the last one. */
  sql(text: string, database?: string): Promise<readonly RowDataPacket[]> {
    return this.#asRoot(database, (connection) => connection.query<RowDataPacket[]>(text));
  }

  /** Rows of one statement, numbers exact: the driver reads those of plain queries with an error in the last digit. */
  rows(text: string, database: string): Promise<readonly RowDataPacket[]> {
    return this.#asRoot(database, (connection) => connection.execute<RowDataPacket[]>(text));
  }

  async #asRoot(
    database: string | undefined,
    ask: (connection: Connection) => Promise<[RowDataPacket[], FieldPacket[]]>,
  ): Promise<readonly RowDataPacket[]> {
    const connection = await createConnection({
      socketPath: join(this.folder, 'socket'),
      user: 'root',
      multipleStatements: true,
      dateStrings: true,
      charset: 'utf8mb4',
      ...(database === undefined ? {} : { database }),
    });
    try {
      await connection.query("SET time_zone = '+00:00'");
      const [rows] = await ask(connection);
      return rows;
    } finally {
      await connection.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The system tables: what mariadb-install-db does, without the client programs it wants. One statement per line. */
function bootstrap(data: string): void {
  const tables = SYSTEM_TABLES.map((name) => readFileSync(join('/usr/share/mysql', name), 'utf8'));
  const words = ['--no-defaults', '--bootstrap', `--datadir=${data}`, '--user=root', '--innodb-log-file-size=16M'];
  const { status, stderr } = spawnSync(PROGRAM, words, {
    input: ['create database mysql;', 'use mysql;', ...tables].join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`mariadbd --bootstrap failed:\n${stderr.slice(-500)}`);
}
