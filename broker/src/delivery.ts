// Owns the last look at each message before a client gets it: once only, in order after a replay, and only what it may read.
import type { Deliver, EngineClient, EnginePacket } from './engine.ts';

export interface DeliveryRules {
  /** Name under which the engine counts its own messages. */
  readonly engine_id: string;
  /** Number of messages that the engine had counted when the client connected. */
  readonly counter: number;
  mayRead(topic: string): boolean;
  /** Whether the client takes what it is sent; when not it is cut. */
  keepsUp(): boolean;
  onExpired(topic: string): void;
  now(): number;
}

/** A held message was answered when it came. */
const noAnswer = (): void => undefined;

/** A message that was being queued while its client connected can be this far behind the engine's counter. */
const COUNTED_BACK_MAX = 10_000;

/**
 * One client's deliveries. Aedes keeps only the last counter of each broker to recognise duplicates, and so loses messages
 * that overtake each other (moscajs/aedes#955, #994); and where a hook withholds a live message of a persistent session,
 * it deletes another one from its queue, the first without a packet identifier. Both decisions are therefore taken here,
 * in front of Aedes. To be removed when the session pump of our own feeds persistent sessions.
 */
export class Delivery {
  readonly #client: EngineClient;
  readonly #rules: DeliveryRules;
  readonly #deliver0: Deliver;
  readonly #deliverQoS: Deliver;
  #lastBroker: string | null | undefined;
  #lastCounter: number | undefined;
  #held: EnginePacket[] = [];
  readonly #replayed = new Set<number>();

  constructor(client: EngineClient, rules: DeliveryRules) {
    this.#client = client;
    this.#rules = rules;
    this.#deliver0 = client.deliver0;
    this.#deliverQoS = client.deliverQoS;
    client.duplicates = new Proxy({}, { get: () => 0, set: () => true });
    client.deliver0 = (packet, done) => this.#offer(packet, done);
    client.deliverQoS = (packet, done) => this.#offer(packet, done);
  }

  #offer(packet: EnginePacket, done: () => void): void {
    if (this.#isRepeated(packet) || !this.#rules.mayRead(packet.topic) || !this.#rules.keepsUp()) done();
    else if (packet.qos > 0 && packet.brokerId && this.#isReplaying) {
      // what is newer than the backlog comes after it; the queue in the persistence holds the same messages
      this.#held.push(packet);
      done();
    } else (packet.qos === 0 ? this.#deliver0 : this.#deliverQoS)(packet, done);
  }

  get #isReplaying(): boolean {
    return this.#client.connecting && !this.#client.clean;
  }

  /** The subscriptions of one client get a message one right after the other, so the last one is all there is to remember. */
  #isRepeated({ brokerId, brokerCounter }: EnginePacket): boolean {
    if (!brokerId) return false; // retained messages at a subscription are sent for each filter
    if (brokerId === this.#lastBroker && brokerCounter === this.#lastCounter) return true;
    this.#lastBroker = brokerId;
    this.#lastCounter = brokerCounter;
    return this.#wasReplayed(brokerId, brokerCounter);
  }

  #wasReplayed(brokerId: string, counter: number | undefined): boolean {
    return (
      this.#replayed.size > 0 &&
      brokerId === this.#rules.engine_id &&
      counter !== undefined &&
      this.#replayed.has(counter)
    );
  }

  /** Looks at a message that comes from the queue; `null` deletes it there. */
  replay(packet: EnginePacket): EnginePacket | null {
    if (!this.#isReplaying) return packet; // a live one, seen already
    const { brokerId, brokerCounter, messageExpiry, topic } = packet;
    if (
      brokerId === this.#rules.engine_id &&
      brokerCounter !== undefined &&
      brokerCounter > this.#rules.counter - COUNTED_BACK_MAX
    )
      this.#replayed.add(brokerCounter);
    if (!this.#rules.mayRead(topic)) return null;
    if (messageExpiry === undefined || messageExpiry > this.#rules.now()) return packet;
    this.#rules.onExpired(topic);
    return null;
  }

  /** The backlog is out: what came meanwhile follows. */
  onReplayed(): void {
    const held = this.#held;
    this.#held = [];
    for (const packet of held)
      if (!this.#wasReplayed(packet.brokerId ?? '', packet.brokerCounter)) this.#deliverQoS(packet, noAnswer);
  }
}
