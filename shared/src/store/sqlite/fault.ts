// Owns what a SQLite result code means to the mesh: which MeshError, and whether a retry can help.
import { codeOf, MeshError, reasonOf } from '../../errors.ts';

interface Meaning {
  readonly code: string;
  readonly retryable: boolean;
}

const UNAVAILABLE: Meaning = { code: 'store_unavailable', retryable: true };
const LOCKED: Meaning = { code: 'store_locked', retryable: true };
const FULL: Meaning = { code: 'store_full', retryable: true };
const READONLY: Meaning = { code: 'store_readonly', retryable: false };
const DAMAGED: Meaning = { code: 'store_damaged', retryable: false };
/** The rows themselves cannot be stored: the same rows will be refused again. */
const REFUSED: Meaning = { code: 'store_refused', retryable: false };
const FAILED: Meaning = { code: 'store_failed', retryable: false };

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

/** Primary result codes (sqlite.org/rescode.html). */
const MEANING_OF_RESULT: ReadonlyMap<number, Meaning> = new Map([
  [3, READONLY], // SQLITE_PERM
  [SQLITE_BUSY, LOCKED],
  [SQLITE_LOCKED, LOCKED],
  [7, UNAVAILABLE], // SQLITE_NOMEM
  [8, READONLY], // SQLITE_READONLY
  [10, UNAVAILABLE], // SQLITE_IOERR
  [11, DAMAGED], // SQLITE_CORRUPT
  [13, FULL], // SQLITE_FULL
  [14, UNAVAILABLE], // SQLITE_CANTOPEN
  [15, LOCKED], // SQLITE_PROTOCOL: lost the race for the write-ahead log's locks
  [18, REFUSED], // SQLITE_TOOBIG
  [19, REFUSED], // SQLITE_CONSTRAINT
  [20, REFUSED], // SQLITE_MISMATCH
  [26, DAMAGED], // SQLITE_NOTADB
]);

/** Codes of the file system, met while the folder and the file are made. */
const MEANING_OF_SYSTEM: ReadonlyMap<string, Meaning> = new Map([
  ['EACCES', READONLY],
  ['EPERM', READONLY],
  ['EROFS', READONLY],
  ['ENOSPC', FULL],
  ['EDQUOT', FULL],
  ['ENOENT', UNAVAILABLE],
  ['ENOTDIR', UNAVAILABLE],
  ['EISDIR', UNAVAILABLE],
  ['EEXIST', UNAVAILABLE],
  ['EIO', UNAVAILABLE],
  ['EMFILE', UNAVAILABLE],
  ['ENFILE', UNAVAILABLE],
]);

/** The primary result code of an error of node:sqlite: the low byte, the rest is the extended code. */
const resultOf = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;

export const isLocked = (error: unknown): boolean => [SQLITE_BUSY, SQLITE_LOCKED].includes(resultOf(error) ?? 0);

/** Anything thrown while the database was used, as a MeshError. `store_failed` is a mistake in this program. */
export function faultOf(error: unknown, path: string): MeshError {
  if (error instanceof MeshError) return error;
  const result = resultOf(error);
  const meaning = result === undefined ? MEANING_OF_SYSTEM.get(codeOf(error) ?? '') : MEANING_OF_RESULT.get(result);
  const { code, retryable } = meaning ?? FAILED;
  return new MeshError(code, `database '${path}': ${reasonOf(error)}`, { retryable, cause: error });
}
