// Owns how a service reaches the broker: over the network or inside the process. The only place, with its
// neighbours in this folder, that imports mqtt.
import type { Duplex } from 'node:stream';
import { connect, type IClientOptions, type IPublishPacket, MqttClient } from 'mqtt';
import { isMid, MID_PROPERTY, newMid } from '../mid.ts';

/** Where the broker is: an address with a user, or a door inside the process. */
export type BrokerTarget =
  | { readonly url: string; readonly username: string; readonly password: string }
  | { readonly attach: () => Duplex };

/** A message as it arrived. */
export interface Received {
  readonly topic: string;
  readonly payload: Buffer;
  /** Identity of the message; the broker stamps what came without one. */
  readonly mid: string;
  /** It was stored before this subscription began. */
  readonly retain: boolean;
  readonly received_ms: number;
}

/** Pause between attempts to connect: long enough not to hammer, spread so that services do not come back in step. */
const RECONNECT_MS_MIN = 300;
const RECONNECT_MS_SPREAD = 700;
const KEEPALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 10_000;

export type BrokerClient = MqttClient;

const ignore = (): void => undefined;

/** Opens a client with the habits that all connections of the mesh share. */
export function openClient(target: BrokerTarget, options: IClientOptions): MqttClient {
  const shared: IClientOptions = {
    protocolVersion: 5,
    keepalive: 'url' in target ? KEEPALIVE_S : 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: RECONNECT_MS_MIN + Math.round(Math.random() * RECONNECT_MS_SPREAD),
    // The broker may start after us, or still be reading its users: keep trying, and say so.
    reconnectOnConnackError: true,
    resubscribe: false,
    queueQoSZero: false,
    timerVariant: 'native',
    log: ignore, // the library's own notes cost a tenth of a message, even while nobody reads them
    ...options,
  };
  if ('url' in target) return connect(target.url, { ...shared, username: target.username, password: target.password });
  const client = new MqttClient(() => target.attach(), shared);
  return client;
}

/** The `mid` of a packet; a message that came from a foreign broker without one gets its own here. */
export function midOf(packet: IPublishPacket): string {
  const value = packet.properties?.userProperties?.[MID_PROPERTY];
  const mid = Array.isArray(value) ? value[0] : value;
  return mid !== undefined && isMid(mid) ? mid : newMid();
}

/** A packet as the handlers of services see it. */
export function receivedOf(packet: IPublishPacket, nowMs: number): Received {
  const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
  return { topic: packet.topic, payload, mid: midOf(packet), retain: packet.retain, received_ms: nowMs };
}
