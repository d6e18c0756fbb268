// Owns the numbered migration files: how they are read, and which of them a database still needs.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../errors.ts';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  /** Hexadecimal, of the text with LF line ends. */
  readonly sha256: string;
}

export type AppliedMigration = Pick<Migration, 'number' | 'name' | 'sha256'>;

const FILE_NAME = /^(?<number>\d{4})_[a-z0-9_]+\.sql$/u;

/**
 * Every `NNNN_name.sql` of a folder, in order.
 *
 * @throws MeshError `migration_invalid` or `migration_gap`
 */
export function readMigrations(folder: string): readonly Migration[] {
  const migrations = namesIn(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => readMigration(folder, name));
  assertNoGap(migrations, 'the migration files');
  return migrations;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new MeshError('migration_invalid', `expected a folder of migrations, got '${folder}'`, { cause });
  }
}

function readMigration(folder: string, name: string): Migration {
  const number = FILE_NAME.exec(name)?.groups?.number;
  if (number === undefined)
    throw new MeshError('migration_invalid', `expected a migration named NNNN_name.sql, got '${name}'`);
  const sql = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n');
  return { number: Number(number), name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
}

function assertNoGap(migrations: readonly AppliedMigration[], where: string): void {
  const odd = migrations.find(({ number }, index) => number !== index + 1);
  if (odd === undefined) return;
  throw new MeshError(
    'migration_gap',
    `expected ${where} to be numbered 1 to ${migrations.length}, got '${odd.name}' out of place`,
  );
}

/**
 * What is still to be applied, given what was applied before (in order of number).
 *
 * @throws MeshError `migration_gap`, `migration_newer` or `migration_changed`
 */
export function decidePending(files: readonly Migration[], applied: readonly AppliedMigration[]): readonly Migration[] {
  const newer = applied.find(({ number }) => number > files.length);
  if (newer) {
    throw new MeshError(
      'migration_newer',
      `expected migrations up to ${files.length}, got a database of a newer release with '${newer.name}'`,
    );
  }
  assertNoGap(applied, 'the applied migrations');
  for (const [index, { name, sha256 }] of applied.entries()) {
    const file = files[index];
    if (file?.sha256 === sha256) continue;
    throw new MeshError(
      'migration_changed',
      `expected '${name}' as it was applied (sha256 ${sha256}), got ${file?.sha256}`,
    );
  }
  return files.slice(applied.length);
}
