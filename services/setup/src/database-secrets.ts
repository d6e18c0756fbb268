// Owns what follows from the database's passwords: the URL of each service that uses it, and the user that only reads.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Owner, readSecretFile, writeSecretFile } from './secret-file.ts';

export const DATABASE_PASSWORDS = ['root-password', 'monitor-password', 'reader-password'] as const;
/** The database opens with these; the reader can be made anew at any time. */
export const LOCKING_PASSWORDS: readonly string[] = ['root-password', 'monitor-password'];

export interface DerivedSecret {
  readonly name: string;
  readonly file: string;
  readonly from: (typeof DATABASE_PASSWORDS)[number];
  readonly text: (password: string) => string;
}

const urlOf = (user: string, password: string): string => `mysql://${user}:${password}@mariadb:3306/monitor`;

/** `reader.sql` lies where the image looks for what a new database begins with. */
const DERIVED: readonly DerivedSecret[] = [
  { name: 'db-writer', file: 'database-url', from: 'monitor-password', text: (secret) => urlOf('monitor', secret) },
  { name: 'monitor-api', file: 'database-url', from: 'reader-password', text: (secret) => urlOf('reader', secret) },
  {
    name: 'mariadb',
    file: 'reader.sql',
    from: 'reader-password',
    text: (secret) =>
      `CREATE OR REPLACE USER reader@'%' IDENTIFIED BY '${secret}'; GRANT SELECT ON monitor.* TO reader@'%';`,
  },
];

/** The derived secrets whose volumes are mounted here. */
export const derivedIn = (folder: string): readonly DerivedSecret[] =>
  existsSync(join(folder, 'mariadb')) ? DERIVED.filter(({ name }) => existsSync(join(folder, name))) : [];

/** Writes those that are missing or of an older password; answers them. */
export function writeDerived(folder: string, ownerOf: (name: string) => Owner): readonly DerivedSecret[] {
  return derivedIn(folder).filter(({ name, file, from, text }) => {
    const wanted = text(readSecretFile(join(folder, 'mariadb', from)) ?? '');
    const path = join(folder, name, file);
    if (readSecretFile(path) === wanted) return false;
    writeSecretFile(path, wanted, ownerOf(name));
    return true;
  });
}
