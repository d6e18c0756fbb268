// What a record asks of the measurement tables, and which records are refused.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { DB_WRITER_VARIABLES } from '../src/config.ts';
import { decodeRecord } from '../src/record.ts';
import { DEFAULT_TABLES, parseEntry } from '../src/white-list.ts';

const NOW_MS = Date.UTC(2026, 9, 6, 7, 0, 0);
/** 09:02:03 in Paris. */
const AT_MS = Date.UTC(2026, 9, 5, 7, 2, 3);
const tables = DB_WRITER_VARIABLES.DB_RECORD_TABLES.parse(DEFAULT_TABLES);
const decode = (payload: string, zone = 'Europe/Paris') =>
  decodeRecord(Buffer.from(payload), { zone, now_ms: NOW_MS, tables });
const reasonFor = (payload: string): string => {
  const decoded = decode(payload);
  return decoded.ok ? assert.fail(`expected a refusal of ${payload}`) : decoded.reason;
};

const energie = {
  ok: true,
  value: [
    { kind: 'record', table: 'energie', date: '2026-10-05 09:02:03', values: { conso: '58.9', pmax: '11.8' } },
    { kind: 'reading', series: 'energie-conso', ts_ms: AT_MS, value: 58.9 },
    { kind: 'reading', series: 'energie-pmax', ts_ms: AT_MS, value: 11.8 },
  ],
};

suite('records', () => {
  test('the legacy text is taken with # or a blank between date and time', () => {
    assert.deepEqual(decode('energie#conso#58.9#2026-10-05#09:02:03#pmax#11.8'), energie);
    assert.deepEqual(decode('energie#conso#58.9#2026-10-05 09:02:03#pmax#11.8\r\n'), energie);
    assert.deepEqual(decode('"energie#conso#58.9#2026-10-05 09:02:03#pmax#11.8"'), energie);
  });

  test('JSON with an instant in UTC comes to the same row, in the wall clock of the house', () => {
    const record = { table: 'energie', values: { conso: '58.9', pmax: 11.8 }, at: '2026-10-05T07:02:03Z' };
    assert.deepEqual(decode(JSON.stringify(record)), energie);
  });

  test('a record without an instant is of now', () => {
    const decoded = decode('{"table":"temp_cave","values":{"valeur":17.5}}');
    assert.deepEqual(decoded.ok && decoded.value, [
      { kind: 'record', table: 'temp_cave', date: '2026-10-06 09:00:00', values: { valeur: '17.5' } },
      { kind: 'reading', series: 'temp_cave', ts_ms: NOW_MS, value: 17.5 },
    ]);
  });

  test('a value keeps the digits it was written with', () => {
    for (const [text, table] of [
      ['temp_cave#valeur#17.0#2026-10-05#10:00:00', 'temp_cave'],
      ['ph_spa#valeur#7.30#2026-10-05#10:00:00', 'ph_spa'],
      ['pression_chaudiere#valeur#-10.0#2026-10-05#10:00:00', 'pression_chaudiere'],
    ] as const) {
      const decoded = decode(text);
      const value = text.split('#')[2];
      assert.deepEqual(decoded.ok && decoded.value[0], {
        kind: 'record',
        table,
        date: '2026-10-05 10:00:00',
        values: { valeur: value },
      });
    }
  });

  test('a table or column that is not on the white list is refused by name, the tables of the mesh always', () => {
    assert.match(reasonFor('users#x#1#2026-10-05#10:00:00'), /DB_RECORD_TABLES.*got 'users'/u);
    assert.match(reasonFor('energie#conso)--#1#2026-10-05#10:00:00'), /column of 'energie'.*got 'conso\)--'/u);
    assert.match(reasonFor('temp_x`; DROP TABLE sse; --#valeur#1#2026-10-05#10:00:00'), /expected a table/u);
    assert.match(reasonFor('sse#state#1#2026-10-05#10:00:00'), /expected a table/u);
    for (const entry of ['device:state', 'sse:id', '*:valeur', 'temp_*:date', 'temp_*', 'a b:valeur', 'x:y:z'])
      assert.equal(parseEntry(entry), undefined, entry);
  });

  test('too few fields, a value that is no number, a day that is none: refused whole, with the reason', () => {
    assert.match(reasonFor('energie#conso'), /expected table#column#value#.*got 'energie#conso'/u);
    assert.match(reasonFor('energie#conso#58.9#2026-10-05#09:02:03#pmax'), /expected table#column/u);
    assert.match(reasonFor('energie#conso#beaucoup#2026-10-05#09:02:03'), /number for energie.conso, got 'beaucoup'/u);
    assert.match(reasonFor('energie#conso#58.9#2026-10-05#09:02:03#pmax#'), /number for energie.pmax, got ''/u);
    assert.match(reasonFor('energie#conso#1#2026-10-05#09:02:03#conso#2'), /each column once/u);
    assert.match(reasonFor('energie#conso#1#2026-02-30#09:02:03'), /date and a time that exist/u);
    assert.match(reasonFor('{"table":"energie","values":{}}'), /at least one value/u);
    assert.match(reasonFor('{"table":"energie"}'), /values/u);
    assert.match(reasonFor('energie#conso#1e999#2026-10-05#09:02:03'), /number/u);
  });

  test('a sender whose clock is in 2099 is refused, so that the newest point of a curve is a true one', () => {
    assert.match(reasonFor('temp_cave#valeur#17.0#2099-01-01#00:00:00'), /instant that has been, got 2099/u);
  });

  test('the hour that comes twice in autumn is the first of the two', () => {
    const decoded = decode('temp_cave#valeur#17.0#2025-10-26#02:30:00');
    assert.equal(
      decoded.ok && decoded.value[1]?.kind === 'reading' && decoded.value[1].ts_ms,
      Date.UTC(2025, 9, 26, 0, 30),
    );
  });
});
