// Owns what a batch of deliveries comes to in tables: rows grouped by statement, of a repeated key only the last. Pure.
import { DISPOSITIF_COLUMNS, TEXT_IMAGE_COLUMNS } from '../house-tables.ts';
import type { ChangeRow, Delivery, MessageRow, ReadingRow, RecordRow, Row } from '../store.ts';

type Cells = readonly unknown[];

/** Rows of one measurement table with the same columns. */
export interface RecordGroup {
  readonly table: string;
  readonly columns: readonly string[];
  /** By wall clock. */
  readonly rows: Map<string, Cells>;
}

export interface WritePlan {
  readonly inbox: Cells[];
  readonly events: Cells[];
  /** By id. */
  readonly devices: Map<string, Cells>;
  /** The change that the legacy table shows. */
  latest: ChangeRow | undefined;
  /** By name, with the instant of receipt. */
  readonly messages: Map<string, readonly [MessageRow, number]>;
  readonly raws: Cells[];
  readonly records: RecordGroup[];
  readonly series: Set<string>;
  /** By series and instant. */
  readonly readings: Map<string, ReadingRow>;
  readonly dispositifs: Map<number, Cells>;
  readonly textImages: Map<number, Cells>;
}

/** @param deliveries each `mid` once */
export function planOf(deliveries: readonly Delivery[]): WritePlan {
  const plan: WritePlan = {
    inbox: [],
    events: [],
    devices: new Map(),
    latest: undefined,
    messages: new Map(),
    raws: [],
    records: [],
    series: new Set(),
    readings: new Map(),
    dispositifs: new Map(),
    textImages: new Map(),
  };
  for (const delivery of deliveries) {
    plan.inbox.push([delivery.mid, delivery.received_ms]);
    for (const row of delivery.rows) addRow(plan, row, delivery);
  }
  return plan;
}

function addRow(plan: WritePlan, row: Row, { mid, received_ms }: Delivery): void {
  switch (row.kind) {
    case 'change': {
      const rest = [row.state, row.at_ms, received_ms, row.source, Number(row.clock_wrong)];
      plan.events.push([mid, row.id, ...rest]);
      plan.devices.set(row.id, [row.id, ...rest]);
      plan.latest = row;
      return;
    }
    case 'message':
      plan.messages.set(row.name, [row, received_ms]);
      return;
    case 'raw':
      plan.raws.push([mid, row.topic, Buffer.from(row.payload).toString('base64'), received_ms]);
      return;
    case 'record':
      return addRecord(plan.records, row);
    case 'reading':
      plan.series.add(row.series);
      plan.readings.set(`${row.ts_ms} ${row.series}`, row);
      return;
    case 'dispositif':
      plan.dispositifs.set(
        row.num,
        DISPOSITIF_COLUMNS.map((column) => row[column]),
      );
      return;
    case 'text_image':
      plan.textImages.set(
        row.num,
        TEXT_IMAGE_COLUMNS.map((column) => row[column]),
      );
      return;
    default:
      throw new TypeError(`expected a row of a known kind, got ${JSON.stringify(row satisfies never)}`);
  }
}

/** Only the last group of a table grows: records of one instant with other columns keep their order. */
function addRecord(records: RecordGroup[], { table, date, values }: RecordRow): void {
  const columns = Object.keys(values);
  let group = records.findLast((known) => known.table === table);
  if (group === undefined || group.columns.join() !== columns.join()) {
    group = { table, columns, rows: new Map() };
    records.push(group);
  }
  group.rows.set(date, [date, ...columns.map((column) => values[column])]);
}
