// Owns what becomes of one row of the old database: rows of the mesh, or why it is not taken. Pure.
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { dispositifOf, textImageOf } from '@monitor-mesh/shared/store/house-tables.ts';
import { IDENTIFIER } from '@monitor-mesh/shared/store/identifier.ts';
import type { MeasurementTable, Row } from '@monitor-mesh/shared/store/store.ts';
import { type Moment, momentOf } from './import-clock.ts';
import type { Cell, SourceRow, SourceTable } from './import-source.ts';

export interface Setting {
  /** Zone of the house. */
  readonly zone: string;
  /** Name of the table of devices. */
  readonly dispositifs: string;
  /** Instant of the text that the mesh has under a message's name, epoch milliseconds. */
  readonly newest: ReadonlyMap<string, number>;
}

/** A value that is not taken. `example` is shown to people: never a text of the household. */
export interface Fault {
  readonly reason: string;
  readonly example?: string;
}

export interface Decision {
  /** Empty when nothing of the row is taken. */
  readonly rows: readonly Row[];
  readonly faults: readonly Fault[];
}

type Kind = 'dispositif' | 'text_image' | 'message' | 'measurement';
type Decide = (row: SourceRow, setting: Setting) => Decision;

const SHOWN_MAX = 40;
const NUMBER = /^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?$/u;
const MEASUREMENT = /^(?:temp_\w+|\w+_spa|pression_chaudiere)$/u;

const refused = (reason: string, example?: string): Decision => ({
  rows: [],
  faults: [example === undefined ? { reason } : { reason, example: example.slice(0, SHOWN_MAX) }],
});
const taken = (row: Row): Decision => ({ rows: [row], faults: [] });
const textOf = (cell: Cell): string => cell ?? '';

/** The columns with values of a measurement table of the PHP site; `undefined` when it is none. */
export function measurementOf({ name, columns }: SourceTable): MeasurementTable | undefined {
  if (!IDENTIFIER.test(name) || !columns.includes('date')) return undefined;
  const wanted = name === 'energie' ? ['conso', 'pmax'] : MEASUREMENT.test(name) ? ['valeur'] : [];
  const found = wanted.filter((column) => columns.includes(column));
  return found.length > 0 ? { table: name, columns: found } : undefined;
}

function kindOf(table: SourceTable, { dispositifs }: Setting): Kind | undefined {
  if (table.name === dispositifs) return 'dispositif';
  if (table.name === 'text_image') return 'text_image';
  if (table.name === 'messages') return 'message';
  return measurementOf(table) && 'measurement';
}

/** Whether the mesh has a use for a table. */
export const isWanted = (table: SourceTable, setting: Setting): boolean => kindOf(table, setting) !== undefined;

/** What a row becomes. */
export function decideRow(row: SourceRow, setting: Setting): Decision {
  const kind = kindOf(row.table, setting);
  if (kind === undefined) return refused('a table that the mesh has no use for');
  for (const [column, cell] of row.cells)
    if (cell === undefined) return refused(`${column}: expected a value, got an expression`);
  return DECIDE[kind](row, setting);
}

const numberOf = (row: SourceRow): Decision | undefined =>
  /^\d{1,15}$/u.test(textOf(row.cells.get('num')))
    ? undefined
    : refused('num: expected a whole number', textOf(row.cells.get('num')));

const DECIDE: Readonly<Record<Kind, Decide>> = {
  dispositif: (row) => numberOf(row) ?? taken({ kind: 'dispositif', ...dispositifOf(Object.fromEntries(row.cells)) }),
  text_image: (row) => numberOf(row) ?? taken({ kind: 'text_image', ...textImageOf(Object.fromEntries(row.cells)) }),
  message: decideMessage,
  measurement: decideMeasurement,
};

function momentIn({ cells, table, zone }: SourceRow, column: string, houseZone: string): Moment | undefined {
  // Where the source does not say, the old tables' own definition counts: their dates are timestamps.
  const isTimestamp = table.timestamps?.has(column) ?? true;
  return momentOf(textOf(cells.get(column)), (isTimestamp ? zone : undefined) ?? houseZone, houseZone);
}

function decideMessage(row: SourceRow, { zone, newest }: Setting): Decision {
  const { shape } = TOPICS.message.schema;
  const name = shape.name.safeParse(textOf(row.cells.get('nom')));
  if (!name.success) return refused('nom: expected a name for a message', textOf(row.cells.get('nom')));
  const text = shape.text.safeParse(textOf(row.cells.get('contenu')));
  if (!text.success) return refused(`contenu: expected at most ${shape.text.maxLength} characters`, name.data);
  const moment = momentIn(row, 'last_update', zone);
  const at_ms = moment?.ts_ms ?? 0;
  if (at_ms < (newest.get(name.data) ?? Number.NEGATIVE_INFINITY))
    return refused('the mesh has a newer text of that name', name.data);
  const unread = textOf(row.cells.get('maj')).trim() === '1';
  return taken({ kind: 'message', name: name.data, text: text.data, unread, at_ms });
}

function decideMeasurement(row: SourceRow, { zone }: Setting): Decision {
  const measurement = measurementOf(row.table);
  const moment = momentIn(row, 'date', zone);
  if (moment === undefined || measurement === undefined)
    return refused('date: expected a date such as 2026-10-05 09:02:03', textOf(row.cells.get('date')));
  const { table, columns } = measurement;
  const values: Record<string, string> = {};
  const faults: Fault[] = [];
  for (const column of columns) {
    const raw = row.cells.get(column);
    const value = decimalOf(textOf(raw));
    if (value !== undefined) values[column] = value;
    else faults.push({ reason: `${column}: expected a number`, example: raw?.slice(0, SHOWN_MAX) ?? 'NULL' });
  }
  const readings = Object.entries(values).map(
    ([column, value]): Row => ({
      kind: 'reading',
      series: column === 'valeur' ? table : `${table}-${column}`,
      ts_ms: moment.ts_ms,
      value: Number(value),
    }),
  );
  return {
    rows: readings.length > 0 ? [{ kind: 'record', table, date: moment.date, values }, ...readings] : [],
    faults,
  };
}

/** A decimal number as the mesh writes it, its digits kept: `21,0` becomes `21.0`. */
function decimalOf(text: string): string | undefined {
  const trimmed = text.trim();
  if (!NUMBER.test(trimmed)) return undefined;
  const plain = trimmed
    .replace(',', '.')
    .replace(/^\+/u, '')
    .replace(/^(?<sign>-?)\./u, '$<sign>0.')
    .replace(/\.(?!\d)/u, '');
  if (!Number.isFinite(Number(plain))) return undefined;
  return /[eE]/u.test(plain) ? String(Number(plain)) : plain;
}
