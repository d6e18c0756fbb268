// Reads a whole store and ends with 0 when all of it could be read; run by store-file.ts in a process of its own.
import { open } from 'lmdb';
import { decodeRecord } from './queue-record.ts';

const path = process.argv[2] ?? '';
const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: 'binary', encoding: 'binary', readOnly: true });
for (const { key, value } of db.getRange()) decodeRecord(key, value);
await db.close();
