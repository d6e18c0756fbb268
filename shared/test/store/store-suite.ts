// Owns what every store must do, whatever its database.
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Store, StoreReader } from '../../src/store/store.ts';
import {
  anyBatches,
  change,
  changes,
  delivery,
  dispositif,
  HOSTILE_TEXTS,
  message,
  NOW_MS,
  raw,
  reading,
  record,
  textImage,
  UNSTORABLE,
} from './deliveries.ts';
import { expectedTables, sorted, TABLE_QUERIES, type TableName, type TableRow, type Tables } from './store-model.ts';

/** One empty database of a test. What `open` and `openReader` give is closed by the caller. */
export interface Bench {
  open(): Promise<Store>;
  openReader(): Promise<StoreReader>;
  /** Rows of a query made beside the store, by another connection. */
  rows(sql: string): Promise<readonly TableRow[]>;
  /** Empties every table as a new database has them. */
  clear(): Promise<void>;
}

/** A new database; what it needs is removed after the test. */
export type MakeBench = (t: TestContext) => Promise<Bench>;

async function openedIn(t: TestContext, bench: Bench): Promise<Store> {
  const store = await bench.open();
  t.after(() => store[Symbol.asyncDispose]());
  return store;
}

export async function tablesOf(bench: Bench): Promise<Tables> {
  const names = Object.keys(TABLE_QUERIES) as TableName[];
  const tables = names.map(async (name) => [name, sorted(name, await bench.rows(TABLE_QUERIES[name]))] as const);
  return Object.fromEntries(await Promise.all(tables)) as Tables;
}

/** Runs all tests of a store on databases made by `makeBench`. */
export function storeSuite(name: string, makeBench: MakeBench): void {
  suite(name, () => {
    suite('writing', () => writingTests(makeBench));
    suite('measurements and the house', () => measurementTests(makeBench));
    suite('once per mid', () => onceTests(makeBench));
    suite('reading', () => readingTests(makeBench));
    suite('life cycle', () => lifeCycleTests(makeBench));
  });
}

