// What the old plan shows of a device: the rules of the PHP site, on values that its manual shows.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { dispositifOf } from '@monitor-mesh/shared/store/house-tables.ts';
import type { Dispositif } from '@monitor-mesh/shared/store/store.ts';
import fc from 'fast-check';
import type { DeviceState } from '../src/house-view.ts';
import { cut, idTable, planOf } from '../src/old-plan.ts';
import { variablesOf } from '../src/old-variables.ts';

const NOW = { now_ms: Date.UTC(2026, 9, 4, 22, 30), zone: 'Europe/Paris' };
const row = (fields: Partial<Record<keyof Dispositif, string>>): Dispositif =>
  dispositifOf({ num: 1, idx: '41', idm: '65', Actif: '2', maj_js: 'onoff', car_max_id1: '99', ...fields });
const statesOf = (states: Readonly<Record<string, string>>): ReadonlyMap<string, DeviceState> =>
  new Map(Object.entries(states).map(([id, state]) => [id, { id, state, at: '2026-10-04T22:29:30.500Z', source: '' }]));

/** The entry of the device 65. */
function entry(
  fields: Partial<Record<keyof Dispositif, string>>,
  states: Readonly<Record<string, string>>,
): Record<string, unknown> {
  return { ...planOf([row(fields)], statesOf(states), NOW)['65'] };
}

suite('a device of the plan', () => {
  for (const [state, shown] of [
    ['66254.0;0;0;0;12452.0;0', '12.4'],
    ['47924;0;0;0;13260;0', '13.2'],
    ['14755.0;0;0;0;2692.0;0', '2.69'],
  ] as const)
    test(`shows the peak of the meter ${state} as ${shown}`, () =>
      assert.equal(entry({ F: '1', car_max_id1: '4' }, { 41: state }).Data, shown));

  for (const [limit, state, shown] of [
    ['99', '12.5 C, 76 %, 1014 hPa', '12.5 C, 76 %, 1014 hPa'],
    ['4', '17.93 C', '17.9'],
    ['10', '12.5 C, 76 %', '12.5 C, 76 %'],
    ['', '12.5 C, 76 %', '12.5 C, 76 %'],
    [' ', '12.5 C, 76 %', '12.5 C, 76 %'],
    ['3', 'été', 'ét'],
    ['2', 'été', 'é'],
    ['1', 'été', ''],
    ['0', 'On', ''],
  ] as const)
    test(`shows '${state}' as '${shown}' where its row allows '${limit}'`, () =>
      assert.equal(entry({ car_max_id1: limit }, { 41: state }).Data, shown));

  for (const [battery, alarm, bat] of [
    ['49', 'alarme', 49],
    ['19', 'alarme_low', 19],
    ['50', '', 50],
    ['20', 'alarme', 20],
    ['0', '', 255],
    ['', '', 255],
    ['empty', '', 255],
  ] as const)
    test(`with a battery of '${battery}' has the alarm '${alarm}'`, () => {
      const { alarm_bat, bat: shown } = entry({}, { 41: 'On', '41/battery': battery });
      assert.deepEqual([alarm_bat, shown], [alarm, bat]);
    });

  test('has the temperature and humidity that it reported, or says that they do not concern it', () => {
    const { temperature, humidity } = entry({}, { '41/temperature': '17.9' });
    assert.deepEqual([temperature, humidity], [17.9, 'non concerné']);
  });

  test('was updated on the clock of the house, and never where it never spoke', () => {
    assert.equal(entry({}, { 41: 'On' }).Update, '2026-10-05 00:29:30');
    assert.equal(entry({}, {}).Update, '');
  });

  test('of a key of its own shows that key’s state, and else the whole device’s', () => {
    const zigbee = { Actif: '6', ID: '0xaa', idx: '', param: 'zigbee:state_l1:' };
    assert.equal(entry(zigbee, { '0xaa': 'OFF', '0xaa/state_l1': 'ON' }).Data, 'ON');
    assert.equal(entry(zigbee, { '0xaa': 'OFF' }).Data, 'OFF');
  });

  test('is not there when it is off, a variable, without a number, or of no server that is known', () => {
    for (const fields of [
      { Actif: '0' },
      { maj_js: 'variable' },
      { maj_js: 'var_sql' },
      { idm: '' },
      { Actif: 'toString' },
      { Actif: '' },
    ])
      assert.deepEqual(Object.keys(planOf([row(fields)], statesOf({}), NOW)), ['0'], JSON.stringify(fields));
  });
});

