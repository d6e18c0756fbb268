// Owns the HTTP answer to a publish: what became of the message, never more than is known.
import type { PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';
import { isMid, MID_EXPECTED } from '@monitor-mesh/shared/mid.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Seconds after which a caller may try again; a broker's restart takes about as long. */
const RETRY_AFTER_S = '2';

/** The caller's own identity for a message, from `Idempotency-Key`; a fault when it can't serve as one. */
export function idempotencyKey(request: FastifyRequest): { readonly mid?: string } | { readonly fault: string } {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return {};
  if (typeof key !== 'string' || !isMid(key))
    return { fault: `Idempotency-Key: expected ${MID_EXPECTED}, got '${String(key).slice(0, 80)}'` };
  return { mid: key };
}

/** Sends the answer for an outcome; `acknowledged` calls for the route's own body. */
export function replyOutcome(
  reply: FastifyReply,
  outcome: PublishOutcome,
  acknowledged: () => FastifyReply,
): FastifyReply {
  switch (outcome.kind) {
    case 'acknowledged':
      return acknowledged();
    case 'unwritten':
      return reply
        .code(503)
        .header('retry-after', RETRY_AFTER_S)
        .send({ error: 'not_sent', message: `nothing was sent: ${outcome.reason}`, mid: outcome.mid });
    case 'unknown':
      return reply.code(504).send({
        error: 'outcome_unknown',
        message: 'outcome unknown: the broker did not answer in time; repeat with this mid as Idempotency-Key',
        mid: outcome.mid,
      });
    case 'refused':
      return reply
        .code(502)
        .send({ error: 'refused_by_broker', message: `the broker refused it: ${outcome.reason}`, mid: outcome.mid });
    default:
      return outcome satisfies never;
  }
}

/** The answer to input that does not fit. */
export const replyFault = (reply: FastifyReply, message: string): FastifyReply =>
  reply.code(400).send({ error: 'input_invalid', message });