function writingTests(makeBench: MakeBench): void {
  test('a change is kept as an event, as the last state, and mirrored with the wall clock of the house', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);

    assert.deepEqual(await store.apply([delivery('m1', change({ clock_wrong: true }))]), { applied: 1, duplicates: 0 });

    const rest = { state: 'On', at_ms: NOW_MS - 40, received_ms: NOW_MS, source: 'domoticz', clock_wrong: 1 };
    const tables = await tablesOf(bench);
    assert.deepEqual(tables.device, [{ id: '317', ...rest }]);
    assert.deepEqual(tables.device_event, [{ mid: 'm1', device_id: '317', ...rest }]);
    assert.deepEqual(tables.sse, [{ num: 0, id: '317', state: 'On', date: '14:16:36' }]);
  });

  test('a message is kept, mirrored with maj 1 and the instant in UTC, and marked as read with its text intact', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const mirrored = { nom: 'message1', id1_html: '', contenu: 'bonjour', last_update: '2026-10-05 12:16:36' };

    await store.apply([delivery('m1', message())]);
    assert.deepEqual((await tablesOf(bench)).messages, [{ ...mirrored, maj: 1 }]);

    await store.apply([delivery('m2', message({ unread: false }))]);
    assert.deepEqual((await tablesOf(bench)).messages, [{ ...mirrored, maj: 0 }]);
    assert.deepEqual(await store.messages(), [
      { name: 'message1', text: 'bonjour', unread: false, at_ms: NOW_MS - 40 },
    ]);
  });

  test('a raw message is kept byte by byte, also when its payload is a view into a larger buffer', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const buffer = Uint8Array.from({ length: 4096 }, (_, index) => index % 256);

    await store.apply([
      delivery('m1', raw({ payload: buffer.subarray(250, 260) }), raw({ payload: new Uint8Array() })),
    ]);

    const row = { mid: 'm1', topic: 'sms/in', received_ms: NOW_MS };
    const expected = [
      { ...row, payload: 'FAFBFCFDFEFF00010203' },
      { ...row, payload: '' },
    ];
    assert.deepEqual((await tablesOf(bench)).raw_message, expected);
  });

  test('the last state follows the order of arrival, not the instants of the senders', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);

    const late = { ...delivery('m1', change({ state: 'On', at_ms: NOW_MS })), received_ms: NOW_MS + 1000 };
    const early = {
      ...delivery('m2', change({ state: 'Off', at_ms: NOW_MS - 86_400_000 })),
      received_ms: NOW_MS - 1000,
    };
    await store.apply([late, early]);

    const { device, sse } = await tablesOf(bench);
    assert.equal(device[0]?.state, 'Off');
    assert.equal(sse[0]?.state, 'Off');
  });

  test('quotes, SQL, emoji and topic characters are stored as they are in every field, and nothing else changes', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const deliveries = HOSTILE_TEXTS.flatMap((hostile) => [
      delivery(
        `${hostile.slice(0, 60)}-1`,
        change({ id: hostile.slice(0, 255), state: hostile, source: hostile.slice(0, 60) }),
      ),
      delivery(`${hostile.slice(0, 60)}-2`, message({ name: hostile.slice(0, 60), text: hostile })),
      delivery(`${hostile.slice(0, 60)}-3`, raw({ topic: hostile, payload: new TextEncoder().encode(hostile) })),
    ]);

    await store.apply(deliveries);

    assert.deepEqual(await tablesOf(bench), expectedTables(deliveries));
    for (const hostile of HOSTILE_TEXTS) {
      const [event] = await store.events({ id: hostile.slice(0, 255), limit: 1 });
      assert.equal(event?.state, hostile);
    }
  });

  test('ids that differ only in case, accent or a trailing blank are different devices', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const ids = ['lampe', 'Lampe', 'lampe ', 'lampé', 'lampe\u0301'];

    await store.apply(ids.map((id, index) => delivery(`m${index}`, change({ id }), message({ name: id }))));

    const { device, messages } = await tablesOf(bench);
    assert.deepEqual(
      device.map((row) => row.id),
      ids.toSorted(),
    );
    assert.deepEqual(
      messages.map((row) => row.nom),
      ids.toSorted(),
    );
  });

  test('a delivery that fails in the middle of a batch leaves nothing of the batch', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    await store.apply(changes(1));
    const before = await tablesOf(bench);

    const failing = delivery('failing', change({ id: 'first row' }), UNSTORABLE);
    const batch = [...changes(3, 10), failing, ...changes(3, 20)];
    await assert.rejects(store.apply(batch), { name: 'MeshError', code: 'store_refused', retryable: false });

    assert.deepEqual(await tablesOf(bench), before);
    assert.deepEqual(await store.apply(changes(3, 10)), { applied: 3, duplicates: 0 });
  });

  test('a delivery without its instant of receipt is refused and not taken for a duplicate', async (t) => {
    const store = await openedIn(t, await makeBench(t));

    await assert.rejects(store.apply([{ ...delivery('m1', change()), received_ms: Number.NaN }]), {
      code: 'store_refused',
    });
  });

  test('no deliveries are no work', async (t) => {
    const store = await openedIn(t, await makeBench(t));

    assert.deepEqual(await store.apply([]), { applied: 0, duplicates: 0 });
  });
}

