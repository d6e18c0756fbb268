// Owns the way between a packet as a stock Aedes holds it and a message of the store.
import { deserialize, serialize } from 'node:v8';
import { Message } from '../messages/message.ts';

/** A packet of a stock Aedes: a PUBLISH, or the PUBREL that follows one. */
export interface StockPacket {
  readonly cmd?: string;
  readonly topic?: string;
  readonly payload?: Buffer | string;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly messageId?: number | undefined;
  readonly brokerId?: string | undefined;
  readonly brokerCounter?: number;
  readonly clientId?: string;
  readonly properties?: { readonly willDelayInterval?: number; readonly [name: string]: unknown };
  readonly [name: string]: unknown;
}

const KEPT = ['clientId', 'nl', 'properties', 'messageExpiry', 'brokerId'] as const;

/** A packet without an identifier of its own yet, as `aedes-packet` makes it [MQTT-2.3.1-5]. */
export function withoutIdentifier(packet: StockPacket): StockPacket {
  const { cmd, brokerCounter, topic, payload, qos, retain, dup } = packet;
  return {
    ...Object.fromEntries(KEPT.filter((name) => name in packet).map((name) => [name, packet[name]])),
    brokerId: packet.brokerId,
    cmd: cmd ?? 'publish',
    brokerCounter: brokerCounter ?? 0,
    ...(topic === undefined ? {} : { topic }),
    payload: payload ?? Buffer.alloc(0),
    qos: qos ?? 0,
    retain: retain ?? false,
    dup: dup ?? false,
    messageId: undefined,
  };
}

/** To the store, what only Aedes understands is the message's properties: they do not stand there as on the wire. */
export function messageOf(packet: StockPacket): Message {
  const { topic, payload, ...rest } = packet;
  const isText = typeof payload === 'string';
  // Aedes hangs its call-backs on packets.
  const fields = Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== 'function'));
  return new Message({
    topic: topic ?? '',
    payload: Buffer.from(payload ?? ''),
    qos: packet.qos === 2 ? 2 : packet.qos === 1 ? 1 : 0,
    retain: packet.retain ?? false,
    properties: serialize({ rest: fields, isText, isBare: topic === undefined }),
    publisher: packet.clientId ?? '',
  });
}

interface Kept {
  readonly rest: StockPacket;
  readonly isText: boolean;
  readonly isBare: boolean;
}

export function packetOf({ topic, payload, properties }: Message): StockPacket {
  const { rest, isText, isBare } = deserialize(properties) as Kept; // written by messageOf only
  return isBare ? rest : { ...rest, topic, payload: isText ? payload.toString() : payload };
}
