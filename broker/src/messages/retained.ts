// Owns the retained messages: the last one of each topic, found by name or by filter without looking at the others.
import type { Message } from './message.ts';
import { TopicTree } from './topic-tree.ts';

const KEY = '';

export class RetainedMessages {
  readonly #tree = new TopicTree<Message>();
  readonly #byTopic = new Map<string, Message>();
  #bytes = 0;

  get count(): number {
    return this.#byTopic.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(topic: string): Message | undefined {
    return this.#byTopic.get(topic);
  }

  /** Keeps a message, or forgets its topic when the payload is empty [MQTT-3.3.1-6]. */
  put(message: Message): void {
    const { topic } = message;
    const known = this.#byTopic.get(topic);
    this.#bytes -= known?.bytes ?? 0;
    if (message.payload.length === 0) {
      if (known === undefined) return;
      this.#byTopic.delete(topic);
      this.#tree.delete(topic, KEY);
      return;
    }
    this.#bytes += message.bytes;
    this.#byTopic.set(topic, message);
    this.#tree.set(topic, KEY, message);
  }

  matching(filter: string): readonly Message[] {
    return this.#tree.matchedBy(filter);
  }

  all(): Iterable<Message> {
    return this.#byTopic.values();
  }
}