function measurementTests(makeBench: MakeBench): void {
  test('a record is one row of its table, and a second of the same instant completes or replaces it', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const cave = record({ table: 'temp_cave', values: { valeur: '17.0' } });

    await store.apply([delivery('m1', record({ values: { conso: '58.9' } }), cave)]);
    await store.apply([delivery('m2', record({ values: { pmax: '11.8' } }), record({ date: '2026-10-06 09:02:03' }))]);

    assert.deepEqual((await tablesOf(bench)).energie, [
      { date: '2026-10-05 09:02:03', conso: 58.9, pmax: 11.8 },
      { date: '2026-10-06 09:02:03', conso: 58.9, pmax: 11.8 },
    ]);
    assert.deepEqual(await bench.rows('SELECT date, valeur FROM temp_cave'), [
      { date: '2026-10-05 09:02:03', valeur: 17 },
    ]);
  });

  test('a record for a table or column that is not there, or with a value that is no number, leaves nothing', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const before = await tablesOf(bench);
    const bad = [
      record({ table: 'temp_nulle_part', values: { valeur: '1' } }),
      record({ values: { prix: '1' } }),
      record({ values: { conso: 'beaucoup' } }),
      record({ table: 'energie; DROP TABLE device' }),
      record({ values: { 'conso)--': '1' } }),
    ];
    for (const [index, row] of bad.entries()) {
      const batch = [delivery(`bad-${index}`, change(), row)];
      await assert.rejects(store.apply(batch), { code: 'store_refused', retryable: false }, JSON.stringify(row));
    }
    assert.deepEqual(await tablesOf(bench), before);
  });

  test('a table that the configuration names is made when it is missing and left alone when it is not', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const bureau = record({ table: 'temp_bureau', values: { valeur: '20.5' } });
    await assert.rejects(store.apply([delivery('m1', bureau)]), { code: 'store_refused' });

    const wanted = [
      { table: 'temp_bureau', columns: ['valeur'] },
      { table: 'energie', columns: ['conso', 'pmax'] },
    ];
    await store.ensureTables(wanted);
    await store.apply([delivery('m2', bureau)]);
    await store.ensureTables(wanted);

    assert.deepEqual(await bench.rows('SELECT date, valeur FROM temp_bureau'), [
      { date: '2026-10-05 09:02:03', valeur: 20.5 },
    ]);
  });

  test('a reading begins its series, replaces one of the same instant, and never mixes series', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);

    await store.apply([delivery('m1', reading(), reading({ series: 'Energie-conso', value: -0.125 }))]);
    await store.apply([delivery('m2', reading({ value: 60 }), reading({ ts_ms: NOW_MS + 1, value: 1e-300 }))]);

    assert.deepEqual((await tablesOf(bench)).reading, [
      { name: 'Energie-conso', ts_ms: NOW_MS, value: -0.125 },
      { name: 'energie-conso', ts_ms: NOW_MS, value: 60 },
      { name: 'energie-conso', ts_ms: NOW_MS + 1, value: 1e-300 },
    ]);
  });

  test('a reading that is not a number is refused, and its new series is forgotten with it', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);

    const batch = [delivery('m1', reading()), delivery('m2', reading({ value: Number.NaN }))];
    await assert.rejects(store.apply(batch), { code: 'store_refused' });
    assert.deepEqual(await bench.rows('SELECT name FROM series'), []);

    await store.apply([delivery('m3', reading())]);
    assert.equal((await tablesOf(bench)).reading.length, 1);
  });

  test('the description of the house is kept by its numbers and read back whole', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const lamp = dispositif({ param: 'zigbee:state:xy', F: 'inf:30', idx: '41', observations: HOSTILE_TEXTS[5] ?? '' });

    await store.apply([delivery('m1', dispositif(), dispositif({ num: 2 }), textImage('pluie'))]);
    await store.apply([delivery('m2', lamp, textImage('pas_pluie'))]);

    const strip = ({ kind: _kind, ...rest }: typeof lamp) => rest;
    assert.deepEqual(await store.dispositifs(), [strip(lamp), strip(dispositif({ num: 2 }))]);
    assert.deepEqual(await store.textImages(), [
      { num: 1, texte: 'pas_pluie', image: 'images/met_pluie.svg', icone: '' },
    ]);
  });
}

