// What a message of Zigbee2MQTT means to the house, held to examples.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { encodePayload } from '@monitor-mesh/shared/decode.ts';
import fc from 'fast-check';
import { type Decision, decideMessage, type Effect } from '../src/core.ts';
import { NO_MAPPING, readMapping } from '../src/mapping.ts';

const { mapping, faults } = readMapping([
  { name: 'lampe_entree', id: '0xaa', idm: '16', key: 'state', colour: 'hs' },
  { name: 'porte', id: '0xcc', idm: '18', key: 'contact' },
  { name: 'temp_cave', id: '0xbb', idm: '17', key: 'temperature' },
  { name: 'temp_cave', id: '0xbb', idm: '19', key: 'humidity' },
  { name: 'salon/lampe', id: '0xdd', idm: '20', key: 'state' },
]);
const around = { base: 'zigbee2mqtt', mapping, unmapped: false };
const nothing: ReadonlyMap<string, string> = new Map();

const decide = (rest: string, payload: unknown, { last = nothing, retain = false, given = around } = {}): Decision =>
  decideMessage(
    {
      topic: `zigbee2mqtt/${rest}`,
      payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
      retain,
    },
    given,
    last,
  );
const effectsOf = (decision: Decision): readonly Effect[] => (decision.kind === 'report' ? decision.effects : []);
const maj = (decision: Decision): Readonly<Record<string, string>> =>
  Object.fromEntries(
    effectsOf(decision).flatMap((effect) => (effect.kind === 'maj' ? [[effect.id, effect.state]] : [])),
  );
const z1m = (decision: Decision): readonly unknown[] =>
  effectsOf(decision).flatMap((effect) => (effect.kind === 'z1m' ? [effect.payload] : []));

test('the mapping of these examples has no fault', () => assert.deepEqual(faults, []));

suite('a device of the mapping', () => {
  test('a lamp is a change under its id, and the old message as the old site wrote it', () => {
    const decision = decide('lampe_entree', { state: 'ON', linkquality: 90 });
    assert.deepEqual(maj(decision), { '0xaa': 'ON' });
    assert.deepEqual(z1m(decision), [
      { id: '0xaa', objet: 'lampe_entree', state: 'ON', champ1: 'Data', champ2: 'state', idm: '16' },
    ]);
  });

  test('a door that opens says false, not nothing', () => {
    const decision = decide('porte', { contact: false });
    assert.deepEqual(maj(decision), { '0xcc': 'false' });
    assert.deepEqual(z1m(decision), [
      { id: '0xcc', objet: 'porte', state: 'false', champ1: 'Data', champ2: 'contact', idm: '18' },
    ]);
  });

  test('each key of a sensor has a change of its own and a row of its own', () => {
    const decision = decide('temp_cave', { temperature: 17.9, humidity: 60 });
    assert.deepEqual(maj(decision), { '0xbb/temperature': '17.9', '0xbb/humidity': '60' });
    assert.deepEqual(z1m(decision), [
      { id: '0xbb', objet: 'temp_cave', state: '17.9', champ1: 'temperature', champ2: 'temperature', idm: '17' },
      { id: '0xbb', objet: 'temp_cave', state: '60', champ1: 'humidity', champ2: 'humidity', idm: '19' },
    ]);
  });

  test('a friendly name may have levels', () => {
    assert.deepEqual(maj(decide('salon/lampe', { state: 'OFF' })), { '0xdd': 'OFF' });
  });

  test('a value that has not changed is no change again, and old pages get it all the same', () => {
    const last = new Map([['0xaa', 'ON']]);
    const decision = decide('lampe_entree', { state: 'ON', linkquality: 91 }, { last });
    assert.deepEqual(maj(decision), {});
    assert.equal(z1m(decision).length, 1);
    assert.deepEqual(maj(decide('lampe_entree', { state: 'OFF' }, { last })), { '0xaa': 'OFF' });
  });

  test('what the broker kept from before fills what nobody has said yet, and is no news to old pages', () => {
    assert.deepEqual(effectsOf(decide('lampe_entree', { state: 'ON' }, { retain: true })), [
      { kind: 'maj', id: '0xaa', state: 'ON' },
    ]);
    const last = new Map([['0xaa', 'OFF']]);
    assert.deepEqual(effectsOf(decide('lampe_entree', { state: 'ON' }, { retain: true, last })), []);
  });

  test('whether it can be reached is told beside its state and never in its place', () => {
    for (const payload of ['offline', '{"state":"offline"}']) {
      const decision = decide('lampe_entree/availability', payload);
      assert.deepEqual(maj(decision), { '0xaa/availability': 'offline' }, payload);
      assert.deepEqual(z1m(decision), []);
    }
    assert.equal(decide('lampe_entree/availability', '{"state":"asleep"}').kind, 'refused');
  });

  for (const value of [null, '', {}, []])
    test(`${JSON.stringify(value)} says nothing`, () => {
      assert.deepEqual(effectsOf(decide('lampe_entree', { state: value })), []);
    });
});

