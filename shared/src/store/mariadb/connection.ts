// Owns connections to a MariaDB server: their settings, one caller at a time, and a new one after the old one died.
import {
  type Connection,
  createConnection,
  type ExecuteValues,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import { MeshError } from '../../errors.ts';
import { faultOf, isGone } from './fault.ts';

const CONNECT_MS = 5_000;
/** A server that answers nothing for so long is taken for gone. */
const STATEMENT_MS = 30_000;
const LOCK_WAIT_S = 5;

// Errors instead of silent cuts, whatever the server's own mode. Its time zone is left alone: TIMESTAMP columns of the PHP
// site are written and read as the site does.
const SESSION = `SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
  SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_S}, SESSION lock_wait_timeout = ${LOCK_WAIT_S}`;

export interface MariadbOptions {
  /** `mysql://user:password@host:port/database`. */
  readonly url: string;
  /** How long a statement may take before the connection is given up. */
  readonly statement_ms?: number;
}

type Cells = readonly RowDataPacket[];

/** Statements on one open connection. */
export interface Session {
  rows(sql: string, values?: ExecuteValues): Promise<Cells>;
  /** Answers how many rows were matched or written. */
  write(sql: string, values?: ExecuteValues): Promise<number>;
  /** Statements as they are, without values. */
  script(sql: string): Promise<void>;
}

/** Host, port and database of a URL, fit for a log. */
export function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 3306}${pathname}`;
}

/** One connection at a time, made when it is needed. Calls are performed in the order they came. */
export class MariadbConnection implements AsyncDisposable {
  readonly #options: MariadbOptions;
  readonly #place: string;
  #connection: Connection | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: MariadbOptions) {
    this.#options = options;
    this.#place = placeOf(options.url);
  }

  /** @throws MeshError of the database; `store_closed` after the end */
  run<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    if (this.#closing) return Promise.reject(new MeshError('store_closed', `the database ${this.#place} was closed`));
    const result = this.#last.then(() => this.#perform(work));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** All that `work` writes, or nothing. */
  transaction<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    return this.run(async (session) => {
      await session.script('START TRANSACTION');
      try {
        const result = await work(session);
        await session.script('COMMIT');
        return result;
      } catch (error) {
        // On a dead connection the server rolls back by itself.
        if (!isGone(error)) await session.script('ROLLBACK');
        throw error;
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#last.then(() => this.#end());
    return this.#closing;
  }

  async #perform<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.#sessionOn(await this.#opened()));
    } catch (error) {
      if (!(error instanceof MeshError) && isGone(error)) this.#drop();
      throw faultOf(error, this.#place);
    }
  }

  async #opened(): Promise<Connection> {
    if (this.#connection) return this.#connection;
    const connection = await createConnection({
      uri: this.#options.url,
      connectTimeout: CONNECT_MS,
      charset: 'utf8mb4',
      // Large integers stay exact, instants stay the text that the server gave.
      supportBigNumbers: true,
      dateStrings: true,
      enableKeepAlive: true,
      // Migration files hold several statements. Values are bound by the server, never pasted into the text.
      multipleStatements: true,
    });
    // Without a listener the loss of an idle connection would end the process.
    connection.on('error', () => {
      if (this.#connection === connection) this.#drop();
    });
    try {
      await this.#answer(connection.query(SESSION));
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.#connection = connection;
    return connection;
  }

  #sessionOn(connection: Connection): Session {
    return {
      rows: async (sql, values) => {
        const [rows] = await this.#answer(connection.execute<RowDataPacket[]>(sql, values ?? []));
        return rows;
      },
      write: async (sql, values) => {
        const [{ affectedRows }] = await this.#answer(connection.execute<ResultSetHeader>(sql, values ?? []));
        return affectedRows;
      },
      script: async (sql) => {
        await this.#answer(connection.query(sql));
      },
    };
  }

  /** The driver's own time limit outlives the connection, and a destroyed connection answers nothing more. */
  async #answer<Result>(asked: Promise<Result>): Promise<Result> {
    const limit = this.#options.statement_ms ?? STATEMENT_MS;
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#drop();
      reject(
        new MeshError('store_unavailable', `database ${this.#place}: no answer in ${limit} ms`, { retryable: true }),
      );
    }, limit);
    try {
      return await Promise.race([asked, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  async #end(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.end().catch(() => connection.destroy());
  }
}
