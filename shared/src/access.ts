// Owns who may publish and read which topic: a pure reading of the contract, the same for MQTT, HTTP and SSE.
import { OWN_ROOTS, type Party, SERVICES, type ServiceName, TOPIC_LIST, type TopicDefinition } from './contract.ts';
import { filterCovers, filterFault, filterMatches, filterOf, filtersOverlap } from './topic.ts';
import { findTopic, isOwnTopic } from './topic-index.ts';

/** Who a connection or a request is. `user` owns sessions; `role` decides what is allowed. */
export interface Identity {
  readonly user: string;
  readonly role: Party;
}

export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

const ALLOWED: Verdict = Object.freeze({ allowed: true });
const refuse = (reason: string): Verdict => ({ allowed: false, reason });

export const isService = (party: Party): party is ServiceName => (SERVICES as readonly string[]).includes(party);

/** Whether the topic names one service in a `{service}` level that is not the publisher's own. */
const speaksForAnother = (role: Party, parameters: Readonly<Record<string, string>>): boolean =>
  parameters.service !== undefined && parameters.service !== role;

/** Peers' topics that a party is named for; one with a movable root may lie below any first level that is free. */
const foreignTopics = (role: Party, side: 'from' | 'to'): readonly TopicDefinition[] =>
  TOPIC_LIST.filter((topic) => topic.foreign !== undefined && topic[side].includes(role));
const isForeignTo = (role: Party, side: 'from' | 'to', topic: string): boolean =>
  foreignTopics(role, side).some(
    ({ foreign, pattern }) => foreign === 'movable' || filterMatches(filterOf(pattern), topic),
  );

/** Whether `who` may publish to `topic`. Services publish only what the contract names; people are free outside the mesh's roots. */
export function mayPublish(who: Identity, topic: string): Verdict {
  if (topic.startsWith('$')) return refuse(`topics that begin with '$' belong to the broker, got '${topic}'`);
  const found = isOwnTopic(topic) ? findTopic(topic) : undefined;
  if (found) {
    if (!found.definition.from.includes(who.role)) return refuse(`role '${who.role}' may not publish '${topic}'`);
    if (speaksForAnother(who.role, found.parameters))
      return refuse(`'${who.role}' may not speak for '${found.parameters.service}'`);
    return ALLOWED;
  }
  if (isOwnTopic(topic)) return refuse(`the mesh has no topic '${topic}'`);
  if (isService(who.role) && !isForeignTo(who.role, 'from', topic))
    return refuse(`service '${who.role}' may publish only topics of the contract, got '${topic}'`);
  return ALLOWED;
}

const readable = new Map<Party, readonly string[]>();
/** The filters of the contract that a party may read. */
export function readableFilters(role: Party): readonly string[] {
  let filters = readable.get(role);
  if (!filters) {
    filters = TOPIC_LIST.filter(({ to }) => to.includes(role)).map(({ pattern }) => filterOf(pattern));
    readable.set(role, filters);
  }
  return filters;
}

/** Whether `who` may receive messages of `topic`. */
export function mayRead(who: Identity, topic: string): boolean {
  if (topic.startsWith('$')) return who.role === 'admin' || who.role === 'local';
  if (!isOwnTopic(topic)) return !isService(who.role) || isForeignTo(who.role, 'to', topic);
  return readableFilters(who.role).some((filter) => filterMatches(filter, topic));
}

/**
 * Whether `who` may subscribe to `filter`. A service's filter must lie within the contract. A person's filter may be
 * wider than what they may read (`#`): the messages in between are withheld one by one with `mayRead`.
 */
export function maySubscribe(who: Identity, filter: string): Verdict {
  const fault = filterFault(filter);
  if (fault) return refuse(fault);
  if (filter.startsWith('$share/')) return refuse('shared subscriptions are not offered');
  if (filter.startsWith('$'))
    return mayRead(who, filter) ? ALLOWED : refuse(`role '${who.role}' may not read '${filter}'`);
  const filters = readableFilters(who.role);
  if (isService(who.role)) {
    if (filters.some((wide) => filterCovers(wide, filter))) return ALLOWED;
    const isMoved = !/^[+#]/u.test(filter) && !isOwnTopic(filter);
    if (isMoved && foreignTopics(who.role, 'to').some(({ foreign }) => foreign === 'movable')) return ALLOWED;
    return refuse(`service '${who.role}' may not subscribe to '${filter}'`);
  }
  const root = filter.split('/')[0] ?? '';
  if (root === '+' || root === '#' || !OWN_ROOTS.has(root)) return ALLOWED;
  return filters.some((other) => filtersOverlap(other, filter))
    ? ALLOWED
    : refuse(`role '${who.role}' may not read '${filter}'`);
}
