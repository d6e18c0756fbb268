// Owns the statements that read from SQLite. Constant text, every value bound.
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { dispositifOf, textImageOf } from '../house-tables.ts';
import { assertLimit } from '../limits.ts';
import { eventOf, messageOf } from '../rows.ts';
import type { DeviceEvent, Dispositif, EventQuery, StoredMessage, TextImage } from '../store.ts';

const EVENT = 'SELECT seq, mid, device_id, state, at_ms, received_ms, source, clock_wrong FROM device_event';
const NEWEST_FIRST = 'ORDER BY seq DESC LIMIT :limit';

// A `+` keeps SQLite from using the index of that column: each query walks the one that fits it.
/** Walks the table backwards and stops at the limit. */
const LATEST = `${EVENT} WHERE seq < :before_seq ${NEWEST_FIRST}`;
/** Walks the window, not the whole table backwards until a page is full. */
const WITHIN = `${EVENT} WHERE +seq < :before_seq AND received_ms >= :from_ms AND received_ms < :to_ms ${NEWEST_FIRST}`;
/** Walks one device backwards and stops at the limit. */
const OF_DEVICE = `${EVENT} WHERE device_id = :id AND seq < :before_seq
  AND +received_ms >= :from_ms AND +received_ms < :to_ms ${NEWEST_FIRST}`;

const MESSAGES = 'SELECT name, text, unread, at_ms FROM message ORDER BY name';

const DISPOSITIFS = 'SELECT * FROM dispositifs ORDER BY num';
const TEXT_IMAGES = 'SELECT * FROM text_image ORDER BY num';

/** Reads a page of the file, so that it fails when the file does. */
const PING = 'SELECT max(number) FROM schema_migration';

export interface Reading {
  events(query: EventQuery): readonly DeviceEvent[];
  messages(): readonly StoredMessage[];
  dispositifs(): readonly Dispositif[];
  textImages(): readonly TextImage[];
  ping(): void;
}

/** Prepares the reading statements on a connection whose tables are there. */
export function prepareReading(db: DatabaseSync): Reading {
  const latest = db.prepare(LATEST);
  const within = db.prepare(WITHIN);
  const ofDevice = db.prepare(OF_DEVICE);
  const messages = db.prepare(MESSAGES);
  const dispositifs = db.prepare(DISPOSITIFS);
  const textImages = db.prepare(TEXT_IMAGES);
  const ping = db.prepare(PING);

  const rowsOf = (query: EventQuery): Record<string, SQLOutputValue>[] => {
    const { before_seq = Number.MAX_SAFE_INTEGER, limit, id } = query;
    const { from_ms = Number.MIN_SAFE_INTEGER, to_ms = Number.MAX_SAFE_INTEGER } = query;
    if (id !== undefined) return ofDevice.all({ id, before_seq, from_ms, to_ms, limit });
    if (query.from_ms === undefined && query.to_ms === undefined) return latest.all({ before_seq, limit });
    return within.all({ before_seq, from_ms, to_ms, limit });
  };
  return {
    events: (query) => {
      assertLimit(query.limit);
      return rowsOf(query).map(eventOf);
    },
    messages: () => messages.all().map(messageOf),
    dispositifs: () => dispositifs.all().map(dispositifOf),
    textImages: () => textImages.all().map(textImageOf),
    ping: () => void ping.get(),
  };
}
