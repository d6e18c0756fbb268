// What a body of the old `POST /fact` means.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decideFact } from '../src/fact.ts';

suite('a fact', () => {
  for (const [body, id, state] of [
    [{ id: '306', state: 'On' }, '306', 'On'],
    [{ idx: 'light.lampe_jardin', state: 'on' }, 'light.lampe_jardin', 'on'],
    [{ idx: 306, state: 20.5 }, '306', '20.5'],
    [{ id: null, idx: ' a ', state: true, at: 'never', x: { y: 1 } }, 'a', 'true'],
  ] as const)
    test(`${JSON.stringify(body)} is ${id} ${state}`, () =>
      assert.deepEqual(decideFact(body), { ok: true, value: { id, state } }));

  for (const [body, reason] of [
    [undefined, /^expected an object such as/],
    ['x', /^expected an object such as .* got '"x"'/],
    [[{ id: 'a', state: 'b' }], /^expected an object such as/],
    [{ state: 'On' }, /^id: expected text or a number, got 'undefined'/],
    [{ id: '', state: 'On' }, /^id: .*got ''/],
    [{ id: '306' }, /^state: expected text, a number or a boolean, got 'null'/],
    [{ id: ['306'], state: 'On' }, /^id: expected text or a number, got '\["306"\]'/],
    [{ a: 'On' }, /^id: /],
  ] as const)
    test(`${JSON.stringify(body)} is refused, and says why`, () => {
      const decided = decideFact(body);
      assert.ok(!decided.ok);
      assert.match(decided.reason, reason);
    });
});
