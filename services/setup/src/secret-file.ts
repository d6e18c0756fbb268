// Owns how a secret lies in a volume: one file, 0400, of the one user who reads it, replaced in one step.
import {
  chmodSync,
  chownSync,
  closeSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { cleanText } from '@monitor-mesh/shared/config.ts';
import { codeOf } from '@monitor-mesh/shared/errors.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const SECRET_MODE = 0o400;
const PERMISSIONS = 0o7777;

/** What a secret file holds; `undefined` when it is not there or empty. */
export function readSecretFile(path: string): string | undefined {
  try {
    return cleanText(readFileSync(path, 'utf8')) || undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a secret; a reader sees the old file or the new one, never half of one. */
export function writeSecretFile(path: string, secret: string, { uid, gid }: Owner): void {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', SECRET_MODE);
  try {
    writeSync(file, `${secret}\n`);
    fchownSync(file, uid, gid);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/**
 * Gives a file or folder its owner and mode.
 *
 * @returns whether it had others
 */
export function own(path: string, { uid, gid }: Owner, mode: number = SECRET_MODE): boolean {
  const stat = lstatSync(path);
  if (stat.uid === uid && stat.gid === gid && (stat.mode & PERMISSIONS) === mode) return false;
  if ((stat.mode & PERMISSIONS) !== mode) {
    // Without CAP_FOWNER root changes the mode of its own files only.
    if (process.getuid?.() === 0) chownSync(path, 0, 0);
    chmodSync(path, mode);
  }
  chownSync(path, uid, gid);
  return true;
}
