// Owns the statements that write deliveries into SQLite. Constant text, every value bound.
import type { DatabaseSync } from 'node:sqlite';
import type { ApplyResult, ChangeRow, Delivery, MeasurementTable, MessageRow, Row } from '../store.ts';
import { transaction } from './connection.ts';
import { ensureTables, type Measurements, prepareMeasurements } from './measurements.ts';

// Not INSERT OR IGNORE: that would also swallow a missing received_ms and take the delivery for a duplicate.
const REMEMBER = 'INSERT INTO inbox (mid, received_ms) VALUES (?, ?) ON CONFLICT (mid) DO NOTHING';

const ADD_EVENT = `INSERT INTO device_event (mid, device_id, state, at_ms, received_ms, source, clock_wrong)
  VALUES (?, ?, ?, ?, ?, ?, ?)`;

const SET_DEVICE = `INSERT INTO device (id, state, at_ms, received_ms, source, clock_wrong) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET state = excluded.state, at_ms = excluded.at_ms, received_ms = excluded.received_ms,
    source = excluded.source, clock_wrong = excluded.clock_wrong`;

const MIRROR_CHANGE = `INSERT INTO sse (num, id, state, date) VALUES (0, ?, ?, ?)
  ON CONFLICT (num) DO UPDATE SET id = excluded.id, state = excluded.state, date = excluded.date`;

const SET_MESSAGE = `INSERT INTO message (name, text, unread, at_ms) VALUES (?, ?, ?, ?)
  ON CONFLICT (name) DO UPDATE SET text = excluded.text, unread = excluded.unread, at_ms = excluded.at_ms`;

// The legacy column was "on update current_timestamp": when the row was written, by this machine's clock.
const MIRROR_MESSAGE = `INSERT INTO messages (nom, contenu, maj, last_update) VALUES (?, ?, ?, datetime(? / 1000.0, 'unixepoch'))
  ON CONFLICT (nom) DO UPDATE SET contenu = excluded.contenu, maj = excluded.maj, last_update = excluded.last_update`;

const KEEP_RAW = 'INSERT INTO raw_message (mid, topic, payload, received_ms) VALUES (?, ?, ?, ?)';

const PRUNE_INBOX = `DELETE FROM inbox WHERE received_ms < :before
  AND EXISTS (SELECT 1 FROM inbox WHERE received_ms >= :before)`;

export interface Writing {
  apply(deliveries: readonly Delivery[]): ApplyResult;
  ensureTables(tables: readonly MeasurementTable[]): void;
  pruneInbox(before_ms: number): number;
}

/** Prepares the writing statements on a connection whose tables are there. */
export function prepareWriting(db: DatabaseSync): Writing {
  const remember = db.prepare(REMEMBER);
  const pruneInbox = db.prepare(PRUNE_INBOX);
  const measurements = prepareMeasurements(db);
  const write = prepareRows(db, measurements);

  const applyOne = (delivery: Delivery): boolean => {
    if (remember.run(delivery.mid, delivery.received_ms).changes === 0) return false;
    for (const row of delivery.rows) write(row, delivery);
    return true;
  };
  return {
    apply: (deliveries) => {
      try {
        return transaction(db, () => {
          const applied = deliveries.filter(applyOne).length;
          return { applied, duplicates: deliveries.length - applied };
        });
      } catch (error) {
        measurements.forget();
        throw error;
      }
    },
    ensureTables: (tables) => transaction(db, () => ensureTables(db, tables)),
    pruneInbox: (before_ms) => Number(pruneInbox.run({ before: before_ms }).changes),
  };
}

function prepareRows(db: DatabaseSync, measurements: Measurements): (row: Row, delivery: Delivery) => void {
  const change = prepareChange(db);
  const message = prepareMessage(db);
  const keepRaw = db.prepare(KEEP_RAW);
  return (row, delivery) => {
    switch (row.kind) {
      case 'change':
        return change(row, delivery);
      case 'message':
        return message(row, delivery);
      case 'raw':
        keepRaw.run(delivery.mid, row.topic, row.payload, delivery.received_ms);
        return;
      case 'record':
        return measurements.record(row);
      case 'reading':
        return measurements.reading(row);
      case 'dispositif':
      case 'text_image':
        return measurements.house(row);
      default:
        throw new TypeError(`expected a row of a known kind, got ${JSON.stringify(row satisfies never)}`);
    }
  };
}

function prepareChange(db: DatabaseSync): (row: ChangeRow, delivery: Delivery) => void {
  const addEvent = db.prepare(ADD_EVENT);
  const setDevice = db.prepare(SET_DEVICE);
  const mirror = db.prepare(MIRROR_CHANGE);
  return ({ id, state, at_ms, source, clock_wrong, heure }, { mid, received_ms }) => {
    addEvent.run(mid, id, state, at_ms, received_ms, source, Number(clock_wrong));
    setDevice.run(id, state, at_ms, received_ms, source, Number(clock_wrong));
    mirror.run(id, state, heure);
  };
}

function prepareMessage(db: DatabaseSync): (row: MessageRow, delivery: Delivery) => void {
  const setMessage = db.prepare(SET_MESSAGE);
  const mirror = db.prepare(MIRROR_MESSAGE);
  return ({ name, text, unread, at_ms }, { received_ms }) => {
    setMessage.run(name, text, Number(unread), at_ms);
    mirror.run(name, text, Number(unread), received_ms);
  };
}
