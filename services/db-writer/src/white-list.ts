// Owns which measurement tables and columns may be written: names and patterns from the configuration. Pure.
import { IDENTIFIER } from '@monitor-mesh/shared/store/identifier.ts';
import type { MeasurementTable } from '@monitor-mesh/shared/store/store.ts';

/** Tables by name or by a pattern with one `*` at either end, and their columns. */
export interface WhiteListEntry extends MeasurementTable {
  readonly isPattern: boolean;
}
export type WhiteList = readonly WhiteListEntry[];

export const DEFAULT_TABLES = 'energie:conso+pmax, temp_*:valeur, *_spa:valeur, pression_chaudiere:valeur';
/** Tables of the mesh itself: no pattern opens them. */
const OWN = new Set([
  'device',
  'device_event',
  'series',
  'reading',
  'message',
  'messages',
  'inbox',
  'raw_message',
  'sse',
]);

/** `table:column+column`, or undefined. A `*` stands at the begin or the end of the table's name. */
export function parseEntry(text: string): WhiteListEntry | undefined {
  const [table = '', columnText = '', ...more] = text.split(':').map((part) => part.trim());
  const columns = columnText.split('+').map((column) => column.trim());
  const bare = table.replace(/^\*|\*$/u, '');
  const isPattern = bare !== table;
  if (more.length > 0 || !IDENTIFIER.test(isPattern ? `a${bare}` : table) || OWN.has(table)) return undefined;
  if (bare === '' || !columns.every((column) => IDENTIFIER.test(column) && !['num', 'date'].includes(column)))
    return undefined;
  return { table, columns, isPattern };
}

/** The tables that are named in full: they are made where they are missing. */
export const namedTables = (list: WhiteList): readonly MeasurementTable[] =>
  list.filter(({ isPattern }) => !isPattern).map(({ table, columns }) => ({ table, columns }));

const matches = ({ table: pattern, isPattern }: WhiteListEntry, table: string): boolean => {
  if (!isPattern) return pattern === table;
  const bare = pattern.replaceAll('*', '');
  return pattern.startsWith('*') ? table.endsWith(bare) : table.startsWith(bare);
};

/** Why a row may not be written, or undefined when it may. */
export function refusalOf(list: WhiteList, table: string, columns: readonly string[]): string | undefined {
  const entries = list.filter((entry) => matches(entry, table));
  if (entries.length === 0 || !IDENTIFIER.test(table) || OWN.has(table))
    return `expected a table of DB_RECORD_TABLES (${list.map((entry) => entry.table).join(', ')}), got '${table.slice(0, 64)}'`;
  const allowed = entries.flatMap((entry) => entry.columns);
  const odd = columns.find((column) => !allowed.includes(column));
  return odd === undefined
    ? undefined
    : `expected a column of '${table}' (${allowed.join(', ')}), got '${odd.slice(0, 64)}'`;
}