suite('what is nobody’s state', () => {
  for (const [rest, payload] of [
    ['bridge/state', '{"state":"online"}'],
    ['bridge/devices', '[]'],
    ['bridge', '{"state":"ON"}'],
    ['lampe_entree/set', '{"state":"ON"}'],
    ['lampe_entree/set/state', 'ON'],
    ['lampe_entree/get', '{"state":""}'],
    ['salon/lampe/set', '{"state":"ON"}'],
    ['lampe_entree', ''],
    ['', '{"state":"ON"}'],
  ] as const)
    test(`zigbee2mqtt/${rest} ${payload || 'without payload'} is left alone`, () => {
      assert.deepEqual(decide(rest, payload, { given: { ...around, unmapped: true } }), { kind: 'ignored' });
    });

  test('another root is another’s', () => {
    const message = { topic: 'zigbee2mqtt2/lampe_entree', payload: Buffer.from('{"state":"ON"}'), retain: false };
    assert.deepEqual(decideMessage(message, around, nothing), { kind: 'ignored' });
  });

  for (const payload of ['ON', '17.9', '[]', 'null', '{"state":'])
    test(`${payload} is refused with a reason that shows it`, () => {
      const decision = decide('lampe_entree', payload);
      assert.equal(decision.kind, 'refused');
      if (decision.kind === 'refused') assert.match(decision.reason, /^expected .*, got/u);
    });
});

suite('a device that no mapping knows', () => {
  const free = { given: { ...around, mapping: NO_MAPPING, unmapped: true } };

  test('is nothing to old pages, and nothing at all when the house wants no such devices', () => {
    assert.deepEqual(effectsOf(decide('inconnue', { state: 'ON' })), []);
    assert.deepEqual(z1m(decide('lampe_entree', { state: 'ON' }, free)), []);
  });

  test('is shown under its friendly name, each value that speaks of the house under its key', () => {
    const values = { state: 'ON', contact: true, temperature: 20.5, linkquality: 90, update: { state: 'idle' } };
    assert.deepEqual(maj(decide('salon/prise', values, free)), {
      'salon/prise': 'ON',
      'salon/prise/contact': 'true',
      'salon/prise/temperature': '20.5',
    });
    assert.deepEqual(maj(decide('salon/prise/availability', 'offline', free)), {
      'salon/prise/availability': 'offline',
    });
  });

  test('a button that is pressed twice is two events', () => {
    const last = new Map([['bouton/action', 'single']]);
    assert.deepEqual(maj(decide('bouton', { action: 'single' }, { ...free, last })), { 'bouton/action': 'single' });
  });
});

test('whatever is sent, nothing throws, and what comes out fits the contract', () => {
  const text = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .dictionary(fc.constantFrom('state', 'contact', 'temperature', 'action', '__proto__'), fc.jsonValue())
      .map((values) => JSON.stringify(values)),
  );
  const rest = fc.oneof(fc.constantFrom('lampe_entree', 'temp_cave', 'x/availability', 'salon/lampe'), fc.string());
  fc.assert(
    fc.property(rest, text, fc.boolean(), (name, payload, unmapped) => {
      for (const effect of effectsOf(decide(name, payload, { given: { ...around, unmapped } })))
        if (effect.kind === 'maj') encodePayload(TOPICS.maj, { id: effect.id, state: effect.state, source: 'x' });
        else encodePayload(TOPICS.z1m, effect.payload);
    }),
    { numRuns: 1_000 },
  );
});
