// The demo's house: every state it makes is one that the mesh takes, however long it lives.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { greetingOf } from '@monitor-mesh/embedded/greeting.ts';
import { nextState, SIMULATED_DEVICES } from '@monitor-mesh/embedded/simulated-house.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { encodePayload } from '@monitor-mesh/shared/decode.ts';
import fc from 'fast-check';

const chances = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
  minLength: 1,
  maxLength: 300,
});
const looks = {
  switch: /^(On|Off|Open|Closed)$/u,
  level: /^Set Level: (\d|[1-9]\d|100) %$/u,
  temperature: /^-?\d+\.\d$/u,
} as const;

suite('a simulated device', () => {
  for (const device of SIMULATED_DEVICES)
    test(`${device.id} stays a believable ${device.kind}`, () => {
      fc.assert(
        fc.property(chances, (chances) => {
          let state: string | undefined;
          for (const chance of chances) {
            const before = state;
            state = nextState(device, before, chance);
            assert.match(state, looks[device.kind]);
            encodePayload(TOPICS.maj, { id: device.id, state, source: 'demo' });
            if (device.kind === 'switch') assert.notEqual(state, before);
            if (device.kind === 'temperature') assert.ok(Math.abs(Number(state) - device.mean_c) < 5);
          }
        }),
      );
    });

  test('no id comes twice', () => {
    assert.equal(new Set(SIMULATED_DEVICES.map(({ id }) => id)).size, SIMULATED_DEVICES.length);
  });
});

suite('the greeting', () => {
  const given = {
    http_host: '127.0.0.1',
    mqtt_host: '::1',
    ports: { http: 8080, mqtt: 1883, ws: 9001 },
    first_login_path: 'data/first-login.txt',
    demo: false,
  };

  test('names every address and where the password is, and a demo says what it is', () => {
    const text = greetingOf(given);
    for (const part of ['http://127.0.0.1:8080/', 'mqtt://[::1]:1883', 'ws://[::1]:9001', 'data/first-login.txt'])
      assert.ok(text.includes(part), part);
    assert.doesNotMatch(text, /DEMO/u);
    assert.match(greetingOf({ ...given, demo: true }), /DEMO.*nothing here is real/u);
  });

  test('does not send a person to an address that means every interface', () => {
    const text = greetingOf({ ...given, http_host: '0.0.0.0', mqtt_host: '::' });
    assert.ok(text.includes('http://this-machine:8080/') && text.includes('mqtt://this-machine:1883'));
  });
});
