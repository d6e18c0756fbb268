// Owns the look of somebody who has just come: what the broker retains now.
import { within } from '../rig.ts';
import { Link } from './link.ts';
import { parsePayload } from './story.ts';

const LOOK_MS = 10_000;

/** The retained numbers by topic, once all of `topics` are there; `undefined` when the broker died meanwhile. */
export async function lookAtRetained(
  port: number,
  topics: Iterable<string>,
): Promise<ReadonlyMap<string, number> | undefined> {
  const seen = new Map<string, number>();
  const left = new Set(topics);
  const complete = Promise.withResolvers<void>();
  const link = new Link({
    port,
    client_id: 'looker',
    version: 5,
    clean: true,
    onPacket: ({ cmd, topic, payload, retain }) => {
      if (cmd === 'connack')
        link.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'keep/#', qos: 0 }] });
      const whose = cmd === 'publish' && retain ? parsePayload(payload) : undefined;
      if (!whose) return;
      seen.set(topic, whose.seq);
      left.delete(topic);
      if (left.size === 0) complete.resolve();
    },
  });
  if (left.size === 0) complete.resolve();
  const died = link.closed.then(() => 'died' as const);
  const late = within(complete.promise, 'every retained message', LOOK_MS).catch(() => undefined); // judged by who asked
  const outcome = await Promise.race([late, died]);
  link.end();
  return outcome === 'died' ? undefined : seen;
}
