// Owns the tables as plain data: what any store must hold after a sequence of deliveries.
import type { ChangeRow, Delivery, MessageRow, RawRow, Row } from '../../src/store/store.ts';

type Cell = string | number | null;
export type TableRow = Readonly<Record<string, Cell>>;
export type Tables = Readonly<Record<TableName, readonly TableRow[]>>;

/** Every table and how its rows are read, in an order that needs no collation. */
export const TABLE_QUERIES = {
  device: 'SELECT id, state, at_ms, received_ms, source, clock_wrong FROM device',
  device_event: 'SELECT mid, device_id, state, at_ms, received_ms, source, clock_wrong FROM device_event ORDER BY seq',
  message: 'SELECT name, text, unread, at_ms FROM message',
  inbox: 'SELECT mid, received_ms FROM inbox',
  raw_message: 'SELECT mid, topic, HEX(payload) AS payload, received_ms FROM raw_message ORDER BY seq',
  sse: 'SELECT num, id, state, date FROM sse',
  messages: 'SELECT nom, id1_html, contenu, maj, last_update FROM messages',
  energie: 'SELECT date, conso, pmax FROM energie',
  reading: 'SELECT name, ts_ms, value FROM reading JOIN series ON series.id = reading.series_id ORDER BY name, ts_ms',
  dispositifs: 'SELECT num, nom_objet, idx, ID, F, param FROM dispositifs',
  text_image: 'SELECT num, texte, image, icone FROM text_image',
} as const;

export type TableName = keyof typeof TABLE_QUERIES;
const ORDER_MATTERS: ReadonlySet<string> = new Set(['device_event', 'raw_message']);
const KEY_OF: Readonly<Record<string, string>> = {
  device: 'id',
  message: 'name',
  inbox: 'mid',
  messages: 'nom',
  sse: 'num',
  energie: 'date',
  dispositifs: 'num',
  text_image: 'num',
};

/** Rows by their key where the database promises no order. */
export function sorted(table: TableName, rows: readonly TableRow[]): readonly TableRow[] {
  if (ORDER_MATTERS.has(table)) return rows;
  const key = (row: TableRow): string | number =>
    table === 'reading' ? `${row.name} ${String(row.ts_ms).padStart(16, '0')}` : (row[KEY_OF[table] ?? ''] ?? '');
  return rows.toSorted((left, right) => (key(left) < key(right) ? -1 : 1));
}

const utcOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

class Model {
  readonly device = new Map<string, TableRow>();
  readonly device_event: TableRow[] = [];
  readonly message = new Map<string, TableRow>();
  readonly inbox = new Map<string, TableRow>();
  readonly raw_message: TableRow[] = [];
  readonly messages = new Map<string, TableRow>();
  readonly energie = new Map<string, TableRow>();
  readonly reading = new Map<string, TableRow>();
  readonly dispositifs = new Map<number, TableRow>();
  readonly text_image = new Map<number, TableRow>();
  sse: TableRow = { num: 0, id: '', state: '', date: '' };

  apply({ mid, received_ms, rows }: Delivery): void {
    if (this.inbox.has(mid)) return;
    this.inbox.set(mid, { mid, received_ms });
    for (const row of rows) {
      if (row.kind === 'change') {
        const { id, state, at_ms, source, heure } = row;
        const rest = { state, at_ms, received_ms, source, clock_wrong: row.clock_wrong ? 1 : 0 };
        this.device.set(id, { id, ...rest });
        this.device_event.push({ mid, device_id: id, ...rest });
        this.sse = { num: 0, id, state, date: heure };
      } else if (row.kind === 'message') {
        const { name, text, at_ms } = row;
        const unread = row.unread ? 1 : 0;
        this.message.set(name, { name, text, unread, at_ms });
        this.messages.set(name, {
          nom: name,
          id1_html: '',
          contenu: text,
          maj: unread,
          last_update: utcOf(received_ms),
        });
      } else if (row.kind === 'raw') {
        const payload = Buffer.from(row.payload).toString('hex').toUpperCase();
        this.raw_message.push({ mid, topic: row.topic, payload, received_ms });
      } else this.#measure(row);
    }
  }

  #measure(row: Exclude<Row, ChangeRow | MessageRow | RawRow>): void {
    if (row.kind === 'record') {
      const known = this.energie.get(row.date) ?? { date: row.date, conso: null, pmax: null };
      const values = Object.entries(row.values).map(([column, value]) => [column, Number(value)]);
      this.energie.set(row.date, { ...known, ...Object.fromEntries(values) });
    } else if (row.kind === 'reading') {
      const { series: name, ts_ms, value } = row;
      this.reading.set(`${name} ${ts_ms}`, { name, ts_ms, value });
    } else if (row.kind === 'dispositif') {
      const { num, nom_objet, idx, ID, F, param } = row;
      this.dispositifs.set(num, { num, nom_objet, idx, ID, F, param });
    } else {
      const { num, texte, image, icone } = row;
      this.text_image.set(num, { num, texte, image, icone });
    }
  }
}

/** The tables after the deliveries, each `mid` once. */
export function expectedTables(deliveries: readonly Delivery[]): Tables {
  const model = new Model();
  for (const delivery of deliveries) model.apply(delivery);
  const { device, device_event, message, inbox, raw_message, sse, messages } = model;
  return {
    device: sorted('device', [...device.values()]),
    device_event,
    message: sorted('message', [...message.values()]),
    inbox: sorted('inbox', [...inbox.values()]),
    raw_message,
    sse: [sse],
    messages: sorted('messages', [...messages.values()]),
    energie: sorted('energie', [...model.energie.values()]),
    reading: sorted('reading', [...model.reading.values()]),
    dispositifs: sorted('dispositifs', [...model.dispositifs.values()]),
    text_image: sorted('text_image', [...model.text_image.values()]),
  };
}
