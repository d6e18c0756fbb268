// Owns records for measurement tables, as JSON and as the legacy text: what they ask for, or why they are refused. Pure.
import { type PayloadOf, TOPICS } from '@monitor-mesh/shared/contract.ts';
import { type Decoded, decodePayload } from '@monitor-mesh/shared/decode.ts';
import type { ReadingRow, RecordRow } from '@monitor-mesh/shared/store/store.ts';
import { epochOf, epochOfWallClock, wallClockOf } from '@monitor-mesh/shared/time.ts';
import { refusalOf, type WhiteList } from './white-list.ts';

export interface Surroundings {
  readonly zone: string;
  readonly now_ms: number;
  readonly tables: WhiteList;
}

/** What both forms come to, before the white list. */
interface Record {
  readonly table: string;
  readonly values: readonly (readonly [column: string, value: string])[];
  readonly at_ms: number;
}

/** A record of tomorrow or later comes from a wrong clock: it would be the newest of its curve for as long. */
const AHEAD_MS_MAX = 24 * 3_600_000;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/iu;
const DATE = /^\d{4}-\d{2}-\d{2}$/u;
const TIME = /^\d{2}:\d{2}(?::\d{2})?$/u;
const LEGACY_FORM = 'table#column#value#YYYY-MM-DD#HH:MM:SS[#column#value]';

const refuse = (reason: string): Decoded<never> => ({ ok: false, reason });

/** One row of the table, and one point of a curve for each value. A record is taken whole or refused whole. */
export function decodeRecord(payload: Uint8Array, around: Surroundings): Decoded<readonly (RecordRow | ReadingRow)[]> {
  const decoded = recordOf(payload, around);
  if (!decoded.ok) return decoded;
  const { table, values, at_ms } = decoded.value;
  const columns = values.map(([column]) => column);
  const refusal = refusalOf(around.tables, table, columns);
  if (refusal !== undefined) return refuse(refusal);
  if (new Set(columns).size !== columns.length) return refuse(`expected each column once, got ${columns.join(', ')}`);
  const odd = values.find(([, value]) => !NUMBER.test(value) || !Number.isFinite(Number(value)));
  if (odd) return refuse(`expected a number for ${table}.${odd[0]}, got '${odd[1].slice(0, 32)}'`);
  if (at_ms > around.now_ms + AHEAD_MS_MAX)
    return refuse(`expected an instant that has been, got ${wallClockOf(at_ms, around.zone)}`);
  const record: RecordRow = {
    kind: 'record',
    table,
    date: wallClockOf(at_ms, around.zone),
    values: Object.fromEntries(values),
  };
  const readings = values.map(
    ([column, value]): ReadingRow => ({
      kind: 'reading',
      series: seriesOf(table, column),
      ts_ms: at_ms,
      value: Number(value),
    }),
  );
  return { ok: true, value: [record, ...readings] };
}

/** As the old graph page names curves: `temp_cave`, `energie-conso`. */
export const seriesOf = (table: string, column: string): string => (column === 'valeur' ? table : `${table}-${column}`);

function recordOf(payload: Uint8Array, around: Surroundings): Decoded<Record> {
  const isText = payload[0] !== 0x7b && payload[0] !== 0x22;
  if (isText) return legacyRecord(Buffer.from(payload).toString('utf8'), around.zone);
  const decoded = decodePayload(TOPICS.db_record, payload);
  if (!decoded.ok)
    return refuse(
      `expected {"table", "values": {column: number}, "at"?}, got '${Buffer.from(payload.subarray(0, 60)).toString()}'`,
    );
  return typeof decoded.value === 'string'
    ? legacyRecord(decoded.value, around.zone)
    : jsonRecord(decoded.value, around);
}

function jsonRecord(
  record: Exclude<PayloadOf<typeof TOPICS.db_record>, string>,
  around: Surroundings,
): Decoded<Record> {
  const { table, at } = record;
  const values = Object.entries(record.values).map(([column, value]) => [column, String(value).trim()] as const);
  if (values.length === 0) return refuse('expected at least one value');
  return { ok: true, value: { table, values, at_ms: at === undefined ? around.now_ms : epochOf(at) } };
}

/** `table#column#value#date#time[#column#value]`; date and time may be parted by a blank instead. */
function legacyRecord(text: string, zone: string): Decoded<Record> {
  const fields = text.trim().split('#');
  const [date = '', time] = (fields[3] ?? '').split(/[ T]+/u);
  const parts = time === undefined ? fields : [...fields.slice(0, 3), date, time, ...fields.slice(4)];
  const [table = '', column = '', value = '', day = '', clock = '', column2, value2] = parts.map((part) => part.trim());
  if ((parts.length !== 5 && parts.length !== 7) || !DATE.test(day) || !TIME.test(clock))
    return refuse(`expected ${LEGACY_FORM}, got '${text.slice(0, 64)}'`);
  const at_ms = epochOfWallClock(`${day}T${clock}`, zone);
  if (at_ms === undefined) return refuse(`expected a date and a time that exist, got '${day} ${clock}'`);
  const second = column2 === undefined ? [] : [[column2, value2 ?? ''] as const];
  return { ok: true, value: { table, values: [[column, value], ...second], at_ms } };
}
