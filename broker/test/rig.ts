// Owns what the broker's tests share: a real broker on a free port, clients that close themselves, inboxes with deadlines.
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Identity } from '@monitor-mesh/shared/access.ts';
import { type Role, SERVICES, type ServiceName } from '@monitor-mesh/shared/contract.ts';
import { createLog } from '@monitor-mesh/shared/log.ts';
import { createMetrics, type Metrics } from '@monitor-mesh/shared/metrics.ts';
import {
  connect,
  type IClientOptions,
  type IPublishPacket,
  type ISubscriptionMap,
  type MqttClient,
  type Packet,
} from 'mqtt';
import { type BrokerOptions, createBroker, type MeshBroker } from '../src/broker.ts';

/** For events whose only news is that they came. */
export const ignore = (): void => undefined;

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

const PEOPLE: Readonly<Record<string, Role>> = {
  alice: 'homeassistant',
  bob: 'device',
  carol: 'admin',
  dora: 'domoticz',
};
export const PASSWORD = 'correct horse';

const isServiceName = (name: string): name is ServiceName => SERVICES.some((service) => service === name);

/** Everybody has the same password; anonymous ones are `local`; services are named as they are. */
async function authenticate(
  username: string | undefined,
  password: string | undefined,
): Promise<Identity | { refused: string }> {
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
  visit(username: string | undefined, options?: IClientOptions): ReturnType<typeof visit>;
  /** A bare TCP connection. */
  socket(): Promise<Socket>;
}

export async function startRig(t: TestContext, options: Partial<BrokerOptions> = {}): Promise<Rig> {
  const metrics = createMetrics();
  const log = createLog('broker-test', 'silent');
  const broker = await createBroker({ log, metrics, authenticate, consumers: SERVICES, version: '1.2.3', ...options });
  t.after(() => broker.close());
  const { port } = await broker.listenTcp({ host: '127.0.0.1', port: 0 });
  const url = `mqtt://127.0.0.1:${port}`;
  return {
    broker,
    metrics,
    port,
    client: async (username, clientOptions) => (await visit(t, url, username, clientOptions)).client,
    visit: (username, clientOptions) => visit(t, url, username, clientOptions),
    async socket() {
      const socket = connectSocket(port, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.on('error', ignore);
      await within(once(socket, 'connect'), 'connection');
      return socket;
    },
  };
}

/** A connected client, and everything it has received since before it was connected. */
export async function visit(
  t: TestContext,
  url: string,
  username: string | undefined,
  options: IClientOptions = {},
): Promise<{ readonly client: MqttClient; readonly inbox: Inbox }> {
  const credentials = username === undefined ? {} : { username, password: PASSWORD };
  const client = connect(url, { reconnectPeriod: 0, ...credentials, ...options });
  t.after(() => client.end(true));
  const inbox = new Inbox(client);
  await within(
    new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('error', reject);
      client.once('close', () => reject(new Error('the connection was closed')));
    }),
    'connection',
  );
  client.on('error', ignore);
  return { client, inbox };
}

/** The codes of the SUBACK, refusals included: MQTT.js itself turns them into an error. */
export function granted(client: MqttClient, filters: ISubscriptionMap): Promise<readonly number[]> {
  const answered = new Promise<readonly number[]>((resolve) => {
    const onPacket = (packet: Packet): void => {
      if (packet.cmd !== 'suback') return;
      client.off('packetreceive', onPacket);
      resolve(packet.granted.map(Number));
    };
    client.on('packetreceive', onPacket);
  });
  client.subscribe(filters, ignore);
  return within(answered, 'SUBACK');
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
      while (!this.seen.some(wanted)) await this.#next();
    };
    await within(arrived(), 'message', ms);
    return this.seen;
  }

  async count(count: number): Promise<readonly Seen[]> {
    const arrived = async (): Promise<void> => {
      while (this.seen.length < count) await this.#next();
    };
    await within(arrived(), `message ${count} of which ${this.seen.length} had come`);
    return this.seen;
  }

  #next(): Promise<void> {
    return new Promise((resolve) => this.#client.once('message', () => resolve()));
  }

  texts(topic?: string): readonly string[] {
    return this.seen.filter((seen) => topic === undefined || seen.topic === topic).map(({ text }) => text);
  }
}
