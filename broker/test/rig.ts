// Owns what the broker's tests share: a real broker on a free port, clients that close themselves, inboxes with deadlines.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import { type Role, SERVICES, type ServiceName } from '@monitor-mesh/shared/contract.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { createMetrics, type Metrics } from '@monitor-mesh/shared/metrics.ts';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { type BrokerOptions, createBroker, type MeshBroker } from '../src/broker.ts';

const DEADLINE_MS = 5_000;

/** Waits for a promise, at most until the deadline. */
export async function within<Value>(promise: Promise<Value>, what: string, ms = DEADLINE_MS): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const PEOPLE: Readonly<Record<string, Role>> = { alice: 'homeassistant', bob: 'device', carol: 'admin', dora: 'domoticz' };
export const PASSWORD = 'correct horse';

const isServiceName = (name: string): name is ServiceName => SERVICES.some((service) => service === name);

/** Everybody has the same password; anonymous ones are `local`; services are named as they are. */
async function authenticate(username: string | undefined, password: string | undefined): Promise<Identity | { refused: string }> {
  if (username === undefined) return { user: 'anonymous', role: 'local' };
  if (password !== PASSWORD) return { refused: 'unknown user or wrong password' };
  if (isServiceName(username)) return { user: username, role: username };
  const role = PEOPLE[username.replace(/\d+$/u, '')];
  return role ? { user: username, role } : { refused: 'unknown user or wrong password' };
}

export interface Rig {
  readonly broker: MeshBroker;
  readonly metrics: Metrics;
  readonly port: number;
  /** A connected client of MQTT.js: 3.1.1 unless said, never reconnecting unless said. */
  client(username: string | undefined, options?: IClientOptions): Promise<MqttClient>;
  /** A bare TCP connection. */
  socket(): Promise<Socket>;
}

export async function startRig(t: TestContext, options: Partial<BrokerOptions> = {}): Promise<Rig> {
  const metrics = createMetrics();
  const log = createLog('broker-test', 'silent');
  const broker = await createBroker({ log, metrics, authenticate, consumers: SERVICES, version: '1.2.3', ...options });
  t.after(() => broker.close());
  const { port } = await broker.listenTcp({ host: '127.0.0.1', port: 0 });
  return {
    broker,
    metrics,
    port,
    client: (username, clientOptions) => openClient(t, `mqtt://127.0.0.1:${port}`, username, clientOptions),
    async socket() {
      const socket = connect(port, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      await within(once(socket, 'connect'), 'connection');
      return socket;
    },
  };
}

export async function openClient(
  t: TestContext,
  url: string,
  username: string | undefined,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await within(
    connectAsync(url, {
      reconnectPeriod: 0,
      ...(username === undefined ? {} : { username, password: PASSWORD }),
      ...options,
    }),
    'connection',
  );
  t.after(() => client.endAsync(true));
  client.on('error', () => {});
  return client;
}

export interface Seen {
  readonly topic: string;
  readonly text: string;
  readonly packet: IPublishPacket;
}

/** Everything a client receives. Made before the subscription, so that nothing is missed. */
export class Inbox {
  readonly seen: Seen[] = [];
  readonly #client: MqttClient;

  constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload, packet) => this.seen.push({ topic, text: payload.toString(), packet }));
  }

  /** Waits until a message satisfies `wanted`, and gives everything seen so far. */
  async until(wanted: (seen: Seen) => boolean, ms?: number): Promise<readonly Seen[]> {
    const arrived = async (): Promise<void> => {
      while (!this.seen.some(wanted)) await once(this.#client, 'message');
    };
    await within(arrived(), 'message', ms);
    return this.seen;
  }

  async count(count: number): Promise<readonly Seen[]> {
    const arrived = async (): Promise<void> => {
      while (this.seen.length < count) await once(this.#client, 'message');
    };
    await within(arrived(), `message ${count} of which ${this.seen.length} had come`);
    return this.seen;
  }

  texts(topic?: string): readonly string[] {
    return this.seen.filter((seen) => topic === undefined || seen.topic === topic).map(({ text }) => text);
  }
}
