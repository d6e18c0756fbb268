// Owns what a row of the mesh's own tables is, whichever database read it.
import type { DeviceEvent, StoredMessage } from './store.ts';

type Cells = Readonly<Record<string, unknown>>;

export const eventOf = (row: Cells): DeviceEvent => ({
  seq: Number(row.seq),
  mid: String(row.mid),
  id: String(row.device_id),
  state: String(row.state),
  at_ms: Number(row.at_ms),
  received_ms: Number(row.received_ms),
  source: String(row.source),
  clock_wrong: row.clock_wrong === 1,
});

export const messageOf = (row: Cells): StoredMessage => ({
  name: String(row.name),
  text: String(row.text),
  unread: row.unread === 1,
  at_ms: Number(row.at_ms),
});
