// Owns how many rows become one statement of constant text: a JSON array bound as one value, taken apart by the server.

/** Types of a column inside the array. `blob` is Base64 there. */
type CellType = 'text' | 'longtext' | 'integer' | 'double' | 'blob';

const DECLARED: Readonly<Record<CellType, string>> = {
  text: 'VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin',
  longtext: 'MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin',
  integer: 'BIGINT',
  double: 'DOUBLE',
  blob: 'LONGTEXT CHARACTER SET utf8mb4',
};

export type Column = readonly [name: string, type: CellType];

const cellNames = (columns: readonly Column[]): readonly string[] => columns.map((_, index) => `j.c${index}`);

/** The same into a table that numbers its rows: they get their numbers in the order of the array. */
export const insertInOrder = (table: string, columns: readonly Column[]): string =>
  `${insertRows(table, columns)} ORDER BY j.o`;

/** The array as a table `j` with the columns `c0`, `c1`… and `o`, the place in the array. */
export const arrayTable = (types: readonly CellType[]): string =>
  `JSON_TABLE(?, '$[*]' COLUMNS (o FOR ORDINALITY, ${types
    .map((type, index) => `c${index} ${DECLARED[type]} PATH '$[${index}]' ERROR ON ERROR`)
    .join(', ')})) AS j`;

/** Inserts the rows of an array; where `replace` names columns, a row of a known key gets those anew. */
export function insertRows(table: string, columns: readonly Column[], replace: readonly string[] = []): string {
  const cells = cellNames(columns).map((name, index) =>
    columns[index]?.[1] === 'blob' ? `FROM_BASE64(${name})` : name,
  );
  const onKnown =
    replace.length === 0
      ? ''
      : ` ON DUPLICATE KEY UPDATE ${replace.map((column) => `${column} = VALUES(${column})`).join(', ')}`;
  return `INSERT INTO ${table} (${columns.map(([name]) => name).join(', ')}) SELECT ${cells.join(', ')}
    FROM ${arrayTable(columns.map(([, type]) => type))}${onKnown}`;
}

/** Cells of rows, ready to be bound. A number that is not finite becomes NULL, which every column here refuses. */
export const bound = (rows: readonly (readonly unknown[])[]): [string] => [JSON.stringify(rows)];
