// What may be written on monitor/maj and monitor/ha, what it means, and what a refusal says.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { deviceId, deviceState, TOPICS } from '../src/contract.ts';
import { type Change, decodeChanges, decodePayload, encodePayload } from '../src/decode.ts';

const decode = (text: string): ReturnType<typeof decodeChanges> => decodeChanges(Buffer.from(text));
const changes = (text: string): readonly Change[] | string => {
  const decoded = decode(text);
  return decoded.ok ? decoded.value : decoded.reason;
};

const id = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((text) => deviceId.safeParse(text).data === text);
const state = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => deviceState.safeParse(text).success);

suite('changes that are taken', () => {
  test('any id and state of the contract come back as they were sent', () => {
    fc.assert(
      fc.property(id, state, fc.boolean(), (id, state, dated) => {
        const change: Change = { id, state, ...(dated ? { at: '2026-10-05T07:02:03Z', source: 'test' } : {}) };
        assert.deepEqual(decodeChanges(encodePayload(TOPICS.maj, change)), { ok: true, value: [change] });
      }),
    );
  });

  test('pairs are as many changes in their order, whatever the devices are called', () => {
    const name = id.filter((text) => !/^\d+$/u.test(text) && !['id', 'idx', 'state'].includes(text));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, state), { minLength: 1, selector: ([id]) => id }), (pairs) => {
        const text = `{${pairs.map(([id, state]) => `${JSON.stringify(id)}:${JSON.stringify(state)}`).join()}}`;
        assert.deepEqual(
          changes(text),
          pairs.map(([id, state]) => ({ id, state })),
        );
      }),
    );
  });

  for (const [what, text, expected] of [
    ['idx for id', '{"idx":"317","state":"On"}', [{ id: '317', state: 'On' }]],
    ['a number as id', '{"idx":317,"state":"On"}', [{ id: '317', state: 'On' }]],
    ['a number as state', '{"id":"t","state":20.5}', [{ id: 't', state: '20.5' }]],
    ['zero as state', '{"id":"t","state":0}', [{ id: 't', state: '0' }]],
    ['a boolean as state', '{"id":"t","state":false}', [{ id: 't', state: 'false' }]],
    ['id before idx', '{"id":"a","idx":"b","state":"On"}', [{ id: 'a', state: 'On' }]],
    ['fields that nobody asked for', '{"id":"a","state":"On","rssi":-71}', [{ id: 'a', state: 'On' }]],
    ['blanks around an id', '{"id":" 317 ","state":" On "}', [{ id: '317', state: ' On ' }]],
    [
      'pairs of any scalar',
      '{"12":"On","t":20.5}',
      [
        { id: '12', state: 'On' },
        { id: 't', state: '20.5' },
      ],
    ],
    ['a device named as a part of JavaScript', '{"__proto__":"On"}', [{ id: '__proto__', state: 'On' }]],
    ['lines and tabs in a state', '{"id":"t","state":"a\\n\\tb"}', [{ id: 't', state: 'a\n\tb' }]],
  ] as const)
    test(`${what}: ${text}`, () => assert.deepEqual(changes(text), expected));
});

suite('changes that are refused', () => {
  for (const [text, reason] of [
    ['On', "expected JSON, got 'On'"],
    ['', "expected JSON, got ''"],
    ['"On"', `expected an object such as {"id":"317","state":"On"}, got 'On'`],
    ['[]', `expected an object such as {"id":"317","state":"On"}, got '[]'`],
    ['null', `expected an object such as {"id":"317","state":"On"}, got 'null'`],
    ['{}', 'expected 1 to 100 updates in one message, got 0'],
    ['{"id":"317"}', "state: expected text, a number or a boolean, got 'undefined'"],
    ['{"state":"On"}', "id: expected text or a number, got 'undefined'"],
    ['{"id":{},"state":"On"}', "id: expected text or a number, got '{}'"],
    ['{"id":"317","state":null}', "state: expected text, a number or a boolean, got 'null'"],
    ['{"lamp":{"on":true}}', `state: expected text, a number or a boolean, got '{"on":true}'`],
    ['{"id":"a\\nb","state":"On"}', "id: expected no control characters, got 'a\nb'"],
    ['{"id":"a","state":"\\u0000"}', "state: expected no control characters, got '\0'"],
    ['{"id":"\\ud83d","state":"On"}', "id: expected well-formed Unicode, got '\ud83d'"],
  ] as const)
    test(`${JSON.stringify(text)}: ${JSON.stringify(reason)}`, () => assert.equal(changes(text), reason));

  for (const [text, expected] of [
    ['{"id":"","state":"On"}', /^id: .*1 char.*, got ''$/u],
    ['{"id":"317","state":""}', /^state: .*1 char.*, got ''$/u],
    [`{"id":"${'x'.repeat(129)}","state":"On"}`, /^id: .*128 char.*, got 'x{60}…'$/u],
    [`{"id":"x","state":"${'y'.repeat(4_097)}"}`, /^state: .*4096 char.*, got 'y{60}…'$/u],
    ['{"id":"x","state":"On","at":"yesterday"}', /^at: .*ISO.*, got 'yesterday'$/u],
    ['{"id":"x","state":"On","source":7}', /^source: .*expected string.*, got '7'$/u],
  ] as const)
    test(`${text.slice(0, 40)} is refused with the field, the expectation and the value`, () =>
      assert.match(String(changes(text)), expected));

  test('one bad pair refuses the whole message, and so does one pair too many', () => {
    assert.match(String(changes('{"a":"On","b":[]}')), /^state: .*'\[\]'$/u);
    const pairs = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`d${index}`, 'On']));
    assert.match(String(changes(JSON.stringify(pairs))), /got 101$/u);
  });

  test('bytes that are no UTF-8 are counted, not shown', () => {
    assert.deepEqual(decodeChanges(Buffer.from([0xff, 0xfe])), {
      ok: false,
      reason: 'expected UTF-8 text, got 2 bytes that are not',
    });
  });

  test('no bytes and no JSON make it throw, and every refusal is one short reason', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({ id: fc.jsonValue(), state: fc.jsonValue(), at: fc.jsonValue() }, { requiredKeys: [] })
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        const decoded = decodeChanges(bytes);
        if (!decoded.ok) assert.ok(decoded.reason.includes('got') && decoded.reason.length < 300, decoded.reason);
      }),
      { numRuns: 500 },
    );
  });
});

suite('payloads of the contract', () => {
  test('a refusal never repeats the text of an SMS, a code or a phone number', () => {
    const sms = { id: '1', text: 'rendez-vous secret', to: ['+33639980001'], flash: 'yes' };
    const wrong = [
      decodePayload(TOPICS.sms_out, Buffer.from(JSON.stringify(sms))),
      decodePayload(TOPICS.sms_out, Buffer.from(JSON.stringify({ ...sms, flash: true, oops: 1 }))),
      decodePayload(TOPICS.sms_out, Buffer.from(JSON.stringify({ ...sms, text: 'secret'.repeat(300) }))),
      decodePayload(TOPICS.alarm_cmd, Buffer.from('{"id":"1","action":"disarm","by":"x","code":1234}')),
    ];
    for (const decoded of wrong) {
      assert.equal(decoded.ok, false);
      assert.doesNotMatch(decoded.ok ? '' : decoded.reason, /secret|0001|1234/u);
    }
  });

  test('a service that builds a payload against its own contract is told before the wire', () => {
    assert.throws(() => encodePayload(TOPICS.maj, { id: '', state: 'On' }), { name: 'ZodError' });
  });
});
