// What a log line must never hold, wherever a programmer puts it.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createLog, type Log, maskPhones } from '../src/log.ts';

function logged(write: (log: Log) => void): string {
  const lines: string[] = [];
  write(createLog('test', 'debug', { write: (line: string) => void lines.push(line) }));
  return lines.join('');
}
const fieldsOf = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

const TOKEN = 'mm_AbCdEf0123456789-_abcdef';
const TEXT = 'Rendez-vous à midi';

/** The same value at the places where a line may have it. */
const placesOf = (field: string, value: unknown): readonly object[] => [
  { [field]: value },
  { message: { [field]: value } },
  { a: { b: { c: { [field]: value } } } },
  { batch: [{ [field]: value }, { x: [{ [field]: value }] }] },
  { err: Object.assign(new Error('failed'), { [field]: value }) },
  { err: new Error('failed', { cause: Object.assign(new Error('deeper'), { [field]: value }) }) },
];

suite('secrets', () => {
  for (const field of [
    'password',
    'token',
    'secret',
    'cookie',
    'authorization',
    'pin',
    'code_entered',
    'text',
    'contenu',
  ])
    test(`the field ${field} is masked wherever it stands`, () => {
      for (const place of placesOf(field, TEXT)) {
        const line = logged((log) => log.info(place, 'sent'));
        assert.doesNotMatch(line, /midi/u);
        assert.match(line, /\[masked\]/u);
      }
    });

  test('a child logger’s own fields are masked too', () => {
    assert.doesNotMatch(
      logged((log) => log.child({ token: TOKEN, from: '+33639980001' }).info('hello')),
      /AbCdEf|3998/u,
    );
  });

  test('a token or a login in a reason, an error or a deep field is not written', () => {
    for (const text of [
      `unknown token ${TOKEN}`,
      `got 'Bearer ${TOKEN}'`,
      'got authorization: Basic YWRtaW46aHVudGVyMg==',
    ])
      for (const place of [{ reason: text }, { a: { reason: text } }, { err: new Error(text) }, { list: [text] }])
        assert.doesNotMatch(
          logged((log) => log.warn(place, 'refused')),
          /AbCdEf|YWRtaW46/u,
        );
  });
});

suite('numbers of people and meters', () => {
  for (const number of [
    '+33639980001',
    '0639980001',
    '06 39 98 00 01',
    '06.39.98.00.01',
    '+33 6 39 98 00 01',
    '0033639980001',
  ])
    test(`of ${number} the last two digits stay, as sender, as recipients and within a reason`, () => {
      for (const place of [
        ...placesOf('from', number),
        ...placesOf('to', [number, number]),
        { reason: `modem refused ${number}: +CMS ERROR` },
        { a: { reason: `to ${number}` } },
        { err: new Error(`no route to ${number}`) },
        { topic: `sms/contact/${number}` },
      ]) {
        const line = logged((log) => log.warn(place, 'refused'));
        assert.match(line, /…01/u);
        assert.doesNotMatch(line.replaceAll(/[ .]/gu, ''), /\d0001/u);
      }
    });

  test('of a meter’s number the last four digits stay, and none of more in a topic', () => {
    assert.equal(fieldsOf(logged((log) => log.info({ meter: '021861234567' }, 'frame'))).meter, '…4567');
    for (const place of [...placesOf('meter', '021861234567'), { topic: 'linky/021861234567/state' }])
      assert.doesNotMatch(
        logged((log) => log.info(place, 'frame')),
        /34567/u,
      );
  });

  test('any number of 8 to 15 digits is masked in any sentence, with blanks and dots in it or not', () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 9, maxLength: 15 }).map((all) => all.join(''));
    fc.assert(
      fc.property(digits, fc.constantFrom('', ' ', '.'), fc.boolean(), (number, gap, plus) => {
        const shown = `${plus ? '+' : ''}${number.slice(0, 4)}${gap}${number.slice(4)}`;
        const line = logged((log) => log.warn({ reason: `got '${shown}', expected less` }, 'refused'));
        assert.equal(fieldsOf(line).reason, `got '…${number.slice(-2)}', expected less`);
      }),
    );
  });

  for (const harmless of [
    'connect ECONNREFUSED 192.168.1.10:1883',
    'caller 192.168.100.200 refused',
    '2026-10-05T07:02:03.000Z',
    'mid 01912345-7c1a-7000-8000-000000000001',
    'expected LINKY_TIMEOUT_MS between 100 and 60000',
    'version 2.0.0-beta.1',
    'index 1234567',
  ])
    test(`'${harmless}' stays readable`, () => assert.equal(maskPhones(harmless), harmless));
});

suite('lines', () => {
  test('are JSON with a level in words, a name, an instant and the fields as they were given', () => {
    const { time, ...rest } = fieldsOf(
      logged((log) => log.warn({ topic: 'monitor/maj', count: 2, ok: true, none: null }, 'refused')),
    );
    assert.deepEqual(rest, {
      level: 'warn',
      name: 'test',
      topic: 'monitor/maj',
      count: 2,
      ok: true,
      none: null,
      msg: 'refused',
    });
    assert.match(String(time), /^\d{4}-.*Z$/u);
  });

  test('an error keeps its kind, message, code and stack', () => {
    const error = Object.assign(new TypeError('no space'), { code: 'ENOSPC' });
    const { err } = fieldsOf(logged((log) => log.error({ err: error }, 'failed'))) as { err: Record<string, string> };
    assert.deepEqual([err.type, err.message, err.code], ['TypeError', 'no space', 'ENOSPC']);
    assert.match(err.stack ?? '', /log\.test\.ts/u);
  });

  test('bytes are counted, and an object that holds itself is cut, not followed', () => {
    const loop: Record<string, unknown> = { payload: Buffer.from(TEXT) };
    loop.self = loop;
    const line = logged((log) => log.info(loop, 'odd'));
    assert.match(line, /19 bytes/u);
    assert.match(line, /\[deep\]/u);
  });
});
