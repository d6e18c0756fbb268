// Owns the decision what a message means to the screens. Pure.
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { type Decoded, decodeChanges } from '@monitor-mesh/shared/decode.ts';
import { heureOf, instantOfChange, isoOf } from '@monitor-mesh/shared/time.ts';
import type { ChangeEvent } from './hub.ts';

/** The changes in a message of monitor/maj or monitor/ha, with the house's own clock where the sender's is wrong or absent. */
export function decideChanges(message: Received, zone: string): Decoded<readonly ChangeEvent[]> {
  const decoded = decodeChanges(message.payload, message.topic);
  if (!decoded.ok) return decoded;
  const now = message.received_ms;
  const heure = heureOf(now, zone);
  return {
    ok: true,
    value: decoded.value.map(({ id, state, at, source }) => {
      const { at_ms, clock_wrong } = instantOfChange(at, now);
      return {
        id,
        state,
        at: isoOf(at_ms),
        source: source ?? '',
        ...(clock_wrong ? { clock: 'wrong' as const } : {}),
        mid: message.mid,
        topic: message.topic,
        heure,
      };
    }),
  };
}

/** Identities of the newest messages: what the broker delivers again is not shown again. */
export class RecentMids {
  readonly #mids = new Set<string>();
  readonly #max: number;

  constructor(max = 20_000) {
    this.#max = max;
  }

  /** Whether the `mid` is new; it is remembered from now on. */
  isNew(mid: string): boolean {
    if (this.#mids.has(mid)) return false;
    this.#mids.add(mid);
    if (this.#mids.size > this.#max) this.#mids.delete(this.#mids.values().next().value ?? mid);
    return true;
  }
}
