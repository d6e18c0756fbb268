// Owns the look-up from a topic name on the wire to its definition in the contract.
import { OWN_ROOTS, TOPIC_LIST, type TopicDefinition } from './contract.ts';
import { matchPattern } from './topic.ts';

export interface FoundTopic {
  readonly definition: TopicDefinition;
  readonly parameters: Readonly<Record<string, string>>;
}

const BY_NAME = new Map(
  TOPIC_LIST.filter(({ pattern }) => !/[{#]/u.test(pattern)).map((topic) => [topic.pattern, topic]),
);
const BY_PATTERN = TOPIC_LIST.filter(({ pattern }) => /[{#]/u.test(pattern));
const NO_PARAMETERS = Object.freeze({});

/** Whether a topic lies below one of the mesh's own first levels. */
export function isOwnTopic(name: string): boolean {
  const slash = name.indexOf('/');
  return OWN_ROOTS.has(slash === -1 ? name : name.slice(0, slash));
}

/** The definition and parameters of a topic name; `undefined` when the contract does not know it. */
export function findTopic(name: string): FoundTopic | undefined {
  const exact = BY_NAME.get(name);
  if (exact) return { definition: exact, parameters: NO_PARAMETERS };
  for (const definition of BY_PATTERN) {
    const parameters = matchPattern(definition.pattern, name);
    if (parameters) return { definition, parameters };
  }
  return undefined;
}
