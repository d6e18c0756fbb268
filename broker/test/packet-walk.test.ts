// Owns the proof that the guard changes nothing within the limits and exactly one packet beyond them.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { generate, type Packet, type QoS } from 'mqtt-packet';
import { formatReplacement, PacketWalk } from '../src/doors/packet-walk.ts';
import { OVERSIZED_TOPIC } from '../src/internal-topics.ts';

const LIMITS = {
  first_packet_bytes_max: 200,
  own_publish_bytes_max: 100,
  other_publish_bytes_max: 300,
  other_packet_bytes_max: 120,
  packet_bytes_max: 3_000,
};

type Version = 4 | 5;
const bytesOf = (packet: Packet, version: Version): Buffer => generate(packet, { protocolVersion: version });
const connectOf = (version: Version): Buffer =>
  bytesOf(
    { cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId: 'walker', clean: true, keepalive: 0 },
    version,
  );
const publishOf = (topic: string, size: number, qos: QoS, version: Version, retain = false): Buffer =>
  bytesOf(
    {
      cmd: 'publish',
      topic,
      payload: Buffer.alloc(size, 7),
      qos,
      dup: false,
      retain,
      ...(qos > 0 && { messageId: 513 }),
      ...(version === 5 && { properties: { userProperties: { mid: 'abc' } } }),
    },
    version,
  );

/** Remaining length of one packet. */
function remainingOf(packet: Buffer): number {
  let at = 1;
  while ((packet[at] ?? 0) >= 0x80) at++;
  return packet.length - at - 1;
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const walkAll = (chunks: readonly Buffer[]): Buffer => {
  const walk = new PacketWalk(LIMITS);
  return Buffer.concat(chunks.flatMap((chunk) => walk.walk(chunk)));
};

interface Part {
  readonly kind: 'small' | 'own' | 'other' | 'ping' | 'subscribe';
  readonly size: number;
  readonly qos: QoS;
  readonly retain: boolean;
}
const part: fc.Arbitrary<Part> = fc.record({
  kind: fc.constantFrom('small', 'own', 'other', 'ping', 'subscribe'),
  size: fc.integer({ min: 0, max: 600 }),
  qos: fc.constantFrom<QoS>(0, 1, 2),
  retain: fc.boolean(),
});

/** A packet as it is sent, and what must come out for it. */
function sentAndExpected({ kind, size, qos, retain }: Part, version: Version): readonly [Buffer, Buffer] {
  if (kind === 'ping') return [bytesOf({ cmd: 'pingreq' }, version), bytesOf({ cmd: 'pingreq' }, version)];
  if (kind === 'subscribe') {
    const subscribe = bytesOf({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 'a/#', qos: 1 }] }, version);
    return [subscribe, subscribe];
  }
  const topic = kind === 'other' ? 'zigbee2mqtt/bridge/devices' : 'monitor/maj';
  const sent = publishOf(topic, kind === 'small' ? size % 20 : size, qos, version, retain);
  const limit = kind === 'other' ? LIMITS.other_publish_bytes_max : LIMITS.own_publish_bytes_max;
  const bytes = remainingOf(sent);
  if (bytes <= limit) return [sent, sent];
  const packetId = qos === 0 ? Buffer.alloc(0) : Buffer.from([2, 1]);
  return [sent, formatReplacement(sent[0] ?? 0, packetId, version, { topic, bytes, limit })];
}

test('any packets cut at any places come out byte for byte, oversized ones replaced by one small publish', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Version>(4, 5),
      fc.array(part, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (version, parts, cuts) => {
        const packets = parts.map((one) => sentAndExpected(one, version));
        const sent = Buffer.concat([connectOf(version), ...packets.map(([bytes]) => bytes)]);
        const expected = Buffer.concat([connectOf(version), ...packets.map(([, bytes]) => bytes)]);
        assert.deepEqual(walkAll(cut(sent, cuts)), expected);
      },
    ),
    { numRuns: 500 },
  );
});

test('one byte at a time comes out the same as all at once', () => {
  const sent = Buffer.concat([connectOf(5), publishOf('monitor/maj', 150, 1, 5), publishOf('monitor/maj', 10, 1, 5)]);
  assert.deepEqual(walkAll([...sent].map((byte) => Buffer.from([byte]))), walkAll([sent]));
});

test('a chunk of whole packets within the limits is handed on as the same buffer', () => {
  const walk = new PacketWalk(LIMITS);
  walk.walk(connectOf(4));
  const chunk = Buffer.concat([publishOf('monitor/maj', 20, 1, 4), publishOf('monitor/maj', 30, 0, 4)]);
  assert.equal(walk.walk(chunk)[0], chunk);
});

test('the replacement is a publish to the internal topic, not retained, with the same QoS and packet identifier', () => {
  const replacement = walkAll([connectOf(4), publishOf('monitor/maj', 150, 2, 4, true)]).subarray(connectOf(4).length);
  assert.equal(replacement[0], 0x34);
  assert.ok(replacement.includes(OVERSIZED_TOPIC));
  assert.ok(replacement.includes(Buffer.concat([Buffer.from(OVERSIZED_TOPIC), Buffer.from([2, 1])])));
  assert.match(replacement.toString(), /"topic":"monitor\/maj","bytes":165,"limit":100/u);
});

const refused = { code: 'packet_refused' };

test('a remaining length of five bytes ends the connection', () => {
  const walk = new PacketWalk(LIMITS);
  walk.walk(connectOf(4));
  assert.throws(() => walk.walk(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1])), refused);
});

test('a first packet that is not CONNECT, or too long, ends the connection before its end has come', () => {
  assert.throws(() => new PacketWalk(LIMITS).walk(publishOf('a', 1, 0, 4)), refused);
  assert.throws(() => new PacketWalk(LIMITS).walk(Buffer.from([0x10, 0x80, 0x02])), refused);
});

test('a packet beyond the hard limit, or another one than PUBLISH beyond its own, ends the connection', () => {
  const afterConnect = (bytes: Buffer): (() => void) => {
    const walk = new PacketWalk(LIMITS);
    walk.walk(connectOf(4));
    return () => walk.walk(bytes);
  };
  assert.throws(afterConnect(publishOf('a', 3_500, 0, 4).subarray(0, 20)), refused);
  assert.throws(afterConnect(Buffer.from([0x82, 0x80, 0x01])), refused);
  assert.throws(afterConnect(Buffer.from([0x30, 0x80, 0x02, 0xff, 0xff])), refused);
});
