// Messages that wait for a connection: their order and their limits.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX, Outbox, type Outgoing } from '../../src/bus/outbox.ts';

const entry = (bytes = 1): { readonly message: Outgoing } => ({
  message: { topic: 't', payload: Buffer.alloc(bytes), qos: 1, retain: false, mid: 'm', max_age_s: undefined },
});

suite('outbox', () => {
  test('whatever is added and removed, what is left comes out oldest first, once', () => {
    const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat(20)));
    fc.assert(
      fc.property(steps, (steps) => {
        const outbox = new Outbox<ReturnType<typeof entry>>();
        const made: ReturnType<typeof entry>[] = [];
        let model: ReturnType<typeof entry>[] = [];
        for (const step of steps) {
          if (step === 'add') {
            const added = entry();
            made.push(added);
            model.push(added);
            assert.equal(outbox.add(added), true);
          } else {
            const one = made[step] ?? entry();
            assert.equal(outbox.remove(one), model.includes(one));
            model = model.filter((other) => other !== one);
          }
          assert.equal(outbox.size, model.length);
        }
        assert.deepEqual(outbox.drain(), model);
        assert.deepEqual([outbox.size, outbox.drain()], [0, []]);
      }),
    );
  });

  test('a message too many is refused, and there is room again when one leaves', () => {
    const outbox = new Outbox();
    const first = entry();
    outbox.add(first);
    for (let count = 1; count < OUTBOX_MESSAGES_MAX; count++) assert.equal(outbox.add(entry()), true);
    assert.equal(outbox.add(entry()), false);
    outbox.remove(first);
    assert.deepEqual([outbox.add(entry()), outbox.add(entry())], [true, false]);
  });

  test('bytes too many are refused, and the room of what left is given back, also by drain', () => {
    const outbox = new Outbox();
    const half = entry(OUTBOX_BYTES_MAX / 2);
    assert.deepEqual(
      [outbox.add(half), outbox.add(entry(OUTBOX_BYTES_MAX / 2)), outbox.add(entry(1))],
      [true, true, false],
    );
    assert.deepEqual([outbox.remove(half), outbox.remove(half)], [true, false]);
    assert.deepEqual([outbox.add(entry(OUTBOX_BYTES_MAX / 2 + 1)), outbox.add(half)], [false, true]);
    outbox.drain();
    assert.equal(outbox.add(entry(OUTBOX_BYTES_MAX)), true);
  });
});
