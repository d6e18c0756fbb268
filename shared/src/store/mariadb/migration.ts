// Owns bringing a MariaDB database to the tables of this release.
import { MeshError, reasonOf } from '../../errors.ts';
import { type AppliedMigration, decidePending, type Migration } from '../migration.ts';
import type { Session } from './connection.ts';

const LOCK_WAIT_S = 60;
const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  number INT NOT NULL PRIMARY KEY, name VARCHAR(191) NOT NULL, sha256 CHAR(64) NOT NULL, applied_ms BIGINT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4`;
const APPLIED = 'SELECT number, name, sha256 FROM schema_migration ORDER BY number';
const RECORD = 'INSERT INTO schema_migration (number, name, sha256, applied_ms) VALUES (?, ?, ?, ?)';
// The name of a lock belongs to the whole server, which may hold several houses.
const LOCK = "SELECT GET_LOCK(CONCAT('monitor-mesh.', DATABASE()), ?) AS locked";
const UNLOCK = "SELECT RELEASE_LOCK(CONCAT('monitor-mesh.', DATABASE()))";
const NO_TABLE = 1146;

/**
 * Applies what is pending under a lock that other processes wait for, and answers how many files that were.
 * MariaDB commits each statement: a file that was cut off is begun again, which its `IF NOT EXISTS` allow.
 *
 * @throws MeshError `migration_*`, `store_locked`
 */
export async function migrate(session: Session, files: readonly Migration[], nowMs: number): Promise<number> {
  const [lock] = await session.rows(LOCK, [LOCK_WAIT_S]);
  if (lock?.locked !== 1)
    throw new MeshError('store_locked', `expected the migration's lock within ${LOCK_WAIT_S} s`, { retryable: true });
  try {
    await session.script(CREATE_TABLE);
    const pending = decidePending(files, await appliedTo(session));
    for (const file of pending) {
      await applyFile(session, file);
      await session.write(RECORD, [file.number, file.name, file.sha256, nowMs]);
    }
    return pending.length;
  } finally {
    // On a dead connection the server has let go already.
    await session.script(UNLOCK).catch(() => undefined);
  }
}

async function applyFile(session: Session, { name, sql }: Migration): Promise<void> {
  try {
    await session.script(sql);
  } catch (cause) {
    throw new MeshError('migration_failed', `migration '${name}' failed: ${reasonOf(cause)}`, { cause });
  }
}

async function appliedTo(session: Session): Promise<readonly AppliedMigration[]> {
  const rows = await session.rows(APPLIED);
  return rows.map(({ number, name, sha256 }) => ({
    number: Number(number),
    name: String(name),
    sha256: String(sha256),
  }));
}

/**
 * Holds a reader back until the writer has made the tables. Newer tables are fine: migrations expand first.
 *
 * @throws MeshError `store_unavailable`, retryable
 */
export async function assertMigrated(session: Session, files: readonly Migration[]): Promise<void> {
  const count = await appliedCount(session);
  if (count >= files.length) return;
  throw new MeshError(
    'store_unavailable',
    `expected ${files.length} applied migrations, got ${count}: the writer has not made the tables yet`,
    { retryable: true },
  );
}

async function appliedCount(session: Session): Promise<number> {
  try {
    return (await appliedTo(session)).length;
  } catch (error) {
    if (error instanceof Error && 'errno' in error && error.errno === NO_TABLE) return 0;
    throw error;
  }
}
