// Owns the file in which a broker without a durable persistence rests between two runs.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { codeOf, MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { BrokerImage } from './broker.ts';

/** What an earlier run left; `undefined` at the first start. A damaged file is an error, never silently empty. */
export async function readImage(path: string): Promise<BrokerImage | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new MeshError('image_unreadable', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const image: unknown = parse(text, path);
  if (image === null || typeof image !== 'object' || !('format' in image) || image.format !== 1)
    throw new MeshError(
      'image_unknown',
      `expected a broker's image of format 1 in ${path}; move the file away to start empty`,
    );
  return image as BrokerImage;
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MeshError('image_damaged', `expected JSON in ${path}; move the file away to start empty`, {
      cause: error,
    });
  }
}

/** Replaces the file in one step; the old one stays until the new one is on the disk. */
export async function writeImage(path: string, image: BrokerImage): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, JSON.stringify(image), { mode: 0o600, flush: true });
  await rename(temporary, path);
}
