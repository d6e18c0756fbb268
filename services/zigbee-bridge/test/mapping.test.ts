// The mapping from friendly names to devices of the house, from a file and from the database.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { readConfig } from '@monitor-mesh/shared/config.ts';
import { ZIGBEE_BRIDGE_VARIABLES } from '../src/config.ts';
import { findSlot, mergeMappings, readMapping } from '../src/mapping.ts';
import { readMappingFile } from '../src/mapping-file.ts';

const idsOf = (devices: unknown): readonly string[] =>
  [...readMapping(devices).mapping.values()].flat().map(({ maj_id }) => maj_id);

suite('ids on monitor/maj', () => {
  for (const [what, keys, expected] of [
    ['a lamp', ['state'], ['0xaa']],
    ['a door with a thermometer', ['contact', 'temperature'], ['0xaa', '0xaa/temperature']],
    ['a thermometer', ['temperature', 'humidity'], ['0xaa/temperature', '0xaa/humidity']],
    ['a switch with two ends', ['state_l1', 'state_l2'], ['0xaa/state_l1', '0xaa/state_l2']],
    ['a plug with a contact', ['contact', 'state'], ['0xaa/contact', '0xaa']],
  ] as const)
    test(`${what}: ${expected.join(', ')}`, () => {
      assert.deepEqual(idsOf(keys.map((key) => ({ name: 'x', id: '0xaa', key }))), expected);
    });

  test('a mapping may name the id itself', () => {
    assert.deepEqual(idsOf([{ name: 'x', id: '0xaa', key: 'temperature', maj_id: 'cave' }]), ['cave']);
  });

  test('two devices never share an id: the second is refused with its name', () => {
    const { mapping, faults } = readMapping([
      { name: 'x', id: '0xaa', key: 'state' },
      { name: 'y', id: '0xaa', key: 'state' },
    ]);
    assert.deepEqual([...mapping.keys()], ['x']);
    assert.match(faults[0] ?? '', /^entry 2: expected an id of its own, got '0xaa'/u);
  });

  test('one value in two places of the old site is one change', () => {
    const rows = ['16', '17'].map((idm) => ({ name: 'x', id: '0xaa', idm, key: 'state' }));
    assert.deepEqual(readMapping(rows).faults, []);
    assert.deepEqual(idsOf(rows), ['0xaa', '0xaa']);
  });
});

test('numbers and nulls, as people and databases write them, are taken; the rest is named', () => {
  const { mapping, faults } = readMapping([
    { name: 'x', id: 41, idm: 16, key: 'state', colour: null },
    { name: 'y', id: '42' },
    'z',
  ]);
  assert.equal(mapping.get('x')?.[0]?.id, '41');
  assert.match(faults[0] ?? '', /^entry 2: key: /u);
  assert.match(faults[1] ?? '', /^entry 3: /u);
  assert.match(readMapping({}).faults[0] ?? '', /^expected \{"devices"/u);
});

test('a device is found by its friendly name, id, idm and the id of one of its values', () => {
  const { mapping } = readMapping([
    { name: 'x', id: '0xaa', idm: '17', key: 'temperature' },
    { name: 'x', id: '0xaa', idm: '16', key: 'state' },
  ]);
  for (const word of ['x', '0xaa', '16']) assert.equal(findSlot(mapping, word)?.key, 'state', word);
  for (const word of ['17', '0xaa/temperature']) assert.equal(findSlot(mapping, word)?.key, 'temperature', word);
  assert.equal(findSlot(mapping, 'nobody'), undefined);
});

test('of two mappings the first wins, device by device', () => {
  const file = readMapping([{ name: 'x', id: 'file', key: 'state' }]).mapping;
  const table = readMapping([
    { name: 'x', id: 'table', key: 'state' },
    { name: 'x', id: 'table', key: 'temperature' },
    { name: 'y', id: 'other', key: 'state' },
  ]).mapping;
  const ids = [...mergeMappings(file, table).values()].flat().map(({ maj_id }) => maj_id);
  assert.deepEqual(ids.sort(), ['file', 'other']);
});

suite('the file', () => {
  const written = (t: TestContext, content: string): string => {
    const folder = mkdtempSync(join(tmpdir(), 'zigbee-test-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'zigbee.json');
    writeFileSync(path, content);
    return path;
  };

  test('with a byte order mark and the line ends of Windows is read', (t) => {
    const path = written(t, '\uFEFF{"devices": [\r\n  {"name": "x", "id": "0xaa", "key": "state"}\r\n]}\r\n');
    assert.deepEqual([...readMappingFile(path).keys()], ['x']);
  });

  test('may be the list alone', (t) => {
    assert.deepEqual([...readMappingFile(written(t, '[{"name":"x","id":"0xaa","key":"state"}]')).keys()], ['x']);
  });

  for (const [what, content, reason] of [
    ['a comma too many names the line', '{"devices": [\n  {"name": "x"},\n]}', /line 3 is not/u],
    [
      'a missing comma names the line',
      '{\n"devices":\n[\n{"name": "x",\n"id": "1"\n"key": "state"}]\n}',
      /line 6 is not/u,
    ],
    ['an entry without id is named', '{"devices": [{"name": "x", "key": "state"}]}', /entry 1: id: /u],
    [
      'a mode of colour that does not exist is named',
      '[{"name":"x","id":"1","key":"state","colour":"rgb"}]',
      /entry 1: colour: .*'rgb'/u,
    ],
    ['another shape says which is expected', '{"lamps": []}', /expected \{"devices"/u],
    ['nothing at all', '', /expected JSON/u],
    ['null', 'null', /expected \{"devices"/u],
  ] as const)
    test(`${what}, and the service does not start`, (t) => {
      const path = written(t, content);
      assert.throws(
        () => readConfig(ZIGBEE_BRIDGE_VARIABLES, { ZIGBEE_MAPPING_FILE: path }),
        (error: Error) => {
          assert.match(error.message, reason);
          assert.match(error.message, /^ZIGBEE_MAPPING_FILE: /u);
          return true;
        },
      );
    });

  test('one that is not there is named', () => {
    assert.throws(
      () => readConfig(ZIGBEE_BRIDGE_VARIABLES, { ZIGBEE_MAPPING_FILE: '/nowhere' }),
      /'\/nowhere'|ENOENT/u,
    );
  });
});

for (const base of ['zigbee2mqtt/#', '+', '', '/x', 'x/', 'monitor', 'mesh/zigbee', '$SYS'])
  test(`'${base}' can not be the base topic`, () => {
    if (base === '') assert.equal(readConfig(ZIGBEE_BRIDGE_VARIABLES, {}).ZIGBEE_BASE_TOPIC, 'zigbee2mqtt');
    else assert.throws(() => readConfig(ZIGBEE_BRIDGE_VARIABLES, { ZIGBEE_BASE_TOPIC: base }), /outside the mesh/u);
  });
