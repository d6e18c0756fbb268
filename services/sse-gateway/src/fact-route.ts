// Owns the old Node server's `POST /fact`: a change in, and the same JSON out once the broker has it.
import type { PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';
import type { Change } from '@monitor-mesh/shared/decode.ts';
import type { RouteAccess } from '@monitor-mesh/shared/http/gate.ts';
import { isMid, MID_EXPECTED, newMid } from '@monitor-mesh/shared/mid.ts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { decideFact } from './fact.ts';

/** Publishes `monitor/maj`; resolves with what became of it. */
export type PublishFact = (change: Change, mid: string, timeout_ms: number) => Promise<PublishOutcome>;

const ACCESS: RouteAccess = {
  kind: 'open',
  app: 'maj',
  roles: ['admin', 'homeassistant', 'dashboard', 'device', 'domoticz'],
  writes: true,
};
/** Longest wait for the broker's answer. */
const TIMEOUT_MS = 5_000;
/** Seconds after which a caller may try again; a broker's restart takes about as long. */
const RETRY_AFTER_S = '2';

export function addFactRoute(app: FastifyInstance, publish: PublishFact): void {
  app.post('/fact', { config: { access: ACCESS }, schema: { hide: true } as object }, async (request, reply) => {
    const mid = request.headers['idempotency-key'] ?? newMid();
    if (typeof mid !== 'string' || !isMid(mid))
      return refuse(reply, `Idempotency-Key: expected ${MID_EXPECTED}, got '${String(mid).slice(0, 80)}'`);
    const decided = decideFact(request.body);
    if (!decided.ok) return refuse(reply, decided.reason);
    const outcome = await publish(decided.value, mid, TIMEOUT_MS);
    // As the old server; the gate has refused pages of strangers before.
    if (outcome.kind === 'acknowledged') return reply.header('access-control-allow-origin', '*').send(request.body);
    return replyFailure(reply, outcome);
  });
}

const refuse = (reply: FastifyReply, message: string): FastifyReply =>
  reply.code(400).send({ error: 'input_invalid', message });

function replyFailure(reply: FastifyReply, outcome: Exclude<PublishOutcome, { kind: 'acknowledged' }>): FastifyReply {
  const { mid } = outcome;
  switch (outcome.kind) {
    case 'unwritten':
      return reply
        .code(503)
        .header('retry-after', RETRY_AFTER_S)
        .send({ error: 'not_sent', message: `nothing was sent: ${outcome.reason}`, mid });
    case 'unknown':
      return reply.code(504).send({
        error: 'outcome_unknown',
        message: 'outcome unknown: the broker did not answer in time; repeat with this mid as Idempotency-Key',
        mid,
      });
    case 'refused':
      return reply
        .code(502)
        .send({ error: 'refused_by_broker', message: `the broker refused it: ${outcome.reason}`, mid });
    default:
      return outcome satisfies never;
  }
}
