// Owns the look at a store's file before lmdb opens it: lmdb ends the process when it meets a damaged page.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { codeOf, MeshError } from '@monitor-mesh/shared/errors.ts';

/** Layout of lmdb's two meta pages, little endian: both begin with a page header of 24 bytes. */
const META = {
  magic: 24,
  page_bytes: 48,
  free_root: 88,
  main_root: 136,
  last_page: 144,
  txn: 152,
  bytes: 160,
} as const;
const MAGIC = 0xbeefc0de;
const PAGE_BYTES_MAX = 65_536;
/** The root of an empty tree. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

const damaged = (path: string, what: string): MeshError =>
  new MeshError(
    'broker_store_damaged',
    `cannot use the store of the broker ${path}: ${what}; restore it from a backup, or move it away to start empty`,
  );

/**
 * Looks whether the file can be a store; one that does not exist or is empty can. All of it is read once, in a process
 * of its own, when that alone can tell: a damaged page ends that process instead of this.
 *
 * @throws MeshError `broker_store_damaged`
 */
export async function checkStoreFile(path: string): Promise<void> {
  const end = checkHead(path);
  if (end === 'none') return;
  if (end === 'there' && !existsSync(markerOf(path))) return;
  const ended = await readWhole(path);
  if (ended === 0) return;
  throw damaged(path, end === 'missing' ? 'its end is missing' : `reading it ended with ${ended}`);
}

/**
 * Whether the file has the length that it announces. A sound one may be shorter: pages at the end that a transaction
 * took and gave back (a large message that was put and removed) are free, and were never written.
 */
function checkHead(path: string): 'there' | 'missing' | 'none' {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'none';
    throw damaged(path, `it can not be read (${codeOf(error) ?? 'error'})`);
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw damaged(path, 'it is no file');
    if (stats.size === 0) return 'none';
    const first = readMeta(file, 0);
    const pageBytes = first?.page_bytes ?? 0;
    if (first === undefined || pageBytes < META.bytes || pageBytes > PAGE_BYTES_MAX)
      throw damaged(path, 'it is no database of lmdb');
    const second = readMeta(file, pageBytes);
    if (second === undefined) throw damaged(path, 'its second page is damaged');
    const { last_page, roots } = second.txn > first.txn ? second : first;
    const pages = BigInt(Math.floor(stats.size / pageBytes));
    if (roots.some((root) => root !== NO_PAGE && root >= pages)) throw damaged(path, 'its end is missing');
    return last_page < pages ? 'there' : 'missing';
  } finally {
    closeSync(file);
  }
}

interface Meta {
  readonly page_bytes: number;
  readonly last_page: bigint;
  readonly txn: bigint;
  /** Pages at which the trees of free pages and of records begin. */
  readonly roots: readonly bigint[];
}

function readMeta(file: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(META.bytes);
  if (readSync(file, bytes, 0, META.bytes, at) < META.bytes || bytes.readUInt32LE(META.magic) !== MAGIC)
    return undefined;
  return {
    page_bytes: bytes.readUInt32LE(META.page_bytes),
    last_page: bytes.readBigUInt64LE(META.last_page),
    txn: bytes.readBigUInt64LE(META.txn),
    roots: [bytes.readBigUInt64LE(META.free_root), bytes.readBigUInt64LE(META.main_root)],
  };
}

const markerOf = (path: string): string => `${path}.open`;

/** From now on the store counts as left in the middle, until `markClosed`. */
export const markOpen = (path: string): void => writeFileSync(markerOf(path), '', { mode: 0o600 });
export const markClosed = (path: string): void => rmSync(markerOf(path), { force: true });

/** How the process that read every record ended: 0 is well. */
async function readWhole(path: string): Promise<number | string> {
  const script = fileURLToPath(new URL('./read-whole-store.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path], { stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ?? code ?? 1));
  });
}
