// Owns bringing a SQLite database to the tables of this release.
import type { DatabaseSync } from 'node:sqlite';
import { MeshError, reasonOf } from '../../errors.ts';
import { type AppliedMigration, decidePending, type Migration } from '../migration.ts';
import { transaction } from './connection.ts';

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_ms INTEGER NOT NULL
) STRICT`;

/**
 * Applies what is pending in one transaction under the write lock, and answers how many files that were.
 *
 * @throws MeshError `migration_*`: nothing was changed
 */
export function migrate(db: DatabaseSync, files: readonly Migration[], nowMs: number): number {
  return transaction(db, () => {
    db.exec(CREATE_TABLE);
    const pending = decidePending(files, appliedTo(db));
    const record = db.prepare('INSERT INTO schema_migration (number, name, sha256, applied_ms) VALUES (?, ?, ?, ?)');
    for (const file of pending) {
      applyFile(db, file);
      record.run(file.number, file.name, file.sha256, nowMs);
    }
    return pending.length;
  });
}

function applyFile(db: DatabaseSync, { name, sql }: Migration): void {
  try {
    db.exec(sql);
  } catch (cause) {
    throw new MeshError('migration_failed', `migration '${name}' failed: ${reasonOf(cause)}`, { cause });
  }
  if (!db.isTransaction)
    throw new MeshError('migration_failed', `expected '${name}' to leave the transaction open, got it ended`);
}

function appliedTo(db: DatabaseSync): readonly AppliedMigration[] {
  const rows = db.prepare('SELECT number, name, sha256 FROM schema_migration ORDER BY number').all();
  return rows.map((row) => ({
    number: Number(row.number),
    name: String(row.name),
    sha256: String(row.sha256),
  }));
}

/**
 * Holds a reader back until the writer has made the tables. Newer tables are fine: migrations expand first.
 *
 * @throws MeshError `store_unavailable`, retryable
 */
export function assertMigrated(db: DatabaseSync, files: readonly Migration[]): void {
  const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'").get();
  const count = known === undefined ? 0 : appliedTo(db).length;
  if (count >= files.length) return;
  throw new MeshError(
    'store_unavailable',
    `expected ${files.length} applied migrations, got ${count}: the writer has not made the tables yet`,
    {
      retryable: true,
    },
  );
}
