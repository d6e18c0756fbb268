// Owns what a viewer asked to see: `?id=` and `?topic=`, and what its role may see.
import { mayRead } from '@monitor-mesh/shared/access.ts';
import type { Party } from '@monitor-mesh/shared/contract.ts';
import { filterFault, filterMatches } from '@monitor-mesh/shared/topic.ts';

export interface Wish {
  /** Device ids; every device when empty. */
  readonly ids: ReadonlySet<string>;
  /** Topic filters; every topic when empty. */
  readonly filters: readonly string[];
}

/** The same for wishes that see the same. */
export const wishKey = ({ ids, filters }: Wish): string => JSON.stringify([[...ids].sort(), [...filters].sort()]);

export const EVERYTHING: Wish = { ids: new Set(), filters: [] };

const ENTRIES_MAX = 500;

const entriesOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value])
    .filter((entry): entry is string => typeof entry === 'string')
    .flatMap((entry) => entry.split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

/** The wish in a query string, or what is wrong with it. */
export function parseWish(query: Readonly<Record<string, unknown>>): Wish | { readonly fault: string } {
  const ids = entriesOf(query.id);
  const filters = entriesOf(query.topic);
  if (ids.length + filters.length > ENTRIES_MAX)
    return { fault: `expected at most ${ENTRIES_MAX} filters, got ${ids.length + filters.length}` };
  const fault = filters.map(filterFault).find((found) => found !== undefined);
  return fault === undefined ? { ids: new Set(ids), filters } : { fault: `topic: ${fault}` };
}

/** Whether a viewer of this role and wish sees an event of a topic (about a device). */
export function isWanted(role: Party, wish: Wish, topic: string, device: string | undefined): boolean {
  if (wish.ids.size > 0 && (device === undefined || !wish.ids.has(device))) return false;
  if (wish.filters.length > 0 && !wish.filters.some((filter) => filterMatches(filter, topic))) return false;
  return mayRead({ user: role, role }, topic);
}
