// Commands for Zigbee devices: what is sent, what confirms it, and the colours.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { brightnessOf, colourCommand, hsOf, miredOf, parseColour, xyOf } from '../src/colour.ts';
import { type Command, decideOrder, decodeCommand, judgeReport, type Order } from '../src/command.ts';
import { readMapping } from '../src/mapping.ts';

const { mapping } = readMapping([
  { name: 'lampe_entree', id: '0xaa', idm: '16', key: 'state', colour: 'hs' },
  { name: 'lampe_bureau', id: '0xab', idm: '17', key: 'state', colour: 'xy' },
  { name: 'eclairage_ext', id: '0xbb', idm: '18', key: 'state_l1' },
  { name: 'eclairage_ext', id: '0xbb', idm: '19', key: 'state_l2' },
]);
const order = (command: Partial<Command>, unmapped = false) =>
  decideOrder({ id: 'c1', device: 'lampe_entree', key: undefined, value: 'On', ...command }, mapping, unmapped);
const sent = (command: Partial<Command>, unmapped = false): unknown => {
  const decided = order(command, unmapped);
  return decided.ok ? { [decided.value.name]: decided.value.payload } : decided.reason;
};

suite('what a device is told', () => {
  for (const [command, expected] of [
    [{ value: 'On' }, { lampe_entree: { state: 'ON' } }],
    [{ value: 'off' }, { lampe_entree: { state: 'OFF' } }],
    [{ value: true }, { lampe_entree: { state: 'ON' } }],
    [{ value: 0 }, { lampe_entree: { state: 'OFF' } }],
    [{ value: 'toggle' }, { lampe_entree: { state: 'TOGGLE' } }],
    [{ device: '0xaa' }, { lampe_entree: { state: 'ON' } }],
    [{ device: '19' }, { eclairage_ext: { state_l2: 'ON' } }],
    [{ device: 'eclairage_ext', key: 'state_l2' }, { eclairage_ext: { state_l2: 'ON' } }],
    [{ key: 'brightness', value: '128' }, { lampe_entree: { brightness: 128 } }],
    [{ key: 'effect', value: 'blink' }, { lampe_entree: { effect: 'blink' } }],
    [{ key: 'color', value: '#ff0000' }, { lampe_entree: { color: { h: 0, s: 100 }, brightness: 76 } }],
    [{ value: '#ff0000' }, { lampe_entree: { color: { h: 0, s: 100 }, brightness: 76 } }],
    [{ device: '17', value: '#ff0000' }, { lampe_bureau: { color: { x: 0.6401, y: 0.33 }, brightness: 76 } }],
    [{ key: 'color', value: '255,255,255' }, { lampe_entree: { color_temp: 153 } }],
    [{ key: 'color', value: 'rouge' }, "value: expected a colour such as #ff8800, got 'rouge'"],
    [{ device: 'inconnue' }, "no device 'inconnue' is known"],
  ] as const)
    test(`${JSON.stringify(command)} is ${JSON.stringify(expected)}`, () => assert.deepEqual(sent(command), expected));

  test('a device without a mapping is asked by its friendly name, when the house wants that', () => {
    assert.deepEqual(sent({ device: 'salon/prise' }, true), { 'salon/prise': { state: 'ON' } });
  });

  for (const device of ['bridge/request/permit_join', 'bridge', 'a/set', 'a/set/state', '+/x', '#', '/a', 'a/'])
    test(`'${device}' is the name of no device`, () => {
      assert.match(String(sent({ device }, true)), /^expected the friendly name/u);
    });
});

suite('a command', () => {
  const decode = (text: string) => decodeCommand(Buffer.from(text), 'the-mid');

  test('from a person needs no id, and may say state for value', () => {
    const expected = { id: 'the-mid', device: '16', key: undefined, value: 'On' };
    assert.deepEqual(decode('{"device":16,"state":"On"}'), { ok: true, value: expected });
  });

  for (const text of ['On', '[]', '{"id":"c1","device":"x"}', '{"id":"c1","device":"x","value":{"a":1}}', '{"id":7}'])
    test(`${text} is refused, under its id where it has one`, () => {
      const decoded = decode(text);
      assert.equal(decoded.ok, false);
      assert.equal(decoded.id, text.includes('"c1"') ? 'c1' : undefined);
    });
});

