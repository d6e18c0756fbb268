// Owns the broker as a service: its listeners, its rest between two runs, its state for others to see.
import type { Duplex } from 'node:stream';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import type { ServiceName } from '@monitor-mesh/shared/contract.ts';
import { reasonOf } from '@monitor-mesh/shared/errors.ts';
import { portFault } from '@monitor-mesh/shared/host.ts';
import {
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
  type ServiceModule,
} from '@monitor-mesh/shared/service.ts';
import { isoOf } from '@monitor-mesh/shared/time.ts';
import { createBroker, type MeshBroker } from './broker.ts';
import { createAuthenticate } from './caller-identity.ts';
import { BROKER_VARIABLES } from './config.ts';
import { readImage, writeImage } from './image-file.ts';

export interface BrokerServiceOptions {
  /** Services whose messages wait for them from the first start on. */
  readonly consumers: readonly ServiceName[];
  /** Where retained and waiting messages rest while the process does not run. */
  readonly image_path: string;
  readonly local_is_trusted: boolean;
}

/** How often the image is renewed: what a crash may cost while the persistence is in memory. */
const IMAGE_EVERY_MS = 60_000;

/** The broker's module; the services of the same process come in through `attach`. */
export interface BrokerModule extends ServiceModule<typeof BROKER_VARIABLES> {
  attach(identity: Identity): Duplex;
  /** Ports in use, once started. */
  readonly ports: { readonly mqtt: number; readonly ws: number };
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

class BrokerService implements Service {
  readonly #context: ServiceContext;
  readonly #config: ConfigOf<typeof BROKER_VARIABLES>;
  readonly #options: BrokerServiceOptions;
  #broker: MeshBroker | undefined;
  #listening = false;
  #saver: NodeJS.Timeout | undefined;
  ports = { mqtt: 0, ws: 0 };
  waited = 0;

  constructor(context: ServiceContext, config: ConfigOf<typeof BROKER_VARIABLES>, options: BrokerServiceOptions) {
    this.#context = context;
    this.#config = config;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { log, metrics, version, now, door } = this.#context;
    const { consumers, image_path, local_is_trusted } = this.#options;
    const restore = await readImage(image_path);
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
      ...(restore === undefined ? {} : { restore }),
    });
    this.#broker = broker;
    await this.#listen(broker);
    this.#listening = true;
    await this.#publishState('ready');
    this.#saver = setInterval(() => void this.#save(), IMAGE_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#saver);
    const broker = this.#broker;
    if (!broker) return;
    if (this.#listening) await this.#publishState('offline');
    this.#listening = false;
    await broker.close();
    this.waited = await broker.waiting();
    await this.#save();
  }

  readiness(): Readiness {
    return this.#listening ? READY : { ready: false, reason: 'not listening' };
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
    this.ports = { mqtt: mqtt.port, ws: ws.port };
  }

  async #publishState(state: 'ready' | 'offline'): Promise<void> {
    const { version, now } = this.#context;
    await this.#broker?.publishOwn('mesh/broker/status', JSON.stringify({ state, since: isoOf(now()), version }), {
      retain: true,
    });
  }

  async #save(): Promise<void> {
    if (!this.#broker) return;
    try {
      await writeImage(this.#options.image_path, await this.#broker.dump());
    } catch (error) {
      this.#context.log.error({ reason: reasonOf(error) }, 'what waits in the broker could not be saved');
    }
  }
}