function onceTests(makeBench: MakeBench): void {
  test('a repeated mid is written once, within a batch and across batches', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const first = delivery('m1', change({ state: 'On' }), message(), raw());
    const repeated = delivery('m1', change({ state: 'Off' }), message({ text: 'other' }), raw());

    assert.deepEqual(await store.apply([first, repeated]), { applied: 1, duplicates: 1 });
    assert.deepEqual(await store.apply([repeated, delivery('m2'), repeated]), { applied: 1, duplicates: 2 });

    assert.deepEqual(await tablesOf(bench), expectedTables([first, delivery('m2')]));
  });

  test('pruning forgets the entries received before an instant and nothing else', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const at = (ms: number) => ({ ...delivery(`m${ms}`, change()), received_ms: ms });
    await store.apply([at(1000), at(1999), at(2000), at(3000)]);

    assert.equal(await store.pruneInbox(2000), 2);
    assert.equal(await store.pruneInbox(2000), 0);

    const { inbox, device_event } = await tablesOf(bench);
    assert.deepEqual(
      inbox.map((row) => row.mid),
      ['m2000', 'm3000'],
    );
    assert.equal(device_event.length, 4);
    assert.deepEqual(await store.apply([at(1999), at(2000)]), { applied: 1, duplicates: 1 });
  });

  test('a clock that is years ahead forgets nothing: what comes again is still known', async (t) => {
    const store = await openedIn(t, await makeBench(t));
    await store.apply(changes(3));

    assert.equal(await store.pruneInbox(NOW_MS + 70 * 365 * 86_400_000), 0);
    assert.deepEqual(await store.apply(changes(3)), { applied: 0, duplicates: 3 });
  });

  test('property: any deliveries with repeated mids, split in any batches, leave the tables of a plain model', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const property = fc.asyncProperty(anyBatches, async (batches) => {
      await bench.clear();
      const mids = new Set<string>();
      for (const batch of batches) {
        const known = mids.size;
        for (const { mid } of batch) mids.add(mid);
        const applied = mids.size - known;
        assert.deepEqual(await store.apply(batch), { applied, duplicates: batch.length - applied });
      }
      assert.deepEqual(await tablesOf(bench), expectedTables(batches.flat()));
    });
    await fc.assert(property, { numRuns: 150 });
  });
}