suite('what confirms a command', () => {
  const of = (command: Partial<Command>): Order => {
    const decided = order(command);
    assert.ok(decided.ok);
    return decided.value;
  };
  for (const [command, report, met] of [
    [{ value: 'On' }, { state: 'ON' }, true],
    [{ value: 'On' }, { state: 'OFF' }, false],
    [{ value: 'On' }, { linkquality: 90 }, undefined],
    [{ value: 'On' }, { state: null }, undefined],
    [{ value: 'toggle' }, { state: 'OFF' }, true],
    [{ key: 'brightness', value: 128 }, { brightness: 127 }, true],
    [{ key: 'brightness', value: 128 }, { brightness: 20 }, false],
    [{ key: 'color', value: '#ff0000' }, { color: { h: 0, s: 100 } }, true],
  ] as const)
    test(`${JSON.stringify(command)}: ${JSON.stringify(report)} ${met === undefined ? 'says nothing of it' : met ? 'does' : 'does not'}`, () => {
      assert.equal(judgeReport(of(command), report)?.met, met);
    });
});

suite('colours', () => {
  test('are read as people write them', () => {
    const orange = { red: 255, green: 136, blue: 0 };
    for (const text of ['#ff8800', 'FF8800', '255,136,0', ' 255, 136, 0 ']) assert.deepEqual(parseColour(text), orange);
    for (const text of ['', 'red', '#ff88', '256,0,0', '1,2']) assert.equal(parseColour(text), undefined);
  });

  test('brightness weighs the three lights as the old site did', () => {
    assert.equal(brightnessOf({ red: 255, green: 136, blue: 0 }), 156);
    assert.equal(brightnessOf({ red: 255, green: 255, blue: 255 }), 255);
  });

  for (const [rgb, h, s] of [
    ['#ff0000', 0, 100],
    ['#00ff00', 120, 100],
    ['#0000ff', 240, 100],
    ['#ff8800', 32, 100],
    ['#ff80bf', 330, 50],
    ['#808080', 0, 0],
  ] as const)
    test(`${rgb} has hue ${h} and saturation ${s}`, () => {
      assert.deepEqual(hsOf(parseColour(rgb) ?? { red: 1, green: 1, blue: 1 }), { h, s });
    });

  test('the primaries of a screen lie where the standard says (IEC 61966-2-1), and black is daylight', () => {
    for (const [rgb, x, y] of [
      ['#ff0000', 0.64, 0.33],
      ['#00ff00', 0.3, 0.6],
      ['#0000ff', 0.15, 0.06],
      ['#ffffff', 0.3127, 0.329],
      ['#000000', 0.3127, 0.329],
    ] as const) {
      const at = xyOf(parseColour(rgb) ?? { red: 1, green: 1, blue: 1 });
      assert.ok(Math.abs(at.x - x) < 0.001 && Math.abs(at.y - y) < 0.001, `${rgb} ${JSON.stringify(at)}`);
    }
  });

  test('what is nearly white is a temperature, one step darker is a colour', () => {
    assert.deepEqual(colourCommand({ red: 250, green: 250, blue: 250 }, 'xy'), { color_temp: 153 });
    assert.ok('color' in colourCommand({ red: 249, green: 249, blue: 249 }, 'xy'));
    assert.ok('color_temp' in colourCommand({ red: 255, green: 136, blue: 0 }, 'color_temp'));
  });

  test('temperatures of known lights are right to one hundredth', () => {
    // Chromaticity of the CIE illuminants A (2856 K) and D65 (6504 K).
    assert.ok(Math.abs(miredOf({ x: 0.4476, y: 0.4074 }) - 350) <= 3);
    assert.ok(Math.abs(miredOf({ x: 0.3127, y: 0.329 }) - 153) <= 1);
  });

  test('whatever the colour, a lamp is told numbers within its limits', () => {
    const channel = fc.integer({ min: 0, max: 255 });
    const mode = fc.constantFrom('hs', 'xy', 'color_temp');
    fc.assert(
      fc.property(channel, channel, channel, mode, (red, green, blue, wanted) => {
        const command = colourCommand({ red, green, blue }, wanted as 'hs' | 'xy' | 'color_temp');
        if ('color_temp' in command) assert.ok(command.color_temp >= 153 && command.color_temp <= 500);
        else {
          assert.ok(command.brightness >= 0 && command.brightness < 250);
          for (const value of Object.values(command.color)) assert.ok(value >= 0 && value <= 360);
        }
      }),
    );
  });
});
