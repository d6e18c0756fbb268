// Owns the statements that write deliveries into MariaDB. Constant text per table, every value bound.
import { DISPOSITIF_COLUMNS, TEXT_IMAGE_COLUMNS } from '../house-tables.ts';
import { quotedName } from '../identifier.ts';
import type { ApplyResult, ChangeRow, Delivery, MessageRow } from '../store.ts';
import { arrayTable, bound, type Column, insertInOrder, insertRows } from './bulk.ts';
import type { Session } from './connection.ts';
import { planOf, type RecordGroup, type WritePlan } from './write-plan.ts';

const KNOWN = `SELECT inbox.mid FROM ${arrayTable(['text'])} JOIN inbox ON inbox.mid = j.c0`;
const REMEMBER = insertRows('inbox', [
  ['mid', 'text'],
  ['received_ms', 'integer'],
]);

const STATE: readonly Column[] = [
  ['state', 'text'],
  ['at_ms', 'integer'],
  ['received_ms', 'integer'],
  ['source', 'text'],
  ['clock_wrong', 'integer'],
];
const ADD_EVENTS = insertInOrder('device_event', [['mid', 'text'], ['device_id', 'text'], ...STATE]);
const SET_DEVICES = insertRows(
  'device',
  [['id', 'text'], ...STATE],
  STATE.map(([name]) => name),
);

const MIRROR_CHANGE = 'UPDATE sse SET id = ?, state = ?, date = ? WHERE num = 0';
const FIRST_CHANGE = 'INSERT INTO sse (num, id, state, date) VALUES (0, ?, ?, ?)';

const SET_MESSAGE = `INSERT INTO message (name, text, unread, at_ms) VALUES (?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE text = VALUES(text), unread = VALUES(unread), at_ms = VALUES(at_ms)`;
// The PHP site's own table has no unique name. Its column takes instants up to 2038.
const INSTANT = 'FROM_UNIXTIME(LEAST(GREATEST(? DIV 1000, 1), 2147483647))';
const MIRROR_MESSAGE = `UPDATE messages SET contenu = ?, maj = ?, last_update = ${INSTANT} WHERE nom = ?`;
const FIRST_MESSAGE = `INSERT INTO messages (contenu, maj, last_update, nom, id1_html) VALUES (?, ?, ${INSTANT}, ?, '')`;

const KEEP_RAW = insertInOrder('raw_message', [
  ['mid', 'text'],
  ['topic', 'longtext'],
  ['payload', 'blob'],
  ['received_ms', 'integer'],
]);

const ADD_SERIES = `INSERT INTO series (name) SELECT j.c0 FROM ${arrayTable(['text'])}
  WHERE NOT EXISTS (SELECT 1 FROM series WHERE series.name = j.c0)`;
const SERIES_IDS = `SELECT series.name, series.id FROM ${arrayTable(['text'])} JOIN series ON series.name = j.c0`;
const SET_READINGS = insertRows(
  'reading',
  [
    ['series_id', 'integer'],
    ['ts_ms', 'integer'],
    ['value', 'double'],
  ],
  ['value'],
);

const houseColumns = (names: readonly string[]): readonly Column[] =>
  names.map((name) => [name, name === 'num' ? 'integer' : 'text']);
const SET_DISPOSITIFS = insertRows('dispositifs', houseColumns(DISPOSITIF_COLUMNS), DISPOSITIF_COLUMNS.slice(1));
const SET_TEXT_IMAGES = insertRows('text_image', houseColumns(TEXT_IMAGE_COLUMNS), TEXT_IMAGE_COLUMNS.slice(1));

const NEWEST = 'SELECT MAX(received_ms) AS ms FROM inbox';
const PRUNE_INBOX = 'DELETE FROM inbox WHERE received_ms < ? LIMIT 10000';

/** Legacy tables that can hold what the mesh mirrors there. */
export interface Mirrors {
  readonly sse: boolean;
  readonly messages: boolean;
}

/** What a writer knows besides the rows. */
export interface WriterState {
  readonly mirrors: Mirrors;
  /** Numbers of series by name; forgotten when a transaction fails. */
  readonly seriesIds: Map<string, number>;
}

/** Writes deliveries whose `mid` is new, in order. Within a transaction of the caller. */
export async function apply(
  session: Session,
  deliveries: readonly Delivery[],
  state: WriterState,
): Promise<ApplyResult> {
  const known = await session.rows(KNOWN, bound(deliveries.map(({ mid }) => [mid])));
  const seen = new Set(known.map(({ mid }) => String(mid)));
  const fresh = deliveries.filter(({ mid }) => {
    if (seen.has(mid)) return false;
    seen.add(mid);
    return true;
  });
  if (fresh.length > 0) await perform(session, planOf(fresh), state);
  return { applied: fresh.length, duplicates: deliveries.length - fresh.length };
}

async function perform(session: Session, plan: WritePlan, { mirrors, seriesIds }: WriterState): Promise<void> {
  const write = async (sql: string, rows: Iterable<readonly unknown[]>): Promise<void> => {
    const cells = [...rows];
    if (cells.length > 0) await session.write(sql, bound(cells));
  };
  await write(REMEMBER, plan.inbox);
  await write(ADD_EVENTS, plan.events);
  await write(SET_DEVICES, plan.devices.values());
  if (plan.latest && mirrors.sse) await mirrorChange(session, plan.latest);
  for (const [message, receivedMs] of plan.messages.values()) await setMessage(session, message, receivedMs, mirrors);
  await write(KEEP_RAW, plan.raws);
  for (const group of plan.records) await write(recordStatement(group), group.rows.values());
  const unknown = [...plan.series].filter((name) => !seriesIds.has(name)).map((name) => [name]);
  await write(ADD_SERIES, unknown);
  if (unknown.length > 0)
    for (const { name, id } of await session.rows(SERIES_IDS, bound(unknown))) seriesIds.set(String(name), Number(id));
  await write(
    SET_READINGS,
    plan.readings.values().map(({ series, ts_ms, value }) => [seriesIds.get(series), ts_ms, value]),
  );
  await write(SET_DISPOSITIFS, plan.dispositifs.values());
  await write(SET_TEXT_IMAGES, plan.textImages.values());
}

async function mirrorChange(session: Session, { id, state, heure }: ChangeRow): Promise<void> {
  if ((await session.write(MIRROR_CHANGE, [id, state, heure])) === 0)
    await session.write(FIRST_CHANGE, [id, state, heure]);
}

async function setMessage(session: Session, message: MessageRow, receivedMs: number, mirrors: Mirrors): Promise<void> {
  const { name, text, unread, at_ms } = message;
  await session.write(SET_MESSAGE, [name, text, unread, at_ms]);
  if (!mirrors.messages) return;
  const values = [text, Number(unread), receivedMs, name];
  if ((await session.write(MIRROR_MESSAGE, values)) === 0) await session.write(FIRST_MESSAGE, values);
}

const recordStatement = ({ table, columns }: RecordGroup): string => {
  const quoted = columns.map((column) => quotedName(column, '`'));
  return insertRows(
    quotedName(table, '`'),
    [['`date`', 'text'], ...quoted.map((name): Column => [name, 'text'])],
    quoted,
  );
};

/** In slices, so that nothing waits long for its locks. */
export async function pruneInbox(session: Session, beforeMs: number): Promise<number> {
  const [newest] = await session.rows(NEWEST);
  if (Number(newest?.ms ?? 0) < beforeMs) return 0;
  let pruned = 0;
  for (;;) {
    const count = await session.write(PRUNE_INBOX, [beforeMs]);
    if (count === 0) return pruned;
    pruned += count;
  }
}