function readingTests(makeBench: MakeBench): void {
  test('events come newest first with all their fields, up to the limit', async (t) => {
    const store = await openedIn(t, await makeBench(t));
    await store.apply([...changes(3), delivery('last', change({ clock_wrong: true, state: '20.5' }))]);

    const events = await store.events({ limit: 2 });

    assert.deepEqual(
      events.map(({ mid }) => mid),
      ['last', 'mid-2'],
    );
    const { seq, ...newest } = events[0] ?? assert.fail('expected an event');
    const at = { at_ms: NOW_MS - 40, received_ms: NOW_MS };
    assert.deepEqual(newest, { mid: 'last', id: '317', state: '20.5', ...at, source: 'domoticz', clock_wrong: true });
    assert.ok(seq > (events[1]?.seq ?? Number.NaN));
  });

  test('pages before a seq follow each other without a gap or a repetition', async (t) => {
    const store = await openedIn(t, await makeBench(t));
    await store.apply(changes(25));

    const seen: string[] = [];
    let page = await store.events({ limit: 10 });
    while (page.length > 0) {
      seen.push(...page.map(({ mid }) => mid));
      page = await store.events({ limit: 10, before_seq: page.at(-1)?.seq ?? 0 });
    }
    assert.deepEqual(
      seen,
      changes(25)
        .map(({ mid }) => mid)
        .toReversed(),
    );
  });

  test('events are filtered by device, from an instant (included) to an instant (excluded), and by all at once', async (t) => {
    const store = await openedIn(t, await makeBench(t));
    const at = (ms: number, id: string) => ({ ...delivery(`${id}@${ms}`, change({ id })), received_ms: ms });
    await store.apply([at(1000, 'a'), at(2000, 'b'), at(3000, 'a'), at(4000, 'a'), at(2500, 'a')]);
    const mids = async (query: Parameters<StoreReader['events']>[0]) =>
      (await store.events(query)).map(({ mid }) => mid);

    assert.deepEqual(await mids({ limit: 10, id: 'b' }), ['b@2000']);
    assert.deepEqual(await mids({ limit: 10, from_ms: 2000, to_ms: 4000 }), ['a@2500', 'a@3000', 'b@2000']);
    assert.deepEqual(await mids({ limit: 10, from_ms: 3000 }), ['a@4000', 'a@3000']);
    assert.deepEqual(await mids({ limit: 10, to_ms: 2000 }), ['a@1000']);
    assert.deepEqual(await mids({ limit: 2, id: 'a', from_ms: 2000, to_ms: 4001 }), ['a@2500', 'a@4000']);
    const [newest] = await store.events({ limit: 1 });
    assert.deepEqual(await mids({ limit: 10, id: 'a', from_ms: 2000, before_seq: newest?.seq ?? 0 }), [
      'a@4000',
      'a@3000',
    ]);
    assert.deepEqual(await mids({ limit: 10, id: 'unknown' }), []);
  });

  test('a limit outside 1 to 1,000 is refused', async (t) => {
    const store = await openedIn(t, await makeBench(t));

    for (const limit of [0, -1, 1001, 1.5, Number.NaN]) {
      await assert.rejects(store.events({ limit }), { code: 'query_invalid', retryable: false });
    }
  });

  test('two readers see whole batches only while the writer writes', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const readers = [await bench.openReader(), await bench.openReader()];
    t.after(() => Promise.all(readers.map((reader) => reader[Symbol.asyncDispose]())));
    const batchSize = 20;

    let writing = true;
    const written = Array.fromAsync({ length: 30 }, (_, index) =>
      store.apply(changes(batchSize, index * batchSize)),
    ).finally(() => {
      writing = false;
    });
    const watch = async (reader: StoreReader): Promise<void> => {
      while (writing) assert.equal((await reader.events({ limit: 1000 })).length % batchSize, 0);
    };
    await Promise.all([written, ...readers.map(watch)]);

    for (const reader of readers) assert.equal((await reader.events({ limit: 1000 })).length, 600);
  });

  test('a reader answers pings and lists messages', async (t) => {
    const bench = await makeBench(t);
    const store = await openedIn(t, bench);
    const reader = await bench.openReader();
    t.after(() => reader[Symbol.asyncDispose]());
    await store.apply([delivery('m1', message({ name: 'a' }), message({ name: 'b', unread: false }))]);

    await reader.ping();
    const names = (await reader.messages()).map(({ name, unread }) => [name, unread]);
    assert.deepEqual(names, [
      ['a', true],
      ['b', false],
    ]);
  });
}

function lifeCycleTests(makeBench: MakeBench): void {
  test('a store opened again holds all that was written and knows the mids', async (t) => {
    const bench = await makeBench(t);
    const deliveries = [...changes(5), delivery('m', message(), raw())];
    {
      await using store = await bench.open();
      await store.apply(deliveries);
    }
    const store = await openedIn(t, bench);

    assert.deepEqual(await tablesOf(bench), expectedTables(deliveries));
    assert.deepEqual(await store.apply(deliveries), { applied: 0, duplicates: 6 });
  });

  test('what was asked before closing is answered, what is asked after is refused, and closing twice is closing', async (t) => {
    const bench = await makeBench(t);
    const store = await bench.open();
    const asked = [store.apply(changes(50)), store.apply(changes(50, 50))];
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);

    assert.deepEqual(await Promise.all(asked), [
      { applied: 50, duplicates: 0 },
      { applied: 50, duplicates: 0 },
    ]);
    await assert.rejects(store.ping(), { name: 'MeshError', code: 'store_closed', retryable: false });
    assert.equal((await tablesOf(bench)).device_event.length, 100);
  });
}
