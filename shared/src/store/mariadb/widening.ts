// Owns the PHP site's own tables where they are too narrow for what the mesh writes: which, how they are widened, and what is
// left unwritten where they cannot be.
import { reasonOf } from '../../errors.ts';
import { quotedName } from '../identifier.ts';
import type { MeasurementTable } from '../store.ts';
import type { Session } from './connection.ts';

/** One column as `information_schema.COLUMNS` describes it. */
export interface ColumnInfo {
  readonly table: string;
  readonly column: string;
  readonly data_type: string;
  readonly characters: number | null;
  readonly charset: string | null;
  readonly nullable: boolean;
  /** SQL text of the default, as the server gives it. */
  readonly default_sql: string | null;
}

/** Room for texts: characters of any language. */
export interface WantedColumn {
  readonly table: string;
  readonly column: string;
  readonly characters: number;
}

export interface Widening {
  readonly table: string;
  readonly column: string;
  readonly from: string;
  readonly to: string;
  readonly sql: string;
}

export const MIRRORED: readonly WantedColumn[] = [
  { table: 'sse', column: 'id', characters: 128 },
  { table: 'sse', column: 'state', characters: 4_096 },
  { table: 'sse', column: 'date', characters: 8 },
  { table: 'messages', column: 'nom', characters: 64 },
  { table: 'messages', column: 'contenu', characters: 16_384 },
];

/** The longest decimal number that JavaScript writes has 24 characters. */
const NUMBER_CHARACTERS = 32;
const VARCHAR_MAX = 16_000;
const TEXT_TYPES: ReadonlySet<string> = new Set(['char', 'varchar', 'tinytext', 'text']);
const LARGE_TEXT_TYPES: ReadonlySet<string> = new Set(['mediumtext', 'longtext']);
const BYTES_PER_CHARACTER = 4;

/** The columns of text that are too narrow, and the statement that widens each. Columns of other types take numbers. */
export function decideWidening(columns: readonly ColumnInfo[], wanted: readonly WantedColumn[]): readonly Widening[] {
  return wanted.flatMap((want) => {
    const found = columns.find(({ table, column }) => table === want.table && column === want.column);
    if (found === undefined || !isNarrow(found, want.characters)) return [];
    const to =
      want.characters > VARCHAR_MAX ? 'MEDIUMTEXT' : `VARCHAR(${Math.max(want.characters, found.characters ?? 0)})`;
    const rest = `${found.nullable ? 'NULL' : 'NOT NULL'}${found.default_sql === null ? '' : ` DEFAULT ${found.default_sql}`}`;
    const sql = `ALTER TABLE ${quotedName(want.table, '`')} MODIFY ${quotedName(want.column, '`')} ${to} CHARACTER SET utf8mb4 ${rest}`;
    const from = `${found.data_type}(${found.characters}) ${found.charset}`;
    return [{ table: want.table, column: want.column, from, to: `${to} utf8mb4`, sql }];
  });
}

function isNarrow({ data_type, characters, charset }: ColumnInfo, wanted: number): boolean {
  if (!TEXT_TYPES.has(data_type) && !LARGE_TEXT_TYPES.has(data_type)) return false;
  if (charset !== 'utf8mb4') return true;
  if (LARGE_TEXT_TYPES.has(data_type)) return false;
  // The lengths of TEXT are bytes.
  const room = data_type.endsWith('text') ? (characters ?? 0) / BYTES_PER_CHARACTER : (characters ?? 0);
  return room < wanted && !(data_type === 'text' && wanted < VARCHAR_MAX);
}

/** The measurement tables that the PHP site brings, with columns of 4 to 10 characters. */
export const MEASUREMENTS: readonly MeasurementTable[] = [
  { table: 'energie', columns: ['conso', 'pmax'] },
  ...['salon', 'cuisine', 'meteo', 'cave', 'cellier', 'cuis_ete'].map((room) => ({
    table: `temp_${room}`,
    columns: ['valeur'],
  })),
  { table: 'pression_chaudiere', columns: ['valeur'] },
  ...['ph', 'orp', 'debit', 'temp', 'temp_ext'].map((probe) => ({ table: `${probe}_spa`, columns: ['valeur'] })),
];

export const numbersOf = (tables: readonly MeasurementTable[]): readonly WantedColumn[] =>
  tables.flatMap(({ table, columns }) => columns.map((column) => ({ table, column, characters: NUMBER_CHARACTERS })));

const COLUMNS = `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, DATA_TYPE AS type, CHARACTER_MAXIMUM_LENGTH AS characters,
  CHARACTER_SET_NAME AS charset, IS_NULLABLE AS nullable, COLUMN_DEFAULT AS default_sql
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()`;

async function columnsOf(session: Session): Promise<readonly ColumnInfo[]> {
  const rows = await session.rows(COLUMNS);
  return rows.map((row) => ({
    table: String(row.t),
    column: String(row.c),
    data_type: String(row.type).toLowerCase(),
    characters: row.characters === null ? null : Number(row.characters),
    charset: row.charset === null ? null : String(row.charset),
    nullable: row.nullable === 'YES',
    default_sql: row.default_sql === null ? null : String(row.default_sql),
  }));
}

/**
 * Says what is too narrow, widens it where `allowed`, and answers the tables that stay too narrow.
 *
 * @param say called before a table is changed, and when it cannot be
 */
export async function widen(
  session: Session,
  wanted: readonly WantedColumn[],
  { allowed, say }: { readonly allowed: boolean; readonly say: (text: string) => void },
): Promise<ReadonlySet<string>> {
  const narrow = new Set<string>();
  for (const { table, column, from, to, sql } of decideWidening(await columnsOf(session), wanted)) {
    if (!allowed) {
      narrow.add(table);
      say(`${table}.${column} is ${from} and stays so: expected ${to}`);
      continue;
    }
    say(`${table}.${column} is widened from ${from} to ${to}`);
    try {
      await session.script(sql);
    } catch (error) {
      narrow.add(table);
      say(`${table}.${column} was not widened: ${reasonOf(error)}`);
    }
  }
  return narrow;
}
