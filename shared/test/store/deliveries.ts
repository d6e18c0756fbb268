// Owns deliveries to test with: plain ones with every field given, and arbitrary ones for properties.
import fc from 'fast-check';
import type {
  ChangeRow,
  Delivery,
  Dispositif,
  HouseRow,
  MessageRow,
  RawRow,
  ReadingRow,
  RecordRow,
  Row,
} from '../../src/store/store.ts';

/** 2026-10-05 12:16:36 UTC, 14:16:36 in Paris. */
export const NOW_MS = Date.UTC(2026, 9, 5, 12, 16, 36);

export const change = (fields: Partial<ChangeRow> = {}): ChangeRow => ({
  kind: 'change',
  id: '317',
  state: 'On',
  at_ms: NOW_MS - 40,
  source: 'domoticz',
  clock_wrong: false,
  heure: '14:16:36',
  ...fields,
});

export const message = (fields: Partial<MessageRow> = {}): MessageRow => ({
  kind: 'message',
  name: 'message1',
  text: 'bonjour',
  unread: true,
  at_ms: NOW_MS - 40,
  ...fields,
});

export const raw = (fields: Partial<RawRow> = {}): RawRow => ({
  kind: 'raw',
  topic: 'sms/in',
  payload: new TextEncoder().encode('{"text":"ARM"}'),
  ...fields,
});

export const record = (fields: Partial<RecordRow> = {}): RecordRow => ({
  kind: 'record',
  table: 'energie',
  date: '2026-10-05 09:02:03',
  values: { conso: '58.9', pmax: '11.8' },
  ...fields,
});

export const reading = (fields: Partial<ReadingRow> = {}): ReadingRow => ({
  kind: 'reading',
  series: 'energie-conso',
  ts_ms: NOW_MS,
  value: 58.9,
  ...fields,
});

export const dispositif = (fields: Partial<Dispositif> = {}): HouseRow => ({
  kind: 'dispositif',
  num: 1,
  nom_appareil: 'lampe entrée',
  nom_objet: 'lampe_entree',
  idx: null,
  ID: '0xaa',
  idm: '16',
  Actif: '6',
  param: 'zigbee:state:hs',
  ls: '0',
  maj_js: 'onoff',
  id1_html: 'lampe',
  car_max_id1: '99',
  F: null,
  id2_html: '#',
  coul_id1_id2_ON: 'fill:yellow',
  coul_id1_id2_OFF: 'fill:#ebe1da',
  class_lamp: '',
  coul_lamp_ON: '',
  coul_lamp_OFF: '',
  pass: '0',
  observations: '',
  ...fields,
});

export const textImage = (texte: string, num = 1): HouseRow => ({
  kind: 'text_image',
  num,
  texte,
  image: 'images/met_pluie.svg',
  icone: '',
});

export const delivery = (mid: string, ...rows: readonly Row[]): Delivery => ({ mid, received_ms: NOW_MS, rows });

/** One change each, with mids and ids that end in their place. */
export const changes = (count: number, from = 0): readonly Delivery[] =>
  Array.from({ length: count }, (_, index) =>
    delivery(`mid-${from + index}`, change({ id: `device-${from + index}` })),
  );

/** A row that no database stores: its instant is not a number. */
export const UNSTORABLE = change({ id: 'unstorable', at_ms: Number.NaN });

/** Texts that have hurt someone: quotes, SQL, topic and shell characters, NUL, beyond the basic plane, long ones. */
export const HOSTILE_TEXTS: readonly string[] = [
  "1' OR '1'='1",
  "'; DROP TABLE device; --",
  '"); DELETE FROM inbox; /*',
  '\\" \\\' \\0 %s ? :id $1 @x',
  'a/b+c#d%2F',
  'zoé 🏠👩‍👩‍👧 Été ñ 日本',
  'nul\0inside',
  'line\r\nline\ttab',
  ' blanks around ',
  'Set Level: 50 %',
  'x'.repeat(4096),
];

const text = fc.oneof(
  fc.constantFrom('317', 'On', 'on', 'ON', 'On ', ...HOSTILE_TEXTS),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
);
/** Ids, names and mids: the contract allows 128 characters and less. */
const shortText = text.map((whole) => Array.from(whole).slice(0, 60).join(''));
const instant = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2099, 0, 1) });

const anyRow: fc.Arbitrary<Row> = fc.oneof(
  fc.record({
    kind: fc.constant('change' as const),
    id: shortText,
    state: text,
    at_ms: instant,
    source: shortText,
    clock_wrong: fc.boolean(),
    heure: fc.constantFrom('00:00:00', '14:16:36', '23:59:59'),
  }),
  fc.record({ kind: fc.constant('message' as const), name: shortText, text, unread: fc.boolean(), at_ms: instant }),
  fc.record({ kind: fc.constant('raw' as const), topic: text, payload: fc.uint8Array({ maxLength: 60 }) }),
  fc.record({
    kind: fc.constant('record' as const),
    table: fc.constant('energie'),
    date: fc.constantFrom('2026-10-05 09:02:03', '2026-10-25 02:30:00', '1999-12-31 23:59:59'),
    values: fc.constantFrom({ conso: '58.9', pmax: '11.8' }, { conso: '-10.0' }, { pmax: '0.5' }),
  }),
  fc.record({
    kind: fc.constant('reading' as const),
    series: shortText,
    ts_ms: instant,
    value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  }),
  fc
    .tuple(fc.integer({ min: 1, max: 3 }), shortText, fc.option(shortText))
    .map(([num, nom_objet, F]) => dispositif({ num, nom_objet, F })),
  fc.tuple(shortText, fc.integer({ min: 1, max: 3 })).map(([texte, num]) => textImage(texte, num)),
);

/** Few mids, so that they repeat. */
const anyDelivery: fc.Arbitrary<Delivery> = fc.record({
  mid: fc.oneof(
    fc.integer({ min: 0, max: 9 }).map((number) => `mid-${number}`),
    shortText,
  ),
  // The clock of this machine; the PHP site's TIMESTAMP column ends in 2038.
  received_ms: fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2038, 0, 1) }),
  rows: fc.array(anyRow, { maxLength: 4 }),
});

/** Any deliveries, split in any batches. */
export const anyBatches: fc.Arbitrary<readonly (readonly Delivery[])[]> = fc.array(
  fc.array(anyDelivery, { maxLength: 6 }),
  { maxLength: 6 },
);
