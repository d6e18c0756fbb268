// Owns the chaos: a house of processes under load, kills at chosen moments, and the reckoning when all is quiet.
import { type Aim, aimsOf } from './aims.ts';
import { Checker } from './checker.ts';
import { Child } from './child.ts';
import { BROKER_ENTRY, freePort, MEMORY_FLAGS } from './place.ts';
import { Publisher, type PublisherStep } from './publisher.ts';
import { type Random, seeded } from './random.ts';
import { lookAtRetained } from './retained-look.ts';
import { sessionPlans } from './sessions.ts';
import { DATABASE, DATABASE_TOPIC } from './story.ts';
import { Subscriber, type SubscriberStep } from './subscriber.ts';
import { Writer } from './writer.ts';

export interface ChaosOptions {
  readonly folder: string;
  readonly seed: number;
  readonly rounds: number;
  /** Kills of one round at most; all of them when absent. */
  readonly aims_max?: number;
  readonly store: 'lmdb' | 'memory';
  /** How long everything may take to come to rest. */
  readonly drain_ms: number;
  readonly onRound?: (text: string) => void;
}

export interface ChaosReport {
  readonly faults: ReturnType<Checker['finish']>;
  readonly figures: Readonly<Record<string, number>>;
}

type Step = PublisherStep | SubscriberStep | 'progress';

const PUBLISHERS = [
  { name: 'p1', version: 5 },
  { name: 'p2', version: 4 },
  { name: 'p3', version: 5 },
  { name: 'p4', version: 4 },
] as const;
const WINDOW = 600;
/** How often a step is seen before it is killed at. */
const COUNTS: Partial<Record<Step, readonly [from: number, to: number]>> = { held: [1, 1], progress: [500, 5_000] };
const COUNTS_ELSE = [20, 800] as const;
const AIM_MS = 30_000;
const LOOK_AGAIN_MS = 100;

class Chaos implements AsyncDisposable {
  readonly checker = new Checker();
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #port: number;
  readonly #broker: Child;
  readonly #writer: Writer;
  readonly #publishers: readonly Publisher[];
  readonly #subscribers: Subscriber[] = [];
  readonly #runs: Promise<void>[] = [];
  #aim: { readonly step: Step; left: number; readonly hit: () => void } | undefined;
  #watchers: (() => void)[] = [];

