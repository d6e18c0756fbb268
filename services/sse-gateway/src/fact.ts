// Owns the meaning of a body of the old `POST /fact`. Pure.
import { type Change, type Decoded, decodeChanges } from '@monitor-mesh/shared/decode.ts';

/** The change in `{"id","state"}` or `{"idx","state"}`; other fields mean nothing to the house. */
export function decideFact(body: unknown): Decoded<Change> {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    return { ok: false, reason: `expected an object such as {"id":"317","state":"On"}, got ${shown(body)}` };
  const { id, idx, state } = body as Readonly<Record<string, unknown>>;
  const decoded = decodeChanges(Buffer.from(JSON.stringify({ id: id ?? idx ?? null, state: state ?? null })));
  if (!decoded.ok) return decoded;
  const [change] = decoded.value;
  return change ? { ok: true, value: change } : { ok: false, reason: 'expected one change' };
}

const SHOWN_MAX = 60;
const shown = (value: unknown): string => `'${(JSON.stringify(value) ?? '').slice(0, SHOWN_MAX)}'`;
