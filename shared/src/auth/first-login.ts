// Owns the first way in: a user `admin` with a random password and token, written to a file that only its owner reads.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanText } from '../config.ts';
import { codeOf } from '../errors.ts';
import { isoOf } from '../time.ts';
import type { AccessFile } from './access-file.ts';
import { digestOf, hashPassword, randomPassword, randomSecret } from './password.ts';

export const FIRST_LOGIN_FILE = 'first-login.txt';
const FIRST_USER = 'admin';

export interface FirstLogin {
  readonly user: string;
  readonly password: string;
  readonly token: string;
}

/** Makes the first user unless there is one. A log never holds what this writes. */
export async function ensureFirstLogin(
  folder: string,
  access: AccessFile,
  now: () => number = Date.now,
): Promise<string> {
  const path = join(folder, FIRST_LOGIN_FILE);
  if (Object.keys(access.read().users).length > 0) return path;
  const login: FirstLogin = { user: FIRST_USER, password: randomPassword(), token: randomSecret('mm_') };
  const created_at = isoOf(now());
  const entry = {
    role: 'admin' as const,
    password: await hashPassword(login.password),
    tokens: [{ digest: digestOf(login.token), created_at }],
    created_at,
  };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The file first: a user whose password nobody knows would lock its owner out.
  writeFirstLogin(folder, login);
  access.update((before) => ({ ...before, users: { ...before.users, [FIRST_USER]: entry } }));
  return path;
}

/** Keeps the file true when the first user's password is made anew. A password that its owner chose is not written down. */
export function noteNewPassword(folder: string, user: string, password: string | undefined): void {
  const login = readFirstLogin(folder);
  if (login?.user !== user) return;
  writeFirstLogin(folder, { ...login, password: password ?? '(chosen by its owner)' });
}

function writeFirstLogin(folder: string, { user, password, token }: FirstLogin): void {
  const path = join(folder, FIRST_LOGIN_FILE);
  writeFileSync(path, `user=${user}\npassword=${password}\ntoken=${token}\n`, { mode: 0o600, flush: true });
}

/** What `first-login.txt` of a folder says; `undefined` when there is none that we may read. */
export function readFirstLogin(folder: string): FirstLogin | undefined {
  try {
    const lines = cleanText(readFileSync(join(folder, FIRST_LOGIN_FILE), 'utf8')).split('\n');
    const value = (name: string): string =>
      lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    return { user: value('user'), password: value('password'), token: value('token') };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EACCES') return undefined;
    throw error;
  }
}
