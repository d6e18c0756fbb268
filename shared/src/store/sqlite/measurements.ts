// Owns the statements that write measurement tables, curves and the description of the house into SQLite.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { MeshError } from '../../errors.ts';
import { DISPOSITIF_COLUMNS, TEXT_IMAGE_COLUMNS } from '../house-tables.ts';
import { quotedName } from '../identifier.ts';
import type { HouseRow, MeasurementTable, ReadingRow, RecordRow } from '../store.ts';

const ADD_SERIES = 'INSERT INTO series (name) VALUES (?) ON CONFLICT (name) DO NOTHING';
const SERIES_ID = 'SELECT id FROM series WHERE name = ?';
const SET_READING = `INSERT INTO reading (series_id, ts_ms, value) VALUES (?, ?, ?)
  ON CONFLICT (series_id, ts_ms) DO UPDATE SET value = excluded.value`;

const quoted = (name: string): string => quotedName(name, '"');

/** A row whose `key` is known is replaced in the other columns. */
const upsert = (table: string, key: string, columns: readonly string[]): string =>
  `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
   ON CONFLICT (${key}) DO UPDATE SET ${columns
     .filter((column) => column !== key)
     .map((column) => `${column} = excluded.${column}`)
     .join(', ')}`;

export interface Measurements {
  record(row: RecordRow): void;
  reading(row: ReadingRow): void;
  house(row: HouseRow): void;
  /** Forgets what was learned in a transaction that was rolled back. */
  forget(): void;
}

export function prepareMeasurements(db: DatabaseSync): Measurements {
  const seriesIds = new Map<string, number>();
  return {
    record: prepareRecord(db),
    reading: prepareReadings(db, seriesIds),
    house: prepareHouse(db),
    forget: () => seriesIds.clear(),
  };
}

/** One statement per table and set of columns: as many as the white list has. */
function prepareRecord(db: DatabaseSync): (row: RecordRow) => void {
  const statements = new Map<string, StatementSync>();
  return ({ table, date, values }) => {
    const columns = Object.keys(values);
    const key = [table, ...columns].join(' ');
    let statement = statements.get(key);
    if (statement === undefined) {
      statement = statementFor(db, table, columns);
      statements.set(key, statement);
    }
    statement.run(date, ...columns.map((column) => values[column] ?? null));
  };
}

function statementFor(db: DatabaseSync, table: string, columns: readonly string[]): StatementSync {
  const sql = upsert(quoted(table), quoted('date'), ['date', ...columns].map(quoted));
  try {
    return db.prepare(sql);
  } catch (cause) {
    throw new MeshError(
      'store_refused',
      `expected a table '${table}' with the columns date, ${columns.join(', ')}: the database has none`,
      { cause },
    );
  }
}

function prepareReadings(db: DatabaseSync, seriesIds: Map<string, number>): (row: ReadingRow) => void {
  const addSeries = db.prepare(ADD_SERIES);
  const seriesId = db.prepare(SERIES_ID);
  const setReading = db.prepare(SET_READING);
  return ({ series, ts_ms, value }) => {
    let id = seriesIds.get(series);
    if (id === undefined) {
      addSeries.run(series);
      id = Number(seriesId.get(series)?.id);
      seriesIds.set(series, id);
    }
    setReading.run(id, ts_ms, value);
  };
}

function prepareHouse(db: DatabaseSync): (row: HouseRow) => void {
  const dispositif = db.prepare(upsert('dispositifs', 'num', DISPOSITIF_COLUMNS));
  const textImage = db.prepare(upsert('text_image', 'num', TEXT_IMAGE_COLUMNS));
  return (row) => {
    if (row.kind === 'dispositif') dispositif.run(...DISPOSITIF_COLUMNS.map((column) => row[column]));
    else textImage.run(...TEXT_IMAGE_COLUMNS.map((column) => row[column]));
  };
}

/** Makes the tables that are missing; one that is there stays as it is. */
export function ensureTables(db: DatabaseSync, tables: readonly MeasurementTable[]): void {
  for (const { table, columns } of tables) {
    const cells = columns.map((column) => `${quoted(column)} REAL`).join(', ');
    db.exec(
      `CREATE TABLE IF NOT EXISTS ${quoted(table)} (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, ${cells}) STRICT`,
    );
  }
}
