// Owns a subscriber with a session: it acknowledges what it gets, and keeps the identifiers of QoS 2 over reconnections.
import type { Packet } from 'mqtt-packet';
import type { Seen } from './history.ts';
import { type Loose, midOf, WireClient } from './wire-client.ts';

export interface SubscriberOptions {
  readonly port: number;
  readonly name: string;
  readonly filters: readonly string[];
  readonly qos: 1 | 2;
  readonly random: () => number;
}

/** Messages after which the cable is pulled, now and then. */
const DROP_CHANCE = 1 / 4_000;

export class Subscriber extends WireClient {
  readonly seen: Seen[] = [];
  repeated = 0;
  readonly #options: SubscriberOptions;
  /** QoS 2 that was taken and is not released [MQTT-4.3.3-10]. */
  readonly #taken = new Set<number>();
  #ready: (() => void) | undefined;

  constructor(options: SubscriberOptions) {
    super(options.port, `subscriber-${options.name}`);
    this.#options = options;
  }

  /** Resolves when the broker has granted the subscriptions. */
  subscribed(): Promise<void> {
    return new Promise((resolve) => {
      this.#ready = resolve;
    });
  }

  protected override onUp(sessionPresent: boolean): void {
    if (!sessionPresent) this.#taken.clear();
    const subscriptions = this.#options.filters.map((topic) => ({ topic, qos: this.#options.qos, rh: 2 }));
    this.send({ cmd: 'subscribe', messageId: 1, subscriptions });
  }

  protected override onPacket(packet: Packet & Loose): void {
    const messageId = Number(packet.messageId ?? 0);
    switch (packet.cmd) {
      case 'suback':
        this.#ready?.();
        return;
      case 'publish':
        this.#onPublish(packet, messageId);
        return;
      case 'pubrel':
        this.#taken.delete(messageId);
        this.send({ cmd: 'pubcomp', messageId, reasonCode: 0 });
        return;
    }
  }

  #onPublish(packet: Packet & Loose, messageId: number): void {
    const qos = Number(packet.qos);
    if (qos === 2 && this.#taken.has(messageId)) this.repeated += 1;
    else this.seen.push({ mid: midOf(packet), topic: String(packet.topic), n: Number(String(packet.payload)) });
    if (qos === 2) {
      this.#taken.add(messageId);
      this.send({ cmd: 'pubrec', messageId, reasonCode: 0 });
    }
    if (qos === 1) this.send({ cmd: 'puback', messageId, reasonCode: 0 });
    if (this.#options.random() < DROP_CHANCE) this.drop();
  }
}
