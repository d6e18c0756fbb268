// The payload of `mesh publish`, as the old mqtt.py wrote it.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../src/cli.ts';
import { payloadOf } from '../src/publish-command.ts';

suite('payload', () => {
  test('is the old script’s bytes: values are text, a blank after colon and comma', () => {
    assert.equal(payloadOf(['id', '317', 'state', 'On']), '{"id": "317", "state": "On"}');
    assert.equal(payloadOf(['état', 'l\'"été"\n']), '{"état": "l\'\\"été\\"\\n"}');
  });

  test('whatever words are given, they come back as they were typed', () => {
    const pairs = fc.uniqueArray(fc.tuple(fc.string(), fc.string()), { minLength: 1, selector: ([key]) => key });
    fc.assert(
      fc.property(pairs, (pairs) => {
        const read = JSON.parse(payloadOf(pairs.flat())) as Record<string, string>;
        for (const [key, value] of pairs) assert.equal(Object.getOwnPropertyDescriptor(read, key)?.value, value);
      }),
    );
  });

  test('a word without its value, or nothing, is a mistake of usage', () => {
    for (const words of [[], ['id'], ['id', '1', 'state']]) assert.throws(() => payloadOf(words), UsageError);
  });
});
