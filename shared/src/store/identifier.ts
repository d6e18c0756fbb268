// Owns what may stand as a name of a table or column in SQL text. Everything else in SQL is constant or bound.
import { MeshError } from '../errors.ts';

/** Letters, digits and `_`, 1 to 64: what every database takes without an escape. */
export const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/u;

/**
 * The name between `quote`s.
 *
 * @throws MeshError `store_refused`
 */
export function quotedName(name: string, quote: '"' | '`'): string {
  if (!IDENTIFIER.test(name))
    throw new MeshError('store_refused', `expected a name of letters, digits and _, got '${name.slice(0, 64)}'`);
  return `${quote}${name}${quote}`;
}
