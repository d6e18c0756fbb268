// What one message asks of the database.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { durableClientId, TOPIC_LIST } from '@monitor-mesh/shared/contract.ts';
import { encodePayload } from '@monitor-mesh/shared/decode.ts';
import { topicName } from '@monitor-mesh/shared/topic.ts';
import fc from 'fast-check';
import { DB_WRITER_VARIABLES } from '../src/config.ts';
import { decideDelivery } from '../src/core.ts';
import { DEFAULT_TABLES } from '../src/white-list.ts';

const NOW_MS = Date.UTC(2026, 9, 5, 7, 2, 3);
const decide = (topic: string, payload: string | Uint8Array) =>
  decideDelivery(
    { topic, payload: Buffer.from(payload), mid: 'm1', retain: false, received_ms: NOW_MS },
    { zone: 'Europe/Paris', now_ms: NOW_MS, tables: DB_WRITER_VARIABLES.DB_RECORD_TABLES.parse(DEFAULT_TABLES) },
  );
const delivery = (...rows: readonly object[]) => ({ ok: true, value: { mid: 'm1', received_ms: NOW_MS, rows } });
const row = { kind: 'change', at_ms: NOW_MS, clock_wrong: false, source: '', heure: '09:02:03' };

suite('deliveries', () => {
  for (const topic of ['monitor/maj', 'monitor/ha'])
    test(`${topic}: each change is a row, all under the mid of their message`, () => {
      assert.deepEqual(decide(topic, '{"idx":317,"state":true}'), delivery({ ...row, id: '317', state: 'true' }));
      assert.deepEqual(
        decide(topic, '{"a":"On","b":20.5}'),
        delivery({ ...row, id: 'a', state: 'On' }, { ...row, id: 'b', state: '20.5' }),
      );
    });

  test('a clock from 2099 is replaced and flagged, one from the past is believed', () => {
    const change = (at: string): string => JSON.stringify({ id: 'a', state: 'On', at, source: 'ha' });
    const expected = { ...row, id: 'a', state: 'On', source: 'ha' };
    assert.deepEqual(
      decide('monitor/maj', change('2099-01-01T00:00:00Z')),
      delivery({ ...expected, clock_wrong: true }),
    );
    assert.deepEqual(decide('monitor/maj', change('1970-01-01T00:00:01Z')), delivery({ ...expected, at_ms: 1_000 }));
  });

  test('an instant with more digits than a clock has does not stop the messages behind it', () => {
    const at = '2026-10-05T07:02:02.1234567890123Z';
    assert.deepEqual(
      decide('monitor/maj', JSON.stringify({ id: 'a', state: 'On', at })),
      delivery({ ...row, id: 'a', state: 'On', at_ms: NOW_MS - 877 }),
    );
    const message = { name: 'm', text: 'x', unread: true, at };
    assert.deepEqual(
      decide('monitor/message/m', JSON.stringify(message)),
      delivery({ kind: 'message', name: 'm', text: 'x', unread: true, at_ms: NOW_MS - 877 }),
    );
  });

  test('a message of the household is one row', () => {
    assert.deepEqual(
      decide(
        'monitor/message/message1',
        '{"name":"message1","text":"bonjour","unread":true,"at":"2026-10-05T07:02:03Z"}',
      ),
      delivery({ kind: 'message', name: 'message1', text: 'bonjour', unread: true, at_ms: NOW_MS }),
    );
  });

  test('what has no table yet is kept whole, bytes and all, rather than acknowledged away', () => {
    for (const topic of ['sms/in', 'linky/021861234567/day', 'alarm/event', 'a/topic/of/tomorrow'])
      assert.deepEqual(
        decide(topic, Uint8Array.of(0xff, 0)),
        delivery({ kind: 'raw', topic, payload: Buffer.of(0xff, 0) }),
      );
  });

  test('input that does not fit is refused with the reason, never half taken', () => {
    for (const [topic, payload, reason] of [
      ['monitor/maj', 'On', /^expected JSON, got 'On'$/u],
      ['monitor/ha', '{"a":"On","b":null}', /^state: expected/u],
      ['monitor/message/m', '{"name":"m"}', /^text: /u],
      ['monitor/message/m', '', /^expected JSON/u],
    ] as const) {
      const decided = decide(topic, payload);
      assert.match(decided.ok ? 'taken' : decided.reason, reason);
    }
  });

  test('the example of every topic that the database follows asks for at least one row', () => {
    const followed = TOPIC_LIST.filter(({ durable }) => durable.includes('db-writer'));
    assert.ok(followed.length > 5, durableClientId('db-writer'));
    for (const topic of followed) {
      const name = topicName(topic.pattern as string, { name: 'message1', meter: '1', id: '1', service: 'alarm' });
      const decided = decide(name, encodePayload(topic, topic.schema.parse(topic.example)));
      // A text for the household on monitor/dz is no change: it comes back as a message.
      assert.ok(decided.ok && (decided.value.rows.length > 0 || name === 'monitor/dz'), name);
    }
  });

  test('no topic and no bytes make it throw: one bad message must not hold up all behind it', () => {
    const topic = fc.constantFrom(
      'monitor/maj',
      'monitor/ha',
      'monitor/message/x',
      'monitor/message/',
      'sms/in',
      '',
      '$SYS',
    );
    const at = fc.constantFrom('2026-10-05T07:02:03.12345678901Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', 'x');
    const message = fc.record(
      { id: fc.jsonValue(), name: fc.string(), text: fc.string(), state: fc.string(), unread: fc.boolean(), at },
      { requiredKeys: ['at'] },
    );
    const payload = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      message.map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(topic, payload, (topic, payload) => void decide(topic, payload)),
      { numRuns: 500 },
    );
  });
});
