// Owns the keys of the store on the disk: a table, then a session's number and a place in it, or a name.
import { createHash } from 'node:crypto';

/** First byte of every key of the store. */
export const TABLE = { meta: 0, session: 1, queue: 2, sent: 3, incoming: 4, retained: 5, will: 6 } as const;

export const META_KEY = Buffer.from([TABLE.meta]);

const NUMBER_BYTES = 4;
const SEQ_BYTES = 6;
/** lmdb's own limit on a key is 1,978 bytes; a topic and a client id may be longer than that. */
const NAME_BYTES_MAX = 1_900;
/** Never a byte of UTF-8, so that no name is taken for the digest of another. */
const DIGEST_MARK = 0xff;

export function keyOf(table: number, number: number, seq?: number): Buffer {
  const key = Buffer.allocUnsafe(1 + NUMBER_BYTES + (seq === undefined ? 0 : SEQ_BYTES));
  key[0] = table;
  key.writeUInt32BE(number, 1);
  if (seq !== undefined) key.writeUIntBE(seq, 1 + NUMBER_BYTES, SEQ_BYTES);
  return key;
}

/** The key of what is kept by name; the name itself is in the record. */
export function nameKey(table: number, name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length <= NAME_BYTES_MAX) return Buffer.concat([Buffer.from([table]), bytes]);
  return Buffer.concat([Buffer.from([table, DIGEST_MARK]), createHash('sha256').update(bytes).digest()]);
}

export const seqOf = (key: Buffer): number => key.readUIntBE(1 + NUMBER_BYTES, SEQ_BYTES);
export const numberOf = (key: Buffer): number => key.readUInt32BE(1);

export function seqBytes(seq: number): Buffer {
  const bytes = Buffer.allocUnsafe(SEQ_BYTES);
  bytes.writeUIntBE(seq, 0, SEQ_BYTES);
  return bytes;
}
export const readSeq = (bytes: Buffer): number => bytes.readUIntBE(0, SEQ_BYTES);

/** Where a table, or a session's part of one, begins and ends. */
export const rangeOf = (table: number, number?: number): { readonly start: Buffer; readonly end: Buffer } =>
  number === undefined
    ? { start: Buffer.from([table]), end: Buffer.from([table + 1]) }
    : { start: keyOf(table, number), end: keyOf(table, number + 1) };
