// Instants and the wall clock of the house. Passes in every time zone of the process.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { TOPICS } from '../src/contract.ts';
import { decodeChanges } from '../src/decode.ts';
import { CLOCK_AHEAD_MS_MAX, epochOf, heureOf, instantOfChange, isoOf, isTimeZone } from '../src/time.ts';

const PARIS = 'Europe/Paris';
const NOW_MS = Date.UTC(2026, 9, 5, 7, 2, 3);

suite('the wall clock of the house', () => {
  for (const [iso, heure, what] of [
    ['2026-10-05T07:02:03Z', '09:02:03', 'summer'],
    ['2026-01-05T07:02:03.999Z', '08:02:03', 'winter; parts of a second are cut'],
    ['2026-03-29T00:59:59Z', '01:59:59', 'the last second before the day of 23 hours jumps'],
    ['2026-03-29T01:00:00Z', '03:00:00', 'an hour does not exist'],
    ['2026-10-25T00:30:00Z', '02:30:00', 'the day of 25 hours, first time'],
    ['2026-10-25T01:30:00Z', '02:30:00', 'the day of 25 hours, second time'],
    ['2026-10-25T23:00:00Z', '00:00:00', 'midnight is 00'],
  ] as const)
    test(`${iso} is ${heure} in Paris (${what})`, () => assert.equal(heureOf(epochOf(iso), PARIS), heure));

  test('each second of the days of 23 and 25 hours is shown once, or twice where the hour repeats', () => {
    for (const [day, offsets, hours] of [
      ['2026-03-29', ['+01:00', '+02:00'], 23],
      ['2026-10-25', ['+02:00', '+01:00'], 25],
    ] as const) {
      const start = Date.parse(`${day}T00:00:00${offsets[0]}`);
      const end = Date.parse(`${day}T24:00:00${offsets[1]}`);
      assert.equal(end - start, hours * 3_600_000);
      const quarters = Array.from({ length: hours * 4 }, (_, index) => heureOf(start + index * 900_000, PARIS));
      assert.equal(new Set(quarters).size, Math.min(hours, 24) * 4);
      assert.equal(heureOf(end, PARIS), '00:00:00');
    }
  });

  test('a name that the time zone database does not know is none', () => {
    assert.deepEqual(['Europe/Paris', 'UTC', 'Mars/Olympus', ''].map(isTimeZone), [true, true, false, false]);
  });
});

suite('the instant of a change', () => {
  for (const [at, expected] of [
    [undefined, { at_ms: NOW_MS, clock_wrong: false }],
    ['2026-10-05T07:00:00Z', { at_ms: NOW_MS - 123_000, clock_wrong: false }],
    ['1970-01-01T00:00:00Z', { at_ms: 0, clock_wrong: false }],
    [isoOf(NOW_MS + CLOCK_AHEAD_MS_MAX), { at_ms: NOW_MS + CLOCK_AHEAD_MS_MAX, clock_wrong: false }],
    [isoOf(NOW_MS + CLOCK_AHEAD_MS_MAX + 1), { at_ms: NOW_MS, clock_wrong: true }],
    ['2099-01-01T00:00:00Z', { at_ms: NOW_MS, clock_wrong: true }],
    ['2026-10-05T07:00:00.1234567891234Z', { at_ms: NOW_MS - 123_000 + 123, clock_wrong: false }],
  ] as const)
    test(`a sender's ${at ?? 'silence'} counts as ${JSON.stringify(expected)}`, () =>
      assert.deepEqual(instantOfChange(at, NOW_MS), expected));

  test('whatever instant the contract takes has a place on the clock, never ahead of it', () => {
    const digits = (min: number, max: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max });
    const date = fc.date({
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    const iso = fc.tuple(date, fc.option(digits(1, 30))).map(([date, fraction]) => {
      const seconds = date.toISOString().slice(0, -5);
      return `${seconds}${fraction === null ? '' : `.${fraction}`}Z`;
    });
    fc.assert(
      fc.property(iso, (at) => {
        const decoded = decodeChanges(Buffer.from(JSON.stringify({ ...TOPICS.maj.example, at })));
        assert.equal(decoded.ok, true);
        const { at_ms } = instantOfChange(at, NOW_MS);
        assert.ok(Number.isInteger(at_ms) && at_ms <= NOW_MS + CLOCK_AHEAD_MS_MAX);
        assert.equal(epochOf(isoOf(at_ms)), at_ms);
      }),
    );
  });
});
