// Owns local time. Everything else speaks ISO 8601 UTC or epoch milliseconds.

/** How far a sender's clock may run ahead of ours before its instant is replaced, in ms. */
export const CLOCK_AHEAD_MS_MAX = 60_000;

/** ISO 8601 UTC with milliseconds: `2026-10-05T07:02:03.000Z`. */
export const isoOf = (epochMs: number): string => new Date(epochMs).toISOString();

/** Digits of a second beyond the ninth: ISO 8601 has no limit, Temporal refuses them. */
const BEYOND_NS = /(?<=\.\d{9})\d+/u;

/** Epoch milliseconds of an ISO 8601 instant. */
export const epochOf = (iso: string): number => Temporal.Instant.from(iso.replace(BEYOND_NS, '')).epochMilliseconds;

const local = (epochMs: number, zone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(zone);

/** Wall clock of the house, `HH:MM:SS`: the `heure` of the legacy frame. */
export const heureOf = (epochMs: number, zone: string): string =>
  local(epochMs, zone).toPlainTime().toString({ smallestUnit: 'second' });

/** Wall clock of the house with its date, `YYYY-MM-DD HH:MM:SS`, as the PHP site's tables hold it. */
export const wallClockOf = (epochMs: number, zone: string): string =>
  local(epochMs, zone).toPlainDateTime().toString({ smallestUnit: 'second' }).replace('T', ' ');

/**
 * Epoch milliseconds of a wall clock `YYYY-MM-DDTHH:MM[:SS]`; undefined for a day or time that is none. In the hour that
 * comes twice the first is meant, in the one that is left out the clock that was not put forward.
 */
export function epochOfWallClock(wallClock: string, zone: string): number | undefined {
  try {
    return Temporal.PlainDateTime.from(wallClock, { overflow: 'reject' }).toZonedDateTime(zone).epochMilliseconds;
  } catch {
    return undefined;
  }
}

/**
 * The instant a change counts for: the sender's own unless it lies in the future, then ours, flagged.
 *
 * @param at ISO 8601 of the sender, if it gave one
 */
export function instantOfChange(
  at: string | undefined,
  nowMs: number,
): { readonly at_ms: number; readonly clock_wrong: boolean } {
  if (at === undefined) return { at_ms: nowMs, clock_wrong: false };
  const atMs = epochOf(at);
  return atMs > nowMs + CLOCK_AHEAD_MS_MAX ? { at_ms: nowMs, clock_wrong: true } : { at_ms: atMs, clock_wrong: false };
}

/** Whether the time zone database knows a name such as `Europe/Paris`. */
export function isTimeZone(zone: string): boolean {
  try {
    local(0, zone);
    return true;
  } catch {
    return false;
  }
}
