// Owns the choice of a database from `DATABASE_URL`.
import { openMariadbReader, openMariadbStore } from './mariadb/store.ts';
import { openSqliteReader, openSqliteStore } from './sqlite/store.ts';
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

/** What a database of the PHP site is told and asked; SQLite has nothing to ask. */
export interface OpenOptions {
  /** Whether tables of the PHP site that are too narrow may be widened. Default true. */
  readonly may_widen?: boolean;
  /** Told before such a table is changed, or what is left out because it is not. */
  readonly say?: (text: string) => void;
}

/** The one writer. */
export const openStore = (target: DatabaseTarget, options: OpenOptions = {}): Promise<Store> =>
  target.kind === 'mariadb'
    ? openMariadbStore({ ...options, url: target.url })
    : openSqliteStore({ path: target.path });

/** A reader beside the writer. */
export const openStoreReader = (target: DatabaseTarget): Promise<StoreReader> =>
  target.kind === 'mariadb' ? openMariadbReader({ url: target.url }) : openSqliteReader({ path: target.path });
