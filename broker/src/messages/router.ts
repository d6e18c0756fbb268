// Owns who gets a message: live and stored subscriptions of every session, one answer for each topic, remembered.
import type { EngineSubscription } from '../engine/engine.ts';
import type { Session } from './session.ts';
import { TopicTree } from './topic-tree.ts';

/** One session that a message of a topic goes to, all its matching subscriptions taken together. */
export interface Receiver {
  readonly session: Session;
  /** The highest that any of them was granted [MQTT-3.3.5-1]. */
  readonly qos: number;
  /** Whether one of them keeps the retain flag as it was published. */
  readonly retain_as_published: boolean;
  /** Whether every one of them wants nothing from its own client. */
  readonly no_local: boolean;
  /** All of them [MQTT-3.3.4-3]. */
  readonly subscription_ids: readonly number[];
}

interface Filed {
  readonly session: Session;
  readonly subscription: EngineSubscription;
}

/** Topics whose receivers are remembered; a flood of new names starts over rather than growing. */
const REMEMBERED_MAX = 10_000;

export class Router {
  readonly #tree = new TopicTree<Filed>();
  readonly #mayRead: (session: Session, topic: string) => boolean;
  #remembered = new Map<string, readonly Receiver[]>();

  constructor(mayRead: (session: Session, topic: string) => boolean) {
    this.#mayRead = mayRead;
  }

  add(session: Session, subscription: EngineSubscription): void {
    this.#tree.set(subscription.topic, session.client_id, { session, subscription });
    this.forget();
  }

  remove(session: Session, filter: string): void {
    this.#tree.delete(filter, session.client_id);
    this.forget();
  }

  /** What was remembered no longer holds: somebody subscribed, or may read something else now. */
  forget(): void {
    if (this.#remembered.size > 0) this.#remembered = new Map();
  }

  receiversOf(topic: string): readonly Receiver[] {
    const known = this.#remembered.get(topic);
    if (known !== undefined) return known;
    const receivers = this.#find(topic);
    if (this.#remembered.size >= REMEMBERED_MAX) this.forget();
    this.#remembered.set(topic, receivers);
    return receivers;
  }

  #find(topic: string): readonly Receiver[] {
    const bySession = new Map<Session, EngineSubscription[]>();
    for (const { session, subscription } of this.#tree.matching(topic)) {
      const known = bySession.get(session);
      if (known) known.push(subscription);
      else if (this.#mayRead(session, topic)) bySession.set(session, [subscription]);
    }
    return [...bySession].map(([session, subscriptions]) => receiverOf(session, subscriptions));
  }
}

function receiverOf(session: Session, subscriptions: readonly EngineSubscription[]): Receiver {
  return {
    session,
    qos: Math.max(...subscriptions.map(({ qos }) => qos)),
    retain_as_published: subscriptions.some(({ rap }) => rap === true),
    no_local: subscriptions.every(({ nl }) => nl === true),
    subscription_ids: subscriptions.flatMap(({ subscriptionIdentifier: id }) => (id === undefined ? [] : [id])),
  };
}
