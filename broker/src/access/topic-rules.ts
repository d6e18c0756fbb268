// Owns what the contract says about a topic for a role, remembered: it is asked for every message and every receiver.
import { type Identity, mayPublish, mayRead, type Verdict } from '@monitor-mesh/shared/access.ts';
import type { Party, TopicDefinition } from '@monitor-mesh/shared/contract.ts';
import { findTopic, isOwnTopic } from '@monitor-mesh/shared/topic-index.ts';

/** Topics remembered for each role; a flood of new names starts over rather than growing. */
const REMEMBERED_MAX = 10_000;

export interface TopicRule {
  readonly own: boolean;
  readonly definition: TopicDefinition | undefined;
  readonly publish: Verdict;
  readonly readable: boolean;
}

export class TopicRules {
  readonly #byRole = new Map<Party, Map<string, TopicRule>>();

  of(role: Party, topic: string): TopicRule {
    let rules = this.#byRole.get(role);
    if (rules === undefined || rules.size >= REMEMBERED_MAX) {
      rules = new Map();
      this.#byRole.set(role, rules);
    }
    let rule = rules.get(topic);
    if (rule === undefined) {
      const who: Identity = { user: role, role }; // the user owns sessions, the role alone decides what is allowed
      rule = {
        own: isOwnTopic(topic),
        definition: findTopic(topic)?.definition,
        publish: mayPublish(who, topic),
        readable: mayRead(who, topic),
      };
      rules.set(topic, rule);
    }
    return rule;
  }
}
