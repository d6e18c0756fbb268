// Owns monitor-api's shell: HTTP in, the broker's word out.
import { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { publishRefusedCallers } from '@monitor-mesh/shared/http/refused-report.ts';
import { followRevocations } from '@monitor-mesh/shared/http/revocations.ts';
import {
  defineService,
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
} from '@monitor-mesh/shared/service.ts';
import { openStoreReader } from '@monitor-mesh/shared/store/open-store.ts';
import type { StoreReader } from '@monitor-mesh/shared/store/store.ts';
import type { FastifyInstance } from 'fastify';
import { addApiRoutes } from './api-routes.ts';
import { MONITOR_API_VARIABLES } from './config.ts';
import { followHouseTexts } from './house-texts.ts';
import { HouseView } from './house-view.ts';
import { addLegacyRoutes } from './legacy-routes.ts';
import { addOpenApi } from './openapi.ts';
import { RepeatGuard } from './repeat-guard.ts';
import { addSessionRoutes } from './session-routes.ts';

type Config = ConfigOf<typeof MONITOR_API_VARIABLES>;

export const monitorApi = defineService({
  name: 'monitor-api',
  variables: MONITOR_API_VARIABLES,
  create: (context, config) => new MonitorApi(context, config),
});

class MonitorApi implements Service {
  readonly #context: ServiceContext;
  readonly #config: Config;
  readonly #view = new HouseView();
  #bus: Bus | undefined;
  #texts: DurableConsumer | undefined;
  #reader: Promise<StoreReader> | undefined;

  constructor(context: ServiceContext, config: Config) {
    this.#context = context;
    this.#config = config;
  }

  async routes(app: FastifyInstance): Promise<void> {
    const { now, door, version } = this.#context;
    const timeout_ms = this.#config.API_PUBLISH_TIMEOUT_MS;
    const bus = (): Bus => this.#open();
    const view = this.#view;
    await addOpenApi(app, version);
    addLegacyRoutes(app, {
      enabled: this.#config.API_LEGACY_ENABLED,
      timeout_ms,
      bus,
      view,
      now,
      reader: () => this.#openReader(),
      zone: this.#config.HOUSE_TZ,
      repeats: new RepeatGuard(this.#config.SMS_REPEAT_WINDOW_S * 1_000, now),
    });
    addApiRoutes(app, {
      timeout_ms,
      bus,
      view,
      now,
      reader: () => this.#openReader(),
      readiness: () => this.readiness(),
    });
    await addSessionRoutes(app, { door, bus, now });
  }

  async start(): Promise<void> {
    const bus = this.#open();
    this.#view.follow(bus);
    followRevocations(bus, this.#context.door.revoked);
    publishRefusedCallers(bus, 'monitor-api', this.#context.door.refused, (app) => app !== 'sse');
    const { target, log, now } = this.#context;
    const timeout_ms = this.#config.API_PUBLISH_TIMEOUT_MS;
    this.#texts = followHouseTexts({ target, log, bus, view: this.#view, now, timeout_ms });
    bus.setState('ready');
  }

  async stop(): Promise<void> {
    await this.#texts?.close();
    await this.#bus?.close();
    const reader = await this.#reader?.catch(() => undefined); // one that never opened needs no closing
    await reader?.[Symbol.asyncDispose]();
  }

  readiness(): Readiness {
    return this.#bus?.connected ? READY : { ready: false, reason: 'the broker is not connected' };
  }

  #open(): Bus {
    const { target, log, metrics, version, now } = this.#context;
    this.#bus ??= new Bus({ service: 'monitor-api', version, target, log, metrics, now });
    return this.#bus;
  }

  /** Opens the database at the first question; a failure is forgotten, so that the next question tries again. */
  #openReader(): Promise<StoreReader> {
    const named = this.#config.API_DATABASE_URL;
    if (named === 'none')
      return Promise.reject(new MeshError('history_elsewhere', 'this service has no database to read'));
    const opened = this.#reader ?? openStoreReader(named === '' ? this.#config.DATABASE_URL : named);
    this.#reader = opened;
    opened.catch(() => {
      this.#reader = undefined;
    });
    return opened;
  }
}
