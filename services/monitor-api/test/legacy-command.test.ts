// The old json.php calls: every decision about them, and that each fits the topic it will be published on.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { encodePayload } from '@monitor-mesh/shared/decode.ts';
import fc from 'fast-check';
import { decideLegacyCommand, type LegacyCommand, type LegacyParameters } from '../src/legacy-command.ts';

const decide = (parameters: LegacyParameters): LegacyCommand | string => {
  const decided = decideLegacyCommand(parameters);
  return decided.ok ? decided.value : decided.reason;
};

suite('what old calls mean', () => {
  for (const [what, parameters, expected] of [
    ['a change', { app: 'maj', id: '317', state: 'On' }, { app: 'maj', change: { id: '317', state: 'On' } }],
    [
      'blanks around an id',
      { app: 'maj', id: ' 317 ', state: ' On ' },
      { app: 'maj', change: { id: '317', state: ' On ' } },
    ],
    [
      'the first of repeated parameters',
      { app: ['maj', 'x'], id: ['1', '2'], state: 'On' },
      { app: 'maj', change: { id: '1', state: 'On' } },
    ],
    [
      'numbers and booleans',
      { app: 'maj', id: 317, state: false },
      { app: 'maj', change: { id: '317', state: 'false' } },
    ],
    [
      'a text alone',
      { app: 'messages', name: 'm1', contenu: 'bonjour' },
      { app: 'messages', name: 'm1', text: 'bonjour', unread: true },
    ],
    [
      'neither text nor flag',
      { app: 'messages', name: 'm1' },
      { app: 'messages', name: 'm1', text: '', unread: false },
    ],
    [
      'command 0',
      { app: 'messages', name: 'm1', contenu: 'x', command: '0' },
      { app: 'messages', name: 'm1', text: 'x', unread: false },
    ],
    [
      'maj as Home Assistant writes it',
      { app: 'messages', name: 'm1', contenu: 'x', maj: '1=0' },
      { app: 'messages', name: 'm1', text: 'x', unread: true },
    ],
    [
      'command before maj',
      { app: 'messages', name: 'm1', command: '1', maj: '0' },
      { app: 'messages', name: 'm1', text: '', unread: true },
    ],
    [
      'an SMS, blanks and all',
      { app: 'envoi_sms', contenu: ' alarme SOS ' },
      { app: 'envoi_sms', text: ' alarme SOS ' },
    ],
    ['the rest sensor', { app: 'api_rest_ha' }, { app: 'api_rest_ha' }],
    ['an app that never was', { app: 'reboot' }, { app: 'unknown' }],
    ['nothing', {}, { app: 'unknown' }],
  ] as const)
    test(`${what}: ${JSON.stringify(parameters)}`, () => assert.deepEqual(decide(parameters), expected));
});

suite('what is refused', () => {
  for (const [parameters, reason] of [
    [{ app: 'maj', state: 'On' }, /^id: expected .*, got ''$/u],
    [{ app: 'maj', id: ' ', state: 'On' }, /^id: expected .*, got ''$/u],
    [{ app: 'maj', id: '317', state: ' ' }, /^state: expected .*, got ''$/u],
    [{ app: 'maj', id: 'a\nb', state: 'On' }, /^id: expected no control characters/u],
    [{ app: 'maj', id: 'x'.repeat(129), state: 'On' }, /^id: .*128/u],
    [{ app: 'maj', id: { toString: 1 }, state: 'On' }, /^id: expected/u],
    [{ app: 'messages', contenu: 'x' }, /^name: .*1 char/u],
    [{ app: 'messages', name: 'x'.repeat(65), contenu: 'x' }, /^name: .*64 char/u],
    [{ app: 'messages', name: 'a\nb', contenu: 'x' }, /^name: expected no control characters, got 'a\nb'$/u],
    [{ app: 'messages', name: '\ud83d', contenu: 'x' }, /^name: expected well-formed Unicode/u],
    [
      { app: 'messages', name: 'm1', contenu: 'x'.repeat(16_385) },
      /^contenu: expected at most 16384 characters, got 16385$/u,
    ],
    [{ app: 'messages', name: 'm1', command: 'yes' }, /^command: expected 0 or 1, got 'yes'$/u],
    [{ app: 'envoi_sms' }, /^contenu: expected the text of the SMS, got ''$/u],
    [{ app: 'envoi_sms', contenu: ' \n ' }, /^contenu: expected the text of the SMS/u],
    [{ app: 'envoi_sms', contenu: 'x'.repeat(1_531) }, /^contenu: expected at most 1530 characters, got 1531$/u],
  ] as const)
    test(`${JSON.stringify(parameters).slice(0, 70)}`, () => assert.match(String(decide(parameters)), reason));
});

test('whatever the parameters are, the decision never throws and what it takes is a payload of its topic', () => {
  const value = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'01=aé\n\0 \ud83d😀') }),
    fc.constantFrom('x'.repeat(65), 'x'.repeat(1_531), ' '),
    fc.jsonValue(),
  );
  const parameters = fc
    .tuple(
      fc.constantFrom('maj', 'messages', 'envoi_sms'),
      fc.dictionary(fc.constantFrom('id', 'state', 'name', 'contenu', 'command', 'maj'), value),
    )
    .map(([app, rest]) => ({ ...rest, app }));
  fc.assert(
    fc.property(parameters, (parameters) => {
      const decided = decideLegacyCommand(parameters);
      if (!decided.ok) return assert.match(decided.reason, /^(id|state|name|contenu|command): /u);
      const command = decided.value;
      if (command.app === 'maj') encodePayload(TOPICS.maj, { ...command.change, source: 'api' });
      else if (command.app === 'envoi_sms') encodePayload(TOPICS.sms_out, { id: 'm', text: command.text });
      else if (command.app === 'messages') {
        const { name, text, unread } = command;
        encodePayload(TOPICS.message, { name, text, unread, at: '2026-10-05T07:02:03Z' });
      } else assert.fail(command.app);
    }),
    { numRuns: 1_000 },
  );
});
