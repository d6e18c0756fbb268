// Owns a database thread seen from outside: typed requests, their answers, and what happens when the thread dies.
import { Worker } from 'node:worker_threads';
import { MeshError } from '../../errors.ts';
import { type Answer, type Ask, type CommandName, meshErrorOf, type OpenRequest, type Reply } from './protocol.ts';

/** A batch of 500 household messages at their longest (16,384 characters) is 16 MB, met by the thread at once. */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 2 } as const;

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: MeshError) => void;
}

/** One Worker with one connection. Requests are answered in the order they were asked. */
export class SqliteThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #asked = 0;
  #gone: MeshError | undefined;
  #cause: unknown;
  #closing: Promise<void> | undefined;

  /** @throws MeshError when the database cannot be opened or migrated */
  static async open(request: OpenRequest): Promise<SqliteThread> {
    const thread = new SqliteThread(request.path);
    try {
      await thread.ask('open', request);
      return thread;
    } catch (error) {
      await thread[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(path: string) {
    this.#path = path;
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { execArgv: [], resourceLimits: LIMITS });
    this.#worker.on('message', (reply: Reply) => this.#onReply(reply));
    // An uncaught error or too little memory; 'exit' follows.
    this.#worker.on('error', (cause) => {
      this.#cause = cause;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#onExit();
        resolve();
      });
    });
  }

  /** @throws MeshError of the database; `store_stopped` (retryable, on a store opened anew) when the thread died; `store_closed` */
  async ask<Name extends CommandName>(command: Name, ask: Ask<Name>): Promise<Answer<Name>> {
    if (this.#gone) throw this.#gone;
    const id = ++this.#asked;
    this.#worker.postMessage({ id, command, ask });
    const answer = await new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // The reply bears the id of this request, and the worker answers each command with its own type.
    return answer as Answer<Name>;
  }

  /** Ends the thread at once, whatever it is doing: what was not committed is lost. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
    await this.#exited;
  }

  /** Waits for what was asked before, closes the database and the thread. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#gone) {
      const closed = this.ask('close', null);
      this.#gone = new MeshError('store_closed', `database '${this.#path}' was closed`);
      await closed.finally(() => this.#exited);
    }
    await this.#exited;
  }

  #onReply(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('fault' in reply) waiting?.reject(meshErrorOf(reply.fault));
    else waiting?.resolve(reply.answer);
  }

  #onExit(): void {
    const stopped = new MeshError('store_stopped', `the thread of database '${this.#path}' stopped: open it again`, {
      retryable: true,
      cause: this.#cause,
    });
    this.#gone ??= stopped;
    for (const { reject } of this.#waiting.values()) reject(stopped);
    this.#waiting.clear();
  }
}
