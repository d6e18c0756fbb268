// Owns the broker as a service: its listeners, its rest between two runs, its state for others to see.
import type { Duplex } from 'node:stream';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import type { ServiceName } from '@monitor-mesh/shared/contract.ts';
import { portFault } from '@monitor-mesh/shared/host.ts';
import {
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
  type ServiceModule,
} from '@monitor-mesh/shared/service.ts';
import { isoOf } from '@monitor-mesh/shared/time.ts';
import { createAuthenticate } from './access/caller-identity.ts';
import { createBroker, type MeshBroker } from './broker.ts';
import { BROKER_VARIABLES } from './config.ts';
import type { Limits } from './limits.ts';
import { LmdbStore } from './store/lmdb-store.ts';

export interface BrokerServiceOptions {
  /** Services whose messages wait for them from the first start on. */
  readonly consumers: readonly ServiceName[];
  /** File of the store; nothing is written where `DURABILITY` is memory. */
  readonly store_path: string;
  readonly local_is_trusted: boolean;
}

/** The broker's module; the services of the same process come in through `attach`. */
export interface BrokerModule extends ServiceModule<typeof BROKER_VARIABLES> {
  attach(identity: Identity): Duplex;
  /** Ports in use, once started. */
  readonly ports: { readonly mqtt: number; readonly ws: number; readonly tls: number };
  /** Messages that waited for absent services when the broker stopped. */
  readonly waited: number;
}

export function createBrokerModule(options: BrokerServiceOptions): BrokerModule {
  let running: BrokerService | undefined;
  const started = (): BrokerService => {
    if (!running) throw new TypeError('expected a started broker');
    return running;
  };
  return {
    name: 'broker',
    variables: BROKER_VARIABLES,
    create: (context, config) => {
      running = new BrokerService(context, config, options);
      return running;
    },
    attach: (identity) => started().attach(identity),
    get ports() {
      return started().ports;
    },
    get waited() {
      return running?.waited ?? 0;
    },
  };
}

const limitsOf = (config: ConfigOf<typeof BROKER_VARIABLES>): Partial<Limits> => ({
  connections_max: config.MQTT_CONNECTIONS_MAX,
  connects_per_second_max: config.MQTT_CONNECTS_PER_SECOND_MAX,
  keepalive_s_max: config.MQTT_KEEPALIVE_S_MAX,
  topic_levels_max: config.MQTT_TOPIC_LEVELS_MAX,
  subscriptions_max: config.MQTT_SUBSCRIPTIONS_MAX,
  inflight_max: config.MQTT_INFLIGHT_MAX,
  unsent_bytes_max: config.MQTT_UNSENT_BYTES_MAX,
  queue_messages_max: config.MQTT_QUEUE_MESSAGES_MAX,
});

class BrokerService implements Service {
  readonly #context: ServiceContext;
  readonly #config: ConfigOf<typeof BROKER_VARIABLES>;
  readonly #options: BrokerServiceOptions;
  #broker: MeshBroker | undefined;
  #listening = false;
  ports = { mqtt: 0, ws: 0, tls: 0 };
  waited = 0;

  constructor(context: ServiceContext, config: ConfigOf<typeof BROKER_VARIABLES>, options: BrokerServiceOptions) {
    this.#context = context;
    this.#config = config;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { log, metrics, version, now, door } = this.#context;
    const { consumers, store_path, local_is_trusted } = this.#options;
    const broker = await createBroker({
      log,
      metrics,
      version,
      now,
      consumers,
      authenticate: createAuthenticate({
        authenticator: door.authenticator,
        open_networks: this.#config.MQTT_OPEN_NETWORKS,
        local_is_trusted,
      }),
      limits: limitsOf(this.#config),
      ...(this.#config.DURABILITY === 'fsync' ? { store: await LmdbStore.open(store_path) } : {}),
    });
    this.#broker = broker;
    await this.#listen(broker);
    this.#listening = true;
    await this.#publishState('ready');
  }

  async stop(): Promise<void> {
    const broker = this.#broker;
    if (!broker) return;
    if (this.#listening) await this.#publishState('offline');
    this.#listening = false;
    await broker.close();
    this.waited = broker.waiting;
  }

  readiness(): Readiness {
    if (!this.#listening) return { ready: false, reason: 'not listening' };
    const obstacle = this.#broker?.obstacle;
    return obstacle === undefined ? READY : { ready: false, reason: obstacle };
  }

  attach(identity: Identity): Duplex {
    if (!this.#broker) throw new TypeError('expected a started broker');
    return this.#broker.attach(identity);
  }

  async #listen(broker: MeshBroker): Promise<void> {
    const { MQTT_HOST: host, MQTT_PORT, MQTT_WS_PORT, ALLOWED_ORIGINS: allowedOrigins } = this.#config;
    const mqtt = await broker.listenTcp({ host, port: MQTT_PORT }).catch((error: unknown) => {
      throw portFault(error, { host, port: MQTT_PORT, variable: 'MQTT_PORT' });
    });
    const ws = await broker.listenWebSocket({ host, port: MQTT_WS_PORT, allowedOrigins }).catch((error: unknown) => {
      throw portFault(error, { host, port: MQTT_WS_PORT, variable: 'MQTT_WS_PORT' });
    });
    this.ports = { mqtt: mqtt.port, ws: ws.port, tls: await this.#listenTls(broker) };
  }

  /** The TLS port; 0 when it is not offered. */
  async #listenTls(broker: MeshBroker): Promise<number> {
    const { MQTT_HOST: host, MQTT_TLS_PORT: port, MQTT_TLS_CERT: cert, MQTT_TLS_KEY: key } = this.#config;
    if (cert === '' && key === '') return 0;
    const client_ca = this.#config.MQTT_TLS_CLIENT_CA;
    const options = { host, port, cert, key, ...(client_ca === '' ? {} : { client_ca }) };
    const tls = await broker.listenTls(options).catch((error: unknown) => {
      throw portFault(error, { host, port, variable: 'MQTT_TLS_PORT' });
    });
    return tls.port;
  }

  async #publishState(state: 'ready' | 'offline'): Promise<void> {
    const { version, now } = this.#context;
    await this.#broker?.publishOwn('mesh/broker/status', JSON.stringify({ state, since: isoOf(now()), version }), {
      retain: true,
    });
  }
}
