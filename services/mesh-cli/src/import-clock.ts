// Owns the meaning of an old table's `date`: which instant it is, and what the house's clock showed then. Pure.

/** `YYYY-MM-DD`, with or without a time of day. */
const DATE = /^\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?$/u;

export interface Moment {
  readonly ts_ms: number;
  /** Wall clock of the house, `YYYY-MM-DD HH:MM:SS`. */
  readonly date: string;
}

/**
 * @param zone zone in which the text was written: the house's own, or the one the dump names for its timestamps. An hour
 *   that the house's clock shows twice is taken for the first, one that it skips for the hour after
 */
export function momentOf(text: string, zone: string, houseZone: string): Moment | undefined {
  const trimmed = text.trim();
  if (!DATE.test(trimmed)) return undefined;
  try {
    const instant = Temporal.PlainDateTime.from(trimmed.replace(' ', 'T')).toZonedDateTime(zone).toInstant();
    const date = instant.toZonedDateTimeISO(houseZone).toPlainDateTime().toString({ smallestUnit: 'second' });
    return { ts_ms: instant.epochMilliseconds, date: date.replace('T', ' ') };
  } catch {
    return undefined; // 0000-00-00, the 31st of June, a zone that this machine does not know
  }
}
