// Owns one process that is killed and started again in the same place.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { within } from '../rig.ts';

const START_MS = 30_000;

export interface ChildOptions {
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What it prints, on either stream, once it is there. */
  readonly greeting: RegExp;
}

export class Child implements AsyncDisposable {
  readonly name: string;
  kills = 0;
  /** What the greeting said in its first group. */
  greeted = '';
  /** Ends that nobody asked for, with the last of what was printed. */
  readonly crashes: string[] = [];
  readonly #options: () => ChildOptions;
  #process: ChildProcess | undefined;
  #up = Promise.withResolvers<void>();
  #isUp = false;
  #ended = false;
  #restarting: Promise<void> = Promise.resolve();

  constructor(name: string, options: () => ChildOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Resolves while it is up; from the very moment of a kill on it waits for the next life. */
  up(): Promise<void> {
    return this.#up.promise;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  async start(): Promise<void> {
    const { arguments: given, environment, greeting } = this.#options();
    const child = spawn(process.execPath, given, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#process = child;
    let printed = '';
    const greeted = Promise.withResolvers<void>();
    greeted.promise.catch(() => undefined);
    const onText = (text: Buffer): void => {
      printed = `${printed}${text}`.slice(-4_000);
      const found = greeting.exec(printed);
      if (found === null) return;
      this.greeted = found[1] ?? '';
      greeted.resolve();
    };
    child.stdout.on('data', onText);
    child.stderr.on('data', onText);
    child.once('exit', (code, signal) => {
      if (this.#ended || (signal === 'SIGKILL' && !this.#isUp)) return;
      this.crashes.push(`${this.name} ended by itself (${signal ?? code}): ${printed}`);
      greeted.reject(new Error(this.crashes.at(-1)));
    });
    await within(greeted.promise, `start of ${this.name}`, START_MS);
    this.#isUp = true;
    this.#up.resolve();
  }

  /** Kills it this very instant. It is up again when `again` resolves. */
  kill(): void {
    if (!this.#isUp) return;
    const child = this.#process;
    this.#isUp = false;
    this.#up = Promise.withResolvers<void>();
    this.kills += 1;
    child?.kill('SIGKILL');
    this.#restarting = this.#restartAfter(child);
    this.#restarting.catch(() => undefined); // told by `again`
  }

  /** Resolves when the life after the last kill has begun. */
  again(): Promise<void> {
    return this.#restarting;
  }

  async #restartAfter(child: ChildProcess | undefined): Promise<void> {
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    if (!this.#ended) await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#restarting.catch(() => undefined);
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
