// Owns the one import of Aedes, with its loose types narrowed to what the broker relies on.
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { Aedes, type AedesOptions } from 'aedes';
import { TOPIC_ALIAS_MAX } from '../messages/link.ts';
import type { EngineBus } from './engine-bus.ts';
import type { EnginePersistence } from './engine-persistence.ts';

export type Qos = 0 | 1 | 2;

export interface PacketProperties {
  readonly messageExpiryInterval?: number;
  readonly willDelayInterval?: number;
  readonly correlationData?: Buffer;
  readonly userProperties?: Readonly<Record<string, string | readonly string[]>>;
  readonly [name: string]: unknown;
}

/** A PUBLISH on its way through the engine. Hooks may change it in place. */
export interface EnginePacket {
  cmd: 'publish';
  topic: string;
  payload: Buffer | string;
  qos: Qos;
  retain: boolean;
  dup?: boolean;
  messageId?: number;
  properties?: PacketProperties;
  /** Epoch milliseconds after which it is not delivered. */
  messageExpiry?: number;
  /** Identity of the message within the engine; null for a retained message sent at a subscription. */
  brokerId?: string | null;
  brokerCounter?: number;
  /** Who published it. */
  clientId?: string;
}

export interface EngineSubscription {
  topic: string;
  qos: number;
  rh?: number;
  rap?: boolean;
  nl?: boolean;
  subscriptionIdentifier?: number;
}

export type Deliver = (packet: EnginePacket, done: () => void) => void;

export interface EngineClient extends EventEmitter {
  /** Null before CONNECT was accepted for a look. */
  readonly id: string | null;
  readonly version: 3 | 4 | 5 | null;
  readonly conn: Duplex;
  readonly connecting: boolean;
  readonly closed: boolean;
  readonly subscriptions: Readonly<Record<string, unknown>>;
  /** The session does not outlive the connection. */
  clean: boolean;
  deliver0: Deliver;
  deliverQoS: Deliver;
  /** Seconds; 0xFFFFFFFF is never. */
  sessionExpiryInterval: number;
  readonly _cleanStart: boolean;
  readonly receiveMaximum: number | undefined;
  readonly maximumPacketSize: number | undefined;
  readonly _keepaliveTimer: NodeJS.Timeout | null;
  /** Seconds; told in CONNACK instead of what the client asked for. */
  _serverKeepAlive?: number;
  /** Our own note on the client, from its CONNECT. */
  topicAliasMaximum?: number;
  disconnect(options: { readonly reasonCode: number; readonly properties?: PacketProperties }): void;
  /** Tells the client in CONNACK that its session lives longer or shorter than it asked. */
  _sessionExpiryClamped: boolean;
  _will: EnginePacket | undefined;
}

/** A refusal of CONNECT; `returnCode` as in MQTT 3.1.1 §3.2.2.3, the engine answers 5.0 with the equivalent. */
export interface Refusal extends Error {
  readonly returnCode: 2 | 3 | 4 | 5;
}

/** What the broker looks at in a CONNECT. */
export interface ConnectPacket {
  readonly protocolVersion: number;
  readonly keepalive: number;
  readonly properties?: { readonly topicAliasMaximum?: number };
}

export interface EngineHooks {
  preConnect(client: EngineClient, packet: ConnectPacket, done: (error: Error | null, accepted: boolean) => void): void;
  authenticate(
    client: EngineClient,
    username: string | undefined,
    password: Buffer | undefined,
    done: (error: Refusal | null, accepted: boolean) => void,
  ): void;
  authorizePublish(client: EngineClient | null, packet: EnginePacket, done: (error?: Error | null) => void): void;
  authorizeSubscribe(
    client: EngineClient,
    subscription: EngineSubscription,
    done: (error: Error | null, granted: EngineSubscription | null) => void,
  ): void;
  authorizeForward(client: EngineClient, packet: EnginePacket): EnginePacket | null;
}

export interface EngineOptions extends EngineHooks {
  readonly id: string;
  readonly persistence: EnginePersistence;
  readonly mq: EngineBus;
  readonly topic_levels_max: number;
  readonly receive_maximum: number;
}

export interface Engine extends EventEmitter {
  readonly id: string;
  readonly version: string;
  readonly closed: boolean;
  counter: number;
  connectedClients: number;
  readonly clients: Record<string, EngineClient>;
  handle(connection: Duplex): EngineClient;
  publish(packet: EnginePacket, client: EngineClient | null, done: (error?: Error | null) => void): void;
  close(done: () => void): void;
}

/** A client identifier of protocol 3.1 may be as long as in 3.1.1: mosquitto allows it, and old devices rely on it. */
const CLIENT_ID_CHARACTERS_MAX = 65_535;

const isEngine = (value: object): value is Engine => 'counter' in value && 'handle' in value && 'clients' in value;

/** A running engine without a listener. */
export async function startEngine({ topic_levels_max, receive_maximum, ...options }: EngineOptions): Promise<Engine> {
  const settings: unknown = {
    ...options,
    concurrency: 0,
    drainTimeout: 0,
    maxTopicLevels: topic_levels_max,
    receiveMaximum: receive_maximum,
    maxClientsIdLength: CLIENT_ID_CHARACTERS_MAX,
    topicAliasMaximum: TOPIC_ALIAS_MAX,
  };
  // Aedes declares other, looser packets than it hands to its hooks; EngineHooks is what its source does.
  const aedes: object = await Aedes.createBroker(settings as AedesOptions);
  if (!isEngine(aedes)) throw new TypeError('expected Aedes to have counter, handle and clients');
  return aedes;
}