  constructor(options: ChaosOptions, port: number) {
    const { folder, seed, store } = options;
    this.#options = options;
    this.#random = seeded(seed);
    this.#port = port;
    this.#broker = new Child('broker', () => ({
      arguments: [
        ...MEMORY_FLAGS,
        BROKER_ENTRY,
        '--folder',
        folder,
        '--port',
        String(port),
        '--store',
        store,
        '--generous',
      ],
      greeting: /^(\d+)$/mu,
    }));
    this.#writer = new Writer(folder, port);
    this.#publishers = PUBLISHERS.map(
      (who) => new Publisher({ ...who, ...this.#surroundings, window: WINDOW, random: this.#random }),
    );
  }

  get #surroundings() {
    return {
      port: this.#port,
      broker: this.#broker,
      checker: this.checker,
      onStep: (step: Step) => this.#onStep(step),
      onProgress: () => this.#onStep('progress'),
    };
  }

  async start(): Promise<void> {
    await this.#broker.start();
    await this.#writer.child.start();
    this.checker.addSession(DATABASE, [{ filter: DATABASE_TOPIC, qos: 1 }]);
    await Promise.all(
      sessionPlans(this.#random).map((plan) => this.#join(new Subscriber({ ...plan, ...this.#surroundings }))),
    );
    for (const publisher of this.#publishers) this.#runs.push(publisher.run());
  }

  #join(subscriber: Subscriber): Promise<void> {
    this.#subscribers.push(subscriber);
    this.#runs.push(subscriber.run());
    return subscriber.subscribed;
  }

  #onStep(step: Step): void {
    const aim = this.#aim;
    if (aim?.step === step) {
      aim.left -= 1;
      if (aim.left === 0) {
        this.#aim = undefined;
        aim.hit();
      }
    }
    if (step === 'progress') for (const watcher of this.#watchers) watcher();
  }

  /** One round: load, kills, and then everything is let to drain. */
  async round(number: number, aims: readonly Aim[]): Promise<void> {
    const { onRound, drain_ms } = this.#options;
    for (const publisher of this.#publishers) publisher.publish(true);
    const visitor = new Subscriber({
      ...{ name: `visitor-${number}`, version: number % 2 === 0 ? 4 : 5, ...this.#surroundings },
      subscriptions: [{ filter: 'chaos/+/b', qos: 2 }],
    });
    await this.#join(visitor);
    const away = this.#subscribers.filter(({ name }) => name === 'absent');
    for (const subscriber of away) subscriber.leave();
    for (const [index, aim] of aims.entries()) {
      await this.#shoot(aim);
      if (index === Math.floor(aims.length / 2)) visitor.leave();
    }
    for (const publisher of this.#publishers) publisher.publish(false);
    for (const subscriber of [visitor, ...away]) subscriber.comeBack();
    const begin = performance.now();
    const drained = await this.#drain(drain_ms);
    await this.#look(true);
    const { published, acknowledged, delivered } = this.checker.counts;
    const ms = Math.round(performance.now() - begin);
    onRound?.(
      `round ${number}: ${aims.length} kills and cuts, ${published} published, ${acknowledged} acknowledged, ${delivered} delivered, ${drained ? 'drained' : 'NOT drained'} in ${ms} ms\n`,
    );
  }

  async #shoot({ step, target }: Aim): Promise<void> {
    if (step === 'held') this.#subscribers.find(({ name }) => name === 'holder')?.hold();
    const hit = Promise.withResolvers<void>();
    const [from, to] = COUNTS[step] ?? COUNTS_ELSE;
    const left = this.#random.between(from, to);
    this.#aim = {
      step,
      left,
      hit: () => {
        if (target !== 'writer' && target !== 'publishers') this.#broker.kill();
        if (target === 'writer' || target === 'both') this.#writer.child.kill();
        if (target === 'publishers') for (const publisher of this.#publishers) publisher.drop();
        hit.resolve();
      },
    };
    const timer = setTimeout(
      () => hit.reject(new Error(`no ${step} within ${AIM_MS} ms: the load stands still`)),
      AIM_MS,
    );
    try {
      await hit.promise;
      await Promise.all([this.#broker.again(), this.#writer.child.again()]);
      if (target !== 'writer') await this.#look(false);
    } catch (error) {
      this.checker.onFault('crash', String(error));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether everybody has everything. */
  async #drain(ms: number): Promise<boolean> {
    const quiet = await this.#until(
      () => this.#publishers.every(({ isIdle }) => isIdle) && this.checker.missing() === 0,
      ms,
    );
    const written = await this.#until(() => this.checker.missingRows(this.#writer.rows()) === 0, ms, LOOK_AGAIN_MS);
    return quiet && written;
  }

  /** Waits for a condition, looked at with each progress or every so often, under a deadline. */
  #until(condition: () => boolean, ms: number, every_ms?: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const look = (): void => {
      if (condition()) resolve(true);
    };
    const timers = [setTimeout(() => resolve(condition()), ms)];
    if (every_ms === undefined) this.#watchers.push(look);
    else timers.push(setInterval(look, every_ms));
    return promise.finally(() => {
      for (const timer of timers) clearInterval(timer);
      this.#watchers = this.#watchers.filter((watcher) => watcher !== look);
    });
  }

  async #look(isLast: boolean): Promise<void> {
    const floor = this.checker.retainedFloor();
    const seen = await lookAtRetained(this.#port, floor.keys());
    if (seen) this.checker.onRetained(floor, seen, isLast);
  }

  report(): ChaosReport {
    this.checker.onRows(this.#writer.rows());
    for (const crash of [...this.#broker.crashes, ...this.#writer.child.crashes]) this.checker.onFault('crash', crash);
    const kills = { broker_kills: this.#broker.kills, writer_kills: this.#writer.child.kills };
    return { faults: this.checker.finish(), figures: { ...this.checker.counts, ...kills } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of [...this.#publishers, ...this.#subscribers]) client.close();
    await this.#writer[Symbol.asyncDispose]();
    await this.#broker[Symbol.asyncDispose]();
  }
}

/** Runs the whole chaos. The last round ends with a kill of everything, so that what lay only in memory would be missed. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using chaos = new Chaos(options, await freePort());
  await chaos.start();
  const random = seeded(options.seed + 1);
  for (let round = 1; round <= options.rounds; round++)
    await chaos.round(round, aimsOf(random).slice(0, options.aims_max));
  await chaos.round(options.rounds + 1, [{ step: 'progress', target: 'both' }]);
  return chaos.report();
}
