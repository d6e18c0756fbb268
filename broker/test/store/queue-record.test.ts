// Owns the proof that records come back as they were, and that damaged ones are refused rather than believed or fatal.
import assert from 'node:assert/strict';
import test from 'node:test';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import fc from 'fast-check';
import type { QueueEntry } from '../../src/store/broker-store.ts';
import {
  decodeEntry,
  decodeMessage,
  decodeRecord,
  decodeWill,
  encodeEntry,
  encodeMessage,
  encodeWill,
} from '../../src/store/queue-record.ts';
import { TABLE } from '../../src/store/store-keys.ts';
import { message } from './bench.ts';

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((value) => Buffer.from(value));
const text = fc.string({ unit: 'grapheme', maxLength: 200 });

const anyEntry: fc.Arbitrary<QueueEntry> = fc
  .record({
    topic: text,
    publisher: text,
    payload: bytes(3_000),
    properties: bytes(500),
    expires_at_ms: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    seq: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
    qos: fc.constantFrom(1 as const, 2 as const),
    retain: fc.boolean(),
    released: fc.boolean(),
    subscription_ids: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 255 }),
  })
  .map(({ topic, publisher, payload, properties, expires_at_ms, seq, qos, retain, released, subscription_ids }) => ({
    seq,
    message: message({ topic, publisher, payload, properties, expires_at_ms, qos, retain }),
    ...{ qos, retain, released, subscription_ids, sent: false },
  }));

/** Decodes, or is refused for damage: nothing else may happen. */
function decodesOrIsDamaged(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof MeshError, `${error}`);
    assert.equal(error.code, 'broker_store_damaged');
  }
}

test('an entry is decoded as it was encoded, whatever its topic, payload, properties and subscriptions', () => {
  fc.assert(
    fc.property(anyEntry, (entry) => {
      assert.deepEqual(decodeEntry(entry.seq, encodeEntry(entry)), entry);
    }),
  );
});

test('a message and a last will are decoded as they were encoded', () => {
  fc.assert(
    fc.property(anyEntry, text, fc.nat(), (entry, client_id, delay_s) => {
      assert.deepEqual(decodeMessage(encodeMessage(entry.message)), entry.message);
      const will = { client_id, delay_s, expiry_s: delay_s, message: entry.message };
      assert.deepEqual(decodeWill(encodeWill(will)), will);
    }),
  );
});

test('a message keeps no part of the page that it was read from', () => {
  const encoded = encodeMessage(message({ payload: Buffer.from('on'), properties: Buffer.from([1, 0]) }));
  const decoded = decodeMessage(encoded);
  encoded.fill(0xff);
  assert.deepEqual([...decoded.payload, ...decoded.properties], [...Buffer.from('on'), 1, 0]);
});

test('no damage of a record is fatal: it is refused, or decodes to something', () => {
  const damage = fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(anyEntry, damage, fc.option(fc.nat({ max: 400 })), (entry, changes, cut) => {
      const will = encodeWill({ client_id: 'a', delay_s: 1, message: entry.message });
      for (const encoded of [encodeEntry(entry), will]) {
        for (const [at, value] of changes) if (at < encoded.length) encoded[at] = value;
        const damaged = cut === null ? encoded : encoded.subarray(0, cut);
        decodesOrIsDamaged(() => decodeEntry(1, damaged));
        for (const table of Object.values(TABLE)) decodesOrIsDamaged(() => decodeRecord(Buffer.from([table]), damaged));
      }
    }),
    { numRuns: 500 },
  );
});

test('an entry cut short anywhere in its head, topic or properties is refused', () => {
  const encoded = encodeMessage(
    message({ topic: 'house/lamp', properties: Buffer.from([1, 0]), payload: Buffer.from('x') }),
  );
  for (let length = 0; length < encoded.length - 1; length++)
    assert.throws(() => decodeMessage(encoded.subarray(0, length)), { code: 'broker_store_damaged' });
});
