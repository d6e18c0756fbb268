// Owns deliveries to test with: plain ones with every field given, and arbitrary ones for properties.
import fc from 'fast-check';
import type { ChangeRow, Delivery, MessageRow, RawRow, Row } from '../../src/store/store.ts';

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
const instant = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2099, 0, 1) });

const anyRow: fc.Arbitrary<Row> = fc.oneof(
  fc.record({
    kind: fc.constant('change' as const),
    id: text,
    state: text,
    at_ms: instant,
    source: text,
    clock_wrong: fc.boolean(),
    heure: fc.constantFrom('00:00:00', '14:16:36', '23:59:59'),
  }),
  fc.record({ kind: fc.constant('message' as const), name: text, text, unread: fc.boolean(), at_ms: instant }),
  fc.record({ kind: fc.constant('raw' as const), topic: text, payload: fc.uint8Array({ maxLength: 60 }) }),
);

/** Few mids, so that they repeat. */
const anyDelivery: fc.Arbitrary<Delivery> = fc.record({
  mid: fc.oneof(
    fc.integer({ min: 0, max: 9 }).map((number) => `mid-${number}`),
    text,
  ),
  received_ms: instant,
  rows: fc.array(anyRow, { maxLength: 4 }),
});

/** Any deliveries, split in any batches. */
export const anyBatches: fc.Arbitrary<readonly (readonly Delivery[])[]> = fc.array(
  fc.array(anyDelivery, { maxLength: 6 }),
  { maxLength: 6 },
);