test('the plan counts the devices of each server, its free numbers, and the day of the house', () => {
  const rows = [
    row({ idm: '1' }),
    row({ idm: '3', Actif: '3', ID: 'light.a' }),
    row({ idm: '4', Actif: '6', ID: '0xaa' }),
    row({ idm: '2', Actif: '5', maj_js: 'var_sql' }),
  ];
  assert.deepEqual(planOf(rows, statesOf({}), NOW)['0'], {
    idm_libre: ' 5 6 7',
    serveur_iob: false,
    serveur_ha: true,
    serveur_dz: true,
    serveur_zb: true,
    nb_iob: 0,
    nb_ha: 1,
    nb_dz: 1,
    nb_zb: 1,
    err_dz_idm: 0,
    jour: '05',
    maj_date: '0',
  });
});

test('property: a cut text is the longest beginning of whole characters that fits', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.integer({ min: 0, max: 9 }), (text, limit) => {
      const kept = cut(text, String(limit));
      assert.ok(text.startsWith(kept) && Buffer.byteLength(kept) <= limit);
      const [next] = text.slice(kept.length);
      if (next !== undefined) assert.ok(Buffer.byteLength(kept) + Buffer.byteLength(next) > limit);
    }),
  );
});

test('which id is which number: of Domoticz by idx, of others by ID, of neither by an error', () => {
  const rows = [
    row({}),
    row({ idm: '2', Actif: '3', ID: 'light.a' }),
    row({ idm: '3', Actif: '3' }),
    row({ idm: '4', maj_js: 'variable' }),
    row({ idm: '', idx: '9' }),
  ];
  assert.deepEqual(idTable(rows), [
    { id: '41', idm: '65', json: 'no_zb' },
    { id: 'light.a', idm: '2', json: 'no_zb' },
    { id: 'err', idm: '3', json: 'no_zb' },
  ]);
});

suite('a variable', () => {
  const images = [{ num: 1, texte: 'ras', image: 'none', icone: '' }];
  const shown = (fields: Partial<Record<keyof Dispositif, string>>, states: Readonly<Record<string, string>>) => {
    const rows = [row({ maj_js: 'variable', id1_html: 'image', ...fields })];
    return { ...variablesOf({ rows, images, states: statesOf(states), messages: [] })['1'] } as Record<string, unknown>;
  };

  test('without a word from its server is 0, and shows no picture', () => {
    const { Value, image, contenu } = shown({}, {});
    assert.deepEqual([Value, image, contenu], ['0', 'pas image', '']);
  });

  test('whose picture is none, or that has no place for one, shows no picture', () => {
    assert.equal(shown({}, { 41: 'ras' }).image, 'pas image');
    assert.equal(shown({ id1_html: '#' }, { 41: 'ras' }).image, 'pas image');
  });

  test('keeps what follows its first # and its first colon whole', () => {
    const { Value, contenu } = shown({}, { 41: 'a:b:c#d#e:f' });
    assert.deepEqual([Value, contenu], ['b:c', 'd#e:f']);
  });

  test('of Home Assistant says so; one that is switched off is not there', () => {
    assert.equal(shown({ Actif: '3', ID: 'input_text.x' }, { 'input_text.x': 'oui' }).Type, 'HA');
    assert.deepEqual(shown({ Actif: '0' }, { 41: 'x' }), {});
  });
});
