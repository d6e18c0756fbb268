// Which rows of the imported device table are told to the Zigbee bridge.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dispositifOf } from '@monitor-mesh/shared/store/house-tables.ts';
import type { Dispositif } from '@monitor-mesh/shared/store/store.ts';
import { zigbeeDevicesOf } from '../src/zigbee-devices.ts';

const row = (fields: Partial<Dispositif>): Dispositif =>
  dispositifOf({
    num: 1,
    nom_objet: 'lampe_entree',
    ID: '0xaa',
    idm: '16',
    Actif: '6',
    param: 'zigbee:state:hs',
    ...fields,
  });

test('a row of zigbee2mqtt is one entry with its key and colour mode', () => {
  assert.deepEqual(
    zigbeeDevicesOf([row({}), row({ nom_objet: 'temp_cave', idm: null, param: 'zigbee:temperature' })]),
    {
      devices: [
        { name: 'lampe_entree', id: '0xaa', idm: '16', key: 'state', colour: 'hs' },
        { name: 'temp_cave', id: '0xaa', key: 'temperature' },
      ],
    },
  );
});

test('rows of other servers, variables, and rows without a name, an address or a key are left out', () => {
  const others = [
    row({ Actif: '2' }),
    row({ maj_js: 'variable' }),
    row({ nom_objet: '' }),
    row({ ID: ' ' }),
    row({ param: 'zigbee' }),
    row({ param: '' }),
  ];
  assert.deepEqual(zigbeeDevicesOf(others), { devices: [] });
});
