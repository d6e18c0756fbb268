// Owns the topics that exist only inside the broker: where refused publishes end, and how an oversized one is told.
import { randomUUID } from 'node:crypto';

const ROOT = '$mesh/';
/** What is refused but must be acknowledged is carried on to here, empty. Nobody can subscribe to it. */
export const SINK_TOPIC = `${ROOT}sink`;
/** Stands for an oversized PUBLISH. The name changes with each process, so that no client can speak for the guard. */
export const OVERSIZED_TOPIC = `${ROOT}oversized/${randomUUID()}`;

const DOLLAR = 36;
/** Whether a topic or filter names what is only the broker's own. */
export const isInternal = (topic: string): boolean => topic.charCodeAt(0) === DOLLAR && topic.startsWith(ROOT);

/** What the packet guard swallowed. */
export interface Oversized {
  readonly topic: string;
  readonly bytes: number;
  readonly limit: number;
}

/** The payload of the small PUBLISH that stands for an oversized one. */
export const formatOversized = (oversized: Oversized): Buffer => Buffer.from(JSON.stringify(oversized));

/** @throws when the payload is not one that `formatOversized` made: only this process knows the topic, so it is a bug */
export function parseOversized(payload: Buffer): Oversized {
  const value: unknown = JSON.parse(payload.toString());
  if (typeof value === 'object' && value !== null && 'topic' in value && 'bytes' in value && 'limit' in value) {
    const { topic, bytes, limit } = value;
    if (typeof topic === 'string' && typeof bytes === 'number' && typeof limit === 'number')
      return { topic, bytes, limit };
  }
  throw new TypeError('expected topic, bytes and limit in the note of an oversized packet');
}

const TOPIC_CHARACTERS_MAX = 512;
/** A topic as it is told to others: a hostile one must not fill a log or a table. */
export const shortTopic = (topic: string): string =>
  topic.length <= TOPIC_CHARACTERS_MAX ? topic : `${topic.slice(0, TOPIC_CHARACTERS_MAX).toWellFormed()}…`;

// biome-ignore lint/suspicious/noControlCharactersInRegex: U+0000 is what is looked for
const FORBIDDEN = /[\u0000\uFFFD]/u;
/** Whether text holds U+0000 [MQTT-1.5.4-2] or U+FFFD, which is what ill-formed UTF-8 was decoded to [MQTT-1.5.4-1]. */
export const hasForbiddenText = (text: string): boolean => FORBIDDEN.test(text);
