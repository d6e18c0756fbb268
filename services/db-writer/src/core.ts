// Owns the decision what one message asks of the database. Pure.
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { type Change, type Decoded, decodeChanges, decodePayload } from '@monitor-mesh/shared/decode.ts';
import type { ChangeRow, Delivery, Row } from '@monitor-mesh/shared/store/store.ts';
import { epochOf, heureOf, instantOfChange } from '@monitor-mesh/shared/time.ts';
import { findTopic } from '@monitor-mesh/shared/topic-index.ts';
import { decodeRecord, type Surroundings } from './record.ts';

/** The rows that a message asks for, or why it is refused. */
export function decideDelivery(message: Received, around: Surroundings): Decoded<Delivery> {
  const rows = rowsOf(message, around);
  return rows.ok ? { ok: true, value: { mid: message.mid, received_ms: around.now_ms, rows: rows.value } } : rows;
}

function rowsOf(message: Received, around: Surroundings): Decoded<readonly Row[]> {
  const { zone, now_ms: nowMs } = around;
  const found = findTopic(message.topic);
  switch (found?.definition) {
    case TOPICS.maj:
    case TOPICS.ha:
    case TOPICS.dz: {
      const changes = decodeChanges(message.payload, message.topic);
      return changes.ok ? { ok: true, value: changes.value.map((change) => changeRow(change, zone, nowMs)) } : changes;
    }
    case TOPICS.message: {
      const decoded = decodePayload(TOPICS.message, message.payload);
      if (!decoded.ok) return decoded;
      const { name, text, unread, at } = decoded.value;
      return { ok: true, value: [{ kind: 'message', name, text, unread, at_ms: epochOf(at) }] };
    }
    case TOPICS.db_record:
      return decodeRecord(message.payload, around);
    default:
      // Its own table comes with its service; until then the message is kept whole rather than acknowledged away.
      return { ok: true, value: [{ kind: 'raw', topic: message.topic, payload: message.payload }] };
  }
}

function changeRow(change: Change, zone: string, nowMs: number): ChangeRow {
  const { at_ms, clock_wrong } = instantOfChange(change.at, nowMs);
  return {
    kind: 'change',
    id: change.id,
    state: change.state,
    at_ms,
    clock_wrong,
    source: change.source ?? '',
    heure: heureOf(nowMs, zone),
  };
}
