// Owns what becomes of one PUBLISH: refused with a reason, or carried on with its identity, its age limit and its rank.
import type { TopicDefinition } from '@monitor-mesh/shared/contract.ts';
import { MID_PROPERTY, newMid } from '@monitor-mesh/shared/mid.ts';
import { OVERSIZED_TOPIC, parseOversized, shortTopic } from '../internal-topics.ts';
import { userProperty } from '../messages/publish-packet.ts';
import type { TopicRule } from './topic-rules.ts';

/** A PUBLISH as its sender wrote it, as far as the decision needs it. */
export interface Offered {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly expiry_s: number | undefined;
  readonly mid: string | undefined;
  /** Properties that travel on, as they stand on the wire. */
  readonly properties: Buffer;
}

export interface Stamp {
  readonly properties: Buffer;
  /** Epoch ms; 0 is never. */
  readonly expires_at_ms: number;
}

export type PublishDecision =
  | { readonly kind: 'refuse'; readonly topic: string; readonly reason: string }
  | ({
      readonly kind: 'carry';
      readonly retain: boolean;
      /** Consumers are promised the message, so QoS 0 (what people type) travels as QoS 1 within the broker. */
      readonly promised: boolean;
    } & Stamp);

const refuse = (topic: string, reason: string): PublishDecision => ({
  kind: 'refuse',
  topic: shortTopic(topic),
  reason,
});

/** Commands: a retained one would be executed again at each reconnection. */
const isCommand = ({ max_age_s, pattern }: TopicDefinition): boolean =>
  max_age_s !== undefined || pattern === 'domoticz/in';

/** Decides on a packet under the rule of its topic. */
export function decidePublish(offered: Offered, rule: TopicRule, nowMs: number): PublishDecision {
  const { topic } = offered;
  if (topic === OVERSIZED_TOPIC) return decideOversized(offered);
  if (!rule.publish.allowed) return refuse(topic, rule.publish.reason);
  const { definition } = rule;
  if (offered.retain && definition && !definition.retain && isCommand(definition))
    return refuse(
      topic,
      `a retained command would be repeated at each reconnection: publish '${topic}' without retain`,
    );
  return {
    kind: 'carry',
    // A peer's topic travels as its sender wrote it, even where a service of the mesh follows it.
    retain: offered.retain && (definition === undefined || definition.foreign !== undefined || definition.retain),
    promised: definition !== undefined && definition.foreign === undefined && definition.durable.length > 0,
    ...stamp(offered, rule, nowMs),
  };
}

const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;

function decideOversized({ payload }: Offered): PublishDecision {
  const { topic, bytes, limit } = parseOversized(payload);
  return refuse(topic, `expected a message of at most ${kib(limit)}, got ${kib(bytes)}`);
}

/** Identity and age limit: every message of the mesh has a `mid`, and none outlives what the contract says. */
export function stamp(
  { expiry_s, mid, properties }: Pick<Offered, 'expiry_s' | 'mid' | 'properties'>,
  { own, definition }: Pick<TopicRule, 'own' | 'definition'>,
  nowMs: number,
): Stamp {
  // A sender's 0 asks for nothing that makes sense: the contract's limit alone holds.
  const age_s = Math.min(expiry_s || Number.POSITIVE_INFINITY, definition?.max_age_s ?? Number.POSITIVE_INFINITY);
  return {
    expires_at_ms: age_s === Number.POSITIVE_INFINITY ? 0 : nowMs + age_s * 1000,
    // A peer's message that a service follows has its identity too: what the broker delivers twice is the same message.
    properties: (!own && definition === undefined) || mid !== undefined ? properties : withMid(properties),
  };
}

function withMid(properties: Buffer): Buffer {
  const property = userProperty(MID_PROPERTY, newMid());
  return properties.length === 0 ? property : Buffer.concat([properties, property]);
}
