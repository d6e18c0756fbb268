// Owns broken packets: valid ones of every type, changed in the ways in which bytes go wrong. Seeded, so that each run
// can be had again. Pure.
import { generate, type Packet } from 'mqtt-packet';

/** Numbers in [0, 1), always the same for a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const connect = (version: 4 | 5, clientId: string): object => ({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: version,
  clientId,
  clean: true,
  keepalive: 10,
  ...(version === 5 ? { properties: { sessionExpiryInterval: 5, receiveMaximum: 10, topicAliasMaximum: 5 } } : {}),
});

/** Valid packets of every type that a client sends, and some that it must not. */
function validPackets(version: 4 | 5): readonly Buffer[] {
  const properties =
    version === 5 ? { properties: { userProperties: { a: 'b' }, messageExpiryInterval: 9, topicAlias: 1 } } : {};
  const publish = {
    cmd: 'publish',
    topic: 'fuzz/été',
    payload: 'x'.repeat(20),
    retain: false,
    dup: false,
    ...properties,
  };
  const packets: readonly object[] = [
    connect(version, 'fuzz'),
    { ...publish, qos: 0 },
    { ...publish, qos: 1, messageId: 1, retain: true },
    { ...publish, qos: 2, messageId: 2 },
    { ...publish, topic: 'monitor/maj', payload: '{"id":"1","state":"On"}', qos: 1, messageId: 3 },
    { ...publish, topic: 'a/'.repeat(120), qos: 0 },
    ...['puback', 'pubrec', 'pubrel', 'pubcomp'].map((cmd) => ({ cmd, messageId: 2 })),
    {
      cmd: 'subscribe',
      messageId: 4,
      subscriptions: ['#', 'fuzz/+', '$share/g/x', 'fuzz/#/x'].map((topic) => ({ topic, qos: 2 })),
    },
    { cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['fuzz/+', 'none'] },
    { cmd: 'pingreq' },
    { cmd: 'disconnect' },
    { cmd: 'suback', messageId: 1, granted: [0] },
    { cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false },
  ];
  return packets.map((packet) => generate(packet as Packet, { protocolVersion: version }));
}

const VALID = { 4: validPackets(4), 5: validPackets(5) } as const;
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff];

export interface Fuzz {
  readonly version: 4 | 5;
  /** A good CONNECT; the broken packets come behind it, or in its place. */
  hello(): Buffer;
  /** One broken packet. */
  next(): Buffer;
}

export function newFuzz(random: () => number, number: number): Fuzz {
  const version = random() < 0.5 ? 4 : 5;
  const below = (max: number): number => Math.floor(random() * max);
  const mutate = (packet: Buffer): Buffer => {
    const bytes = Buffer.from(packet);
    const at = below(bytes.length);
    switch (below(8)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        return bytes;
      case 1:
        bytes[at] = EDGES[below(EDGES.length)] ?? 0;
        return bytes;
      case 2:
        return bytes.subarray(0, at);
      case 3:
        return Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(Array.from({ length: below(6) }, () => below(256))),
          bytes.subarray(at),
        ]);
      case 4:
        bytes[0] = below(256);
        return bytes;
      case 5:
        bytes[1] = EDGES[below(EDGES.length)] ?? 0;
        return bytes;
      case 6:
        return Buffer.concat([bytes, bytes.subarray(at)]);
      default:
        return Buffer.concat([bytes.subarray(at), bytes]);
    }
  };
  return {
    version,
    hello: () => generate(connect(version, `fuzz-${number % 500}`) as Packet, { protocolVersion: version }),
    next: () => {
      let packet = VALID[version][below(VALID[version].length)] ?? Buffer.alloc(0);
      for (let times = 1 + below(3); times > 0 && packet.length > 0; times--) packet = mutate(packet);
      return packet;
    },
  };
}
