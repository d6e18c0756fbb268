// Owns db-writer's shell: durable messages in, rows in the database, acknowledgement after the commit.
import { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { codeOf, MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';
import {
  defineService,
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
} from '@monitor-mesh/shared/service.ts';
import { openStore } from '@monitor-mesh/shared/store/open-store.ts';
import type { Delivery, Store } from '@monitor-mesh/shared/store/store.ts';
import { DB_WRITER_VARIABLES } from './config.ts';
import { decideDelivery } from './core.ts';
import { namedTables } from './white-list.ts';
import { zigbeeDevicesOf } from './zigbee-devices.ts';

type Config = ConfigOf<typeof DB_WRITER_VARIABLES>;

const DAY_MS = 24 * 3_600_000;
const PRUNE_EVERY_MS = 6 * 3_600_000;
const REOPEN_MS = 2_000;
/** The PHP site may change its table at any time, and a house is imported once. */
const HOUSE_EVERY_MS = 60_000;

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
  #storeDied = false;
  #reopen: NodeJS.Timeout | undefined;
  #prune: NodeJS.Timeout | undefined;
  #house: NodeJS.Timeout | undefined;
  /** What mesh/zigbee/devices said last. */
  #zigbee = '';

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
    this.#house = setInterval(() => void this.#tellHouse(), HOUSE_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#reopen);
    clearInterval(this.#prune);
    clearInterval(this.#house);
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
      this.#store = await this.#openStore();
    } catch (error) {
      this.#onState(false, reasonOf(error));
      this.#context.log.error(
        { code: codeOf(error), reason: reasonOf(error) },
        'the database does not open, messages wait in the broker',
      );
      if (!this.#stopping) this.#reopen = setTimeout(() => void this.#open(), REOPEN_MS).unref();
      return;
    }
    const { target, log, now } = this.#context;
    this.#consumer = new DurableConsumer({
      service: 'db-writer',
      target,
      log,
      now,
      handle: (batch) => this.#write(batch),
      probe: () => this.#probe(),
      onState: (taking, reason) => this.#onState(taking, reason),
    });
    void this.#tellHouse();
  }

  async #openStore(): Promise<Store> {
    const { DATABASE_URL, DATABASE_WIDEN, DB_RECORD_TABLES } = this.#config;
    const say = (text: string): void => this.#context.log.warn({ change: text }, "a table of the house's own database");
    const store = await openStore(DATABASE_URL, { may_widen: DATABASE_WIDEN, say });
    try {
      await store.ensureTables(namedTables(DB_RECORD_TABLES));
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Asks the database whether it is back; one whose thread died is opened anew. */
  async #probe(): Promise<void> {
    if (this.#store && !this.#storeDied) return this.#store.ping();
    await this.#store?.[Symbol.asyncDispose]();
    this.#store = await this.#openStore();
    this.#storeDied = false;
  }

  async #write(batch: readonly Received[]): Promise<void> {
    const deliveries: Delivery[] = [];
    for (const message of batch) {
      const decided = decideDelivery(message, {
        zone: this.#config.HOUSE_TZ,
        now_ms: message.received_ms,
        tables: this.#config.DB_RECORD_TABLES,
      });
      if (decided.ok) deliveries.push(decided.value);
      else this.#onRefused(message, decided.reason);
    }
    if (deliveries.length > 0) await this.#apply(deliveries);
  }

  /** One transaction; rows that the database itself refuses are found by halves and told, so that they block nothing. */
  async #apply(deliveries: readonly Delivery[]): Promise<void> {
    const store = this.#store;
    if (!store) throw new MeshError('store_closed', 'the database is not open', { retryable: true });
    try {
      const { applied, duplicates } = await store.apply(deliveries);
      this.#rows.inc(applied);
      this.#duplicates.inc(duplicates);
    } catch (error) {
      if (codeOf(error) === 'store_stopped') this.#storeDied = true;
      if (codeOf(error) !== 'store_refused') throw error;
      const half = Math.ceil(deliveries.length / 2);
      const [first] = deliveries;
      if (deliveries.length === 1 && first)
        return this.#bus?.reject('db-writer', `the database refused ${first.mid}: ${reasonOf(error)}`);
      await this.#apply(deliveries.slice(0, half));
      await this.#apply(deliveries.slice(half));
    }
  }

  /** Changes are judged by sse-gateway with the same decoder: it tells, and one refusal is not counted twice. */
  #onRefused(message: Received, reason: string): void {
    const changes: readonly string[] = [TOPICS.maj.pattern, TOPICS.ha.pattern, TOPICS.dz.pattern];
    if (changes.includes(message.topic)) this.#context.log.debug({ topic: message.topic, reason }, 'input refused');
    else this.#bus?.reject(message.topic, reason);
  }

  #onState(taking: boolean, reason?: string): void {
    this.#readiness = taking ? READY : { ready: false, reason: reason ?? 'not connected' };
    this.#bus?.setState(taking ? 'ready' : 'degraded', taking ? undefined : reason);
  }

  /** Tells the Zigbee devices of the imported table, when they are others than those told last. */
  async #tellHouse(): Promise<void> {
    try {
      const devices = zigbeeDevicesOf((await this.#store?.dispositifs()) ?? []);
      const text = JSON.stringify(devices);
      // Before any import there is nothing to tell; once told, an empty table is news.
      if (text === this.#zigbee || (this.#zigbee === '' && devices.devices.length === 0)) return;
      const outcome = await this.#bus?.publish('zigbee_devices', {}, devices);
      if (outcome?.kind === 'acknowledged') this.#zigbee = text;
    } catch (error) {
      this.#context.log.warn(
        { reason: reasonOf(error) },
        'the devices of the house were not told, the next round will',
      );
    }
  }

  async #pruneInbox(): Promise<void> {
    try {
      await this.#store?.pruneInbox(this.#context.now() - this.#config.INBOX_DAYS * DAY_MS);
    } catch (error) {
      this.#context.log.warn({ reason: reasonOf(error) }, 'the inbox was not pruned, the next round will');
    }
  }
}
