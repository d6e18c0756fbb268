// Owns what becomes of one PUBLISH: refused with a reason, or carried on with its identity, its age limit and its rank.

import type { TopicDefinition } from '@monitor-mesh/shared/contract.ts';
import { isMid, MID_PROPERTY, newMid } from '@monitor-mesh/shared/mid.ts';
import type { EnginePacket, PacketProperties } from './engine.ts';
import { hasForbiddenText, OVERSIZED_TOPIC, parseOversized, shortTopic } from './internal-topics.ts';
import type { TopicRule } from './topic-rules.ts';

export type PublishDecision =
  | { readonly kind: 'refuse'; readonly topic: string; readonly reason: string }
  | {
      readonly kind: 'carry';
      readonly retain: boolean;
      readonly properties: PacketProperties | undefined;
      readonly expires_at_ms: number | undefined;
      /** Consumers are promised the message, so QoS 0 (what people type) travels as QoS 1 within the broker. */
      readonly promised: boolean;
    };

const refuse = (topic: string, reason: string): PublishDecision => ({
  kind: 'refuse',
  topic: shortTopic(topic),
  reason,
});

/** Commands: a retained one would be executed again at each reconnection. */
const isCommand = ({ max_age_s, pattern }: TopicDefinition): boolean =>
  max_age_s !== undefined || pattern === 'domoticz/in';

/** Decides on a packet under the rule of its topic; the packet itself is not touched. */
export function decidePublish(packet: EnginePacket, rule: TopicRule, nowMs: number): PublishDecision {
  const { topic } = packet;
  if (topic === OVERSIZED_TOPIC) return decideOversized(packet);
  if (hasForbiddenText(topic)) return refuse(topic, 'expected a topic of well-formed text without U+0000');
  if (!rule.publish.allowed) return refuse(topic, rule.publish.reason);
  const { definition } = rule;
  if (packet.retain && definition && !definition.retain && isCommand(definition))
    return refuse(
      topic,
      `a retained command would be repeated at each reconnection: publish '${topic}' without retain`,
    );
  return {
    kind: 'carry',
    retain: packet.retain && (definition === undefined || definition.retain),
    promised: definition !== undefined && definition.durable.length > 0,
    ...stamp(packet, rule, nowMs),
  };
}

const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;

function decideOversized(packet: EnginePacket): PublishDecision {
  const { topic, bytes, limit } = parseOversized(Buffer.from(packet.payload));
  return refuse(topic, `expected a message of at most ${kib(limit)}, got ${kib(bytes)}`);
}

/** Identity and age limit of a message of the mesh; for any other topic only what the engine would leak is taken out. */
export function stamp(
  packet: Pick<EnginePacket, 'properties'>,
  { own, definition }: Pick<TopicRule, 'own' | 'definition'>,
  nowMs: number,
): { readonly properties: PacketProperties | undefined; readonly expires_at_ms: number | undefined } {
  const given = withoutWillDelay(packet.properties);
  const age_s = ageLimit(given?.messageExpiryInterval, definition?.max_age_s);
  const identified = own ? withMid(given) : given;
  const properties = age_s === undefined ? identified : { ...identified, messageExpiryInterval: age_s };
  return { properties, expires_at_ms: age_s === undefined ? undefined : nowMs + age_s * 1000 };
}

/** The smaller of the two. A client's 0 would mean "never" to the engine: then the contract's limit alone holds. */
function ageLimit(asked_s: number | undefined, max_s: number | undefined): number | undefined {
  const given_s = asked_s === 0 ? undefined : asked_s;
  return given_s === undefined || max_s === undefined ? (given_s ?? max_s) : Math.min(given_s, max_s);
}

function withMid(properties: PacketProperties | undefined): PacketProperties {
  const mid = properties?.userProperties?.[MID_PROPERTY];
  if (properties && typeof mid === 'string' && isMid(mid)) return properties;
  return { ...properties, userProperties: { ...properties?.userProperties, [MID_PROPERTY]: newMid() } };
}

/** Aedes 2.0.0-beta.1 delivers a will with its delay, which strict clients reject (moscajs/aedes#1098). */
function withoutWillDelay(properties: PacketProperties | undefined): PacketProperties | undefined {
  if (properties?.willDelayInterval === undefined) return properties;
  const { willDelayInterval: _, ...rest } = properties;
  return rest;
}
