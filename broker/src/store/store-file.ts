// Owns the look at a store's file before lmdb opens it: lmdb ends the process when it meets a damaged page.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { codeOf, MeshError } from '@monitor-mesh/shared/errors.ts';

/** Layout of lmdb's two meta pages, little endian: both begin with a page header of 24 bytes. */
const META = { magic: 24, page_bytes: 48, last_page: 144, txn: 152, bytes: 160 } as const;
const MAGIC = 0xbeefc0de;
const PAGE_BYTES_MAX = 65_536;

const damaged = (path: string, what: string): MeshError =>
  new MeshError(
    'broker_store_damaged',
    `cannot use the store of the broker ${path}: ${what}; restore it from a backup, or move it away to start empty`,
  );

/**
 * Whether the file can be a store; one that does not exist or is empty can.
 *
 * @throws MeshError `broker_store_damaged`
 */
export function checkStoreFile(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw damaged(path, `it can not be read (${codeOf(error) ?? 'error'})`);
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw damaged(path, 'it is no file');
    const { size } = stats;
    if (size === 0) return;
    const first = readMeta(file, 0);
    const pageBytes = first?.page_bytes ?? 0;
    if (first === undefined || pageBytes < META.bytes || pageBytes > PAGE_BYTES_MAX)
      throw damaged(path, 'it is no database of lmdb');
    const second = readMeta(file, pageBytes);
    if (second === undefined) throw damaged(path, 'its second page is damaged');
    const current = second.txn > first.txn ? second : first;
    if (BigInt(size) < (current.last_page + 1n) * BigInt(pageBytes)) throw damaged(path, 'its end is missing');
  } finally {
    closeSync(file);
  }
}

interface Meta {
  readonly page_bytes: number;
  readonly last_page: bigint;
  readonly txn: bigint;
}

function readMeta(file: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(META.bytes);
  if (readSync(file, bytes, 0, META.bytes, at) < META.bytes || bytes.readUInt32LE(META.magic) !== MAGIC)
    return undefined;
  return {
    page_bytes: bytes.readUInt32LE(META.page_bytes),
    last_page: bytes.readBigUInt64LE(META.last_page),
    txn: bytes.readBigUInt64LE(META.txn),
  };
}

const markerOf = (path: string): string => `${path}.open`;

/** From now on the store counts as left in the middle, until `markClosed`. */
export const markOpen = (path: string): void => writeFileSync(markerOf(path), '', { mode: 0o600 });
export const markClosed = (path: string): void => rmSync(markerOf(path), { force: true });

/**
 * After a life that did not end in order, every page is read once in a process of its own: a damaged one ends that
 * process instead of this.
 *
 * @throws MeshError `broker_store_damaged`
 */
export async function checkAfterCrash(path: string): Promise<void> {
  if (!existsSync(markerOf(path)) || !existsSync(path)) return;
  const script = fileURLToPath(new URL('./read-whole-store.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path], { stdio: 'ignore' });
  const ended = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 1));
  });
  if (ended !== 0) throw damaged(path, `reading it ended with ${ended}`);
}
