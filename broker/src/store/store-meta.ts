// Owns the record that says whose database a file is, which format it has, and how many lives and sessions it has seen.
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { z } from 'zod';
import { META_KEY } from './store-keys.ts';

const FORMAT = 1;
const NAME = 'monitor-mesh broker';

const meta = z.object({ name: z.literal(NAME), format: z.number(), boot: z.number(), numbers: z.number() });
export type StoreMeta = z.output<typeof meta>;

interface ReadableDatabase {
  get(key: Buffer): Buffer | undefined;
  getKeys(options: { readonly limit: number }): Iterable<Buffer>;
}

/** The record of a database, or the first one of an empty database. @throws MeshError `broker_store_foreign`, `broker_store_newer` */
export function readMeta(db: ReadableDatabase, path: string): StoreMeta {
  const stored = db.get(META_KEY);
  if (stored === undefined) {
    for (const _ of db.getKeys({ limit: 1 })) throw foreign(path);
    return { name: NAME, format: FORMAT, boot: 0, numbers: 0 };
  }
  const parsed = meta.safeParse(parseJson(stored));
  if (!parsed.success) throw foreign(path);
  if (parsed.data.format > FORMAT)
    throw new MeshError(
      'broker_store_newer',
      `the store of the broker ${path} was written by a newer release (format ${parsed.data.format}): start that release`,
    );
  return parsed.data;
}

export const encodeMeta = (value: StoreMeta): Buffer => Buffer.from(JSON.stringify(value));

const foreign = (path: string): MeshError =>
  new MeshError('broker_store_foreign', `expected the store of a broker in ${path}, found another database`);

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined; // the schema says what was expected
  }
}
