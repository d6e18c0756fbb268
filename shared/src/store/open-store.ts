// Owns the choice of a database from `DATABASE_URL`.
import { MeshError } from '../errors.ts';
import { openSqliteReader, openSqliteStore } from './sqlite-store.ts';
import type { Store, StoreReader } from './store.ts';

/** `url` may hold a password: it is never printed. */
export type DatabaseTarget =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'mariadb'; readonly url: string };

const MARIADB_SCHEMES = new Set(['mysql:', 'mariadb:']);

/**
 * `sqlite:PATH` (relative to the working folder, or absolute; taken as written, nothing is percent-decoded),
 * `sqlite:///ABSOLUTE`, `mysql://…` or `mariadb://…`.
 *
 * @throws Error that says what was expected and never holds the text, which may hold a password
 */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const path = parseSqlitePath(text);
  if (path !== undefined) return { kind: 'sqlite', path };
  const url = URL.parse(text);
  if (url !== null && MARIADB_SCHEMES.has(url.protocol) && url.hostname !== '') return { kind: 'mariadb', url: text };
  throw new Error('expected sqlite:PATH or mysql://…');
}

/** A database in memory is refused: its readers would each see their own empty one. */
function parseSqlitePath(text: string): string | undefined {
  const path = /^sqlite:(?:\/\/(?=\/))?(?<path>(?!\/\/)[^\0]+)$/u.exec(text)?.groups?.path;
  return path === undefined || path.trim() === '' || path === ':memory:' || path.endsWith('/') ? undefined : path;
}

const unsupported = (): MeshError => new MeshError('store_unsupported', 'MariaDB store is not part of this release');

/** The one writer. */
export async function openStore(target: DatabaseTarget): Promise<Store> {
  if (target.kind === 'mariadb') throw unsupported();
  return await openSqliteStore({ path: target.path });
}

/** A reader beside the writer. */
export async function openStoreReader(target: DatabaseTarget): Promise<StoreReader> {
  if (target.kind === 'mariadb') throw unsupported();
  return await openSqliteReader({ path: target.path });
}
