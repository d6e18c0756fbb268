// Owns how much one question may ask of a store.
import { MeshError } from '../errors.ts';

export const EVENTS_LIMIT_MAX = 1_000;

/** @throws MeshError `query_invalid` */
export function assertLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= EVENTS_LIMIT_MAX) return;
  throw new MeshError('query_invalid', `expected limit between 1 and ${EVENTS_LIMIT_MAX}, got ${limit}`);
}
