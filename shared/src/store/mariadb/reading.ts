// Owns the statements that read from MariaDB. Constant text, every value bound.
import { dispositifOf, textImageOf } from '../house-tables.ts';
import { assertLimit } from '../limits.ts';
import { eventOf, messageOf } from '../rows.ts';
import type { DeviceEvent, Dispositif, EventQuery, StoredMessage, TextImage } from '../store.ts';
import type { Session } from './connection.ts';

const EVENT = 'SELECT seq, mid, device_id, state, at_ms, received_ms, source, clock_wrong FROM device_event';
/** Each walks the index that fits it and stops at the limit. */
const LATEST = `${EVENT} WHERE seq < ? ORDER BY seq DESC LIMIT ?`;
const WITHIN = `${EVENT} USE INDEX (device_event_by_received)
  WHERE seq < ? AND received_ms >= ? AND received_ms < ? ORDER BY seq DESC LIMIT ?`;
const OF_DEVICE = `${EVENT} USE INDEX (device_event_by_device)
  WHERE device_id = ? AND seq < ? AND received_ms >= ? AND received_ms < ? ORDER BY seq DESC LIMIT ?`;

const MESSAGES = 'SELECT name, text, unread, at_ms FROM message ORDER BY name';
const DISPOSITIFS = 'SELECT * FROM dispositifs ORDER BY num';
const TEXT_IMAGES = 'SELECT * FROM text_image ORDER BY num';

type Cells = Readonly<Record<string, unknown>>;

export async function events(session: Session, query: EventQuery): Promise<readonly DeviceEvent[]> {
  assertLimit(query.limit);
  return (await eventRows(session, query)).map(eventOf);
}

function eventRows(session: Session, query: EventQuery): Promise<readonly Cells[]> {
  const { before_seq = Number.MAX_SAFE_INTEGER, limit, id } = query;
  const { from_ms = Number.MIN_SAFE_INTEGER, to_ms = Number.MAX_SAFE_INTEGER } = query;
  if (id !== undefined) return session.rows(OF_DEVICE, [id, before_seq, from_ms, to_ms, limit]);
  if (query.from_ms === undefined && query.to_ms === undefined) return session.rows(LATEST, [before_seq, limit]);
  return session.rows(WITHIN, [before_seq, from_ms, to_ms, limit]);
}

export const messages = async (session: Session): Promise<readonly StoredMessage[]> =>
  (await session.rows(MESSAGES)).map(messageOf);

export const dispositifs = async (session: Session): Promise<readonly Dispositif[]> =>
  (await session.rows(DISPOSITIFS)).map(dispositifOf);

export const textImages = async (session: Session): Promise<readonly TextImage[]> =>
  (await session.rows(TEXT_IMAGES)).map(textImageOf);
