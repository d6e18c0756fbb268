// What a producer is told when the broker did not take its fact.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';
import Fastify from 'fastify';
import { addFactRoute } from '../src/fact-route.ts';

const MID = '01a2106f-e484-7fbb-b1ae-52e0e54213ce';

async function post(
  outcome: PublishOutcome,
): Promise<{ status: number; retry: unknown; body: Record<string, unknown> }> {
  const app = Fastify();
  addFactRoute(app, async () => outcome);
  const answer = await app.inject({ method: 'POST', url: '/fact', payload: { id: '306', state: 'On' } });
  await app.close();
  return { status: answer.statusCode, retry: answer.headers['retry-after'], body: answer.json() };
}

suite('a fact that the broker', () => {
  for (const [outcome, status, error, retry] of [
    [{ kind: 'unwritten', mid: MID, reason: 'not connected' }, 503, 'not_sent', '2'],
    [{ kind: 'unknown', mid: MID }, 504, 'outcome_unknown', undefined],
    [{ kind: 'refused', mid: MID, reason: 'no room' }, 502, 'refused_by_broker', undefined],
  ] as const)
    test(`left ${outcome.kind} is answered with ${status} and the mid to repeat it with`, async () => {
      const answer = await post(outcome);
      assert.deepEqual([answer.status, answer.retry], [status, retry]);
      assert.deepEqual([answer.body.error, answer.body.mid], [error, MID]);
    });

  test('has is answered with itself', async () => {
    const answer = await post({ kind: 'acknowledged', mid: MID });
    assert.deepEqual([answer.status, answer.body], [200, { id: '306', state: 'On' }]);
  });
});
