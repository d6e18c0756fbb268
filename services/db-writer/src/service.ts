// Owns db-writer's shell: durable messages in, rows in the database, acknowledgement after the commit.
import { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import { reasonOf } from '@monitor-mesh/shared/errors.ts';
import { defineService, READY, type Readiness, type Service, type ServiceContext } from '@monitor-mesh/shared/service.ts';
import { openStore } from '@monitor-mesh/shared/store/open-store.ts';
import type { Delivery, Store } from '@monitor-mesh/shared/store/store.ts';
import { DB_WRITER_VARIABLES } from './config.ts';
import { decideDelivery } from './core.ts';

type Config = ConfigOf<typeof DB_WRITER_VARIABLES>;

const DAY_MS = 24 * 3_600_000;
const PRUNE_EVERY_MS = 6 * 3_600_000;
const REOPEN_MS = 2_000;

export const dbWriter = defineService({
  name: 'db-writer',
  variables: DB_WRITER_VARIABLES,
  create: (context, config) => new DbWriter(context, config),
});

class DbWriter implements Service {
  readonly #context: ServiceContext;
  readonly #config: Config;
  readonly #rows;
  readonly #duplicates;
  #bus: Bus | undefined;
  #store: Store | undefined;
  #consumer: DurableConsumer | undefined;
  #readiness: Readiness = { ready: false, reason: 'starting' };
  #stopping = false;
  #reopen: NodeJS.Timeout | undefined;
  #prune: NodeJS.Timeout | undefined;

  constructor(context: ServiceContext, config: Config) {
    this.#context = context;
    this.#config = config;
    this.#rows = context.metrics.counter('db_deliveries_total', 'Messages written to the database');
    this.#duplicates = context.metrics.counter('db_duplicates_total', 'Messages that were in the database already');
  }

  async start(): Promise<void> {
    const { target, log, metrics, version, now } = this.#context;
    this.#bus = new Bus({ service: 'db-writer', version, target, log, metrics, now });
    await this.#open();
    this.#prune = setInterval(() => void this.#pruneInbox(), PRUNE_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#reopen);
    clearInterval(this.#prune);
    await this.#consumer?.close();
    await this.#store?.[Symbol.asyncDispose]();
    await this.#bus?.close();
  }

  readiness(): Readiness {
    return this.#readiness;
  }

  /** Opens the database, and only then takes messages. Until it opens, they wait in the broker. */
  async #open(): Promise<void> {
    try {
      this.#store = await openStore(this.#config.DATABASE_URL);
    } catch (error) {
      this.#onState(false, reasonOf(error));
      this.#context.log.error({ reason: reasonOf(error) }, 'the database does not open, messages wait in the broker');
      if (!this.#stopping) this.#reopen = setTimeout(() => void this.#open(), REOPEN_MS).unref();
      return;
    }
    const store = this.#store;
    const { target, log, now } = this.#context;
    this.#consumer = new DurableConsumer({
      service: 'db-writer',
      target,
      log,
      now,
      handle: (batch) => this.#write(store, batch),
      probe: () => store.ping(),
      onState: (taking, reason) => this.#onState(taking, reason),
    });
  }

  async #write(store: Store, batch: readonly Received[]): Promise<void> {
    const deliveries: Delivery[] = [];
    for (const message of batch) {
      const decided = decideDelivery(message, { zone: this.#config.HOUSE_TZ, now_ms: message.received_ms });
      if (decided.ok) deliveries.push(decided.value);
      else this.#bus?.reject(message.topic, decided.reason);
    }
    if (deliveries.length === 0) return;
    const { applied, duplicates } = await store.apply(deliveries);
    this.#rows.inc(applied);
    this.#duplicates.inc(duplicates);
  }

  #onState(taking: boolean, reason?: string): void {
    this.#readiness = taking ? READY : { ready: false, reason: reason ?? 'not connected' };
    this.#bus?.setState(taking ? 'ready' : 'degraded', taking ? undefined : reason);
  }

  async #pruneInbox(): Promise<void> {
    try {
      await this.#store?.pruneInbox(this.#context.now() - this.#config.INBOX_DAYS * DAY_MS);
    } catch (error) {
      this.#context.log.warn({ reason: reasonOf(error) }, 'the inbox was not pruned, the next round will');
    }
  }
}
