import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type ColumnInfo, decideWidening } from '../../src/store/mariadb/widening.ts';

const column = (fields: Partial<ColumnInfo>): ColumnInfo => ({
  table: 'sse',
  column: 'state',
  data_type: 'varchar',
  characters: 5,
  charset: 'utf8mb4',
  nullable: false,
  default_sql: null,
  ...fields,
});
const wanted = [{ table: 'sse', column: 'state', characters: 4_096 }];

suite('widening', () => {
  test('a text column that is too narrow keeps its default and whether it may be empty', () => {
    const [widening] = decideWidening([column({ default_sql: "''", nullable: true })], wanted);
    assert.equal(widening?.sql, "ALTER TABLE `sse` MODIFY `state` VARCHAR(4096) CHARACTER SET utf8mb4 NULL DEFAULT ''");
  });

  test('a column of another character set is widened even when it is long enough, and never becomes shorter', () => {
    const [widening] = decideWidening([column({ characters: 5_000, charset: 'utf8mb3' })], wanted);
    assert.match(widening?.sql ?? '', /VARCHAR\(5000\) CHARACTER SET utf8mb4 NOT NULL$/u);
  });

  test('columns that are wide enough, hold numbers or belong to nobody known are left alone', () => {
    const fine = [
      column({ characters: 4_096 }),
      column({ data_type: 'text', characters: 65_535 }),
      column({ data_type: 'double', characters: null, charset: null }),
      column({ table: 'date_poub' }),
    ];
    for (const info of fine) assert.deepEqual(decideWidening([info], wanted), [], JSON.stringify(info));
  });
});
