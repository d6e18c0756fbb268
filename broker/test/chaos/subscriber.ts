// Owns a subscriber with a stored session that keeps its packet identifiers over reconnections, as a good client does.
import type { Checker } from './checker.ts';
import type { Child } from './child.ts';
import { type Ack, ack, type Incoming, Link, type Version } from './link.ts';
import { parsePayload, type Qos, type Subscription } from './story.ts';

export type SubscriberStep = 'publish_received' | 'pubrec_written' | 'pubrel_received' | 'pubcomp_written' | 'held';

export interface SubscriberOptions {
  readonly name: string;
  readonly port: number;
  readonly version: Version;
  readonly subscriptions: readonly Subscription[];
  /** A subscription beside the others that comes and goes under load; it grants nothing that they do not. */
  readonly restless?: Subscription;
  /** Deliveries between two changes of the restless subscription, or between two cuts of its own connection. */
  readonly change_every?: number;
  readonly cut_every?: number;
  readonly broker: Child;
  readonly checker: Checker;
  readonly onStep: (step: SubscriberStep) => void;
  readonly onProgress: () => void;
}

const SUBSCRIBE_ID = 1;
const HOLD_COUNT = 100;
const ROUNDS_WITHOUT_PROGRESS_MAX = 50;

export class Subscriber {
  readonly name: string;
  readonly #options: SubscriberOptions;
  /** QoS 2 packet identifiers that were received and not released [MQTT-4.3.3]. */
  readonly #received = new Set<number>();
  readonly #subscribed = Promise.withResolvers<void>();
  #isPromised = false;
  #restlessOn = false;
  #link: Link | undefined;
  #back = Promise.withResolvers<void>();
  #closing = false;
  #isHolding = false;
  #held = 0;
  #count = 0;
  #fruitless = 0;

  constructor(options: SubscriberOptions) {
    this.name = options.name;
    this.#options = options;
    this.#back.resolve();
  }

  /** Resolves when the broker has given its word for the subscriptions. */
  get subscribed(): Promise<void> {
    return this.#subscribed.promise;
  }

  /** Leaves without a word; its messages wait for it. */
  leave(): void {
    this.#back = Promise.withResolvers();
    this.#link?.end();
  }

  comeBack(): void {
    this.#back.resolve();
  }

  /** Acknowledges nothing any more, until it has lost its connection. */
  hold(): void {
    this.#isHolding = true;
    this.#held = 0;
  }

  close(): void {
    this.#closing = true;
    this.#back.resolve();
    this.#link?.end();
  }

  async run(): Promise<void> {
    const { broker, port, version, name, checker } = this.#options;
    while (!this.#closing) {
      await this.#back.promise;
      await broker.up();
      if (this.#closing) return;
      const link = new Link({ port, version, client_id: name, clean: false, onPacket: (packet) => this.#on(packet) });
      this.#link = link;
      await link.closed;
      this.#isHolding = false;
      this.#fruitless += 1;
      if (this.#fruitless < ROUNDS_WITHOUT_PROGRESS_MAX) continue;
      checker.onFault('connection ended', `${name} got nowhere in ${this.#fruitless} connections`);
      return;
    }
  }

  #on(packet: Incoming): void {
    const { onStep } = this.#options;
    switch (packet.cmd) {
      case 'connack':
        return this.#onConnack(packet);
      case 'suback':
        return this.#onSuback();
      case 'publish':
        return this.#onPublish(packet);
      case 'pubrel':
        onStep('pubrel_received');
        this.#received.delete(packet.messageId ?? 0);
        this.#answer('pubcomp', packet.messageId ?? 0);
    }
  }

  #onConnack({ sessionPresent, returnCode, reasonCode }: Incoming): void {
    const { checker, name, subscriptions } = this.#options;
    const code = returnCode ?? reasonCode ?? 0;
    if (code !== 0) return checker.onFault('connection ended', `${name} was refused with ${code}`);
    if (sessionPresent) {
      if (this.#isPromised) return;
    } else {
      this.#received.clear();
      if (this.#isPromised) checker.onFault('session lost', `${name} found no session`);
    }
    this.#subscribe(subscriptions);
  }

  #subscribe(subscriptions: readonly Subscription[]): void {
    this.#link?.send({
      cmd: 'subscribe',
      messageId: SUBSCRIBE_ID,
      subscriptions: subscriptions.map(({ filter, qos }) => ({ topic: filter, qos })),
    });
  }

  #onSuback(): void {
    if (this.#isPromised) return;
    const { checker, name, subscriptions } = this.#options;
    this.#isPromised = true;
    checker.addSession(name, subscriptions);
    this.#subscribed.resolve();
  }

  #onPublish({ messageId = 0, qos, dup, retain, topic, payload, properties }: Incoming): void {
    const { onStep, checker, name, onProgress, cut_every } = this.#options;
    this.#fruitless = 0;
    if (qos === 2) onStep('publish_received');
    if (qos === 2 && this.#received.has(messageId)) return this.#answer('pubrec', messageId);
    if (qos === 2) this.#received.add(messageId);
    const whose = parsePayload(payload);
    const mid = properties?.userProperties?.mid;
    if (whose && this.#isPromised)
      checker.onDelivered(name, { ...whose, topic, retain, dup, mid: typeof mid === 'string' ? mid : undefined });
    this.#acknowledge(qos, messageId);
    this.#count += 1;
    onProgress();
    if (cut_every !== undefined && this.#count % cut_every === 0) this.#link?.end();
    else this.#beRestless();
  }

  #acknowledge(qos: Qos, id: number): void {
    if (qos === 1) this.#answer('puback', id);
    if (qos === 2) this.#answer('pubrec', id);
  }

  #answer(type: Ack, id: number): void {
    const { onStep } = this.#options;
    if (this.#isHolding) {
      this.#held += 1;
      if (this.#held === HOLD_COUNT) onStep('held');
      return;
    }
    const step = type === 'pubrec' ? 'pubrec_written' : type === 'pubcomp' ? 'pubcomp_written' : undefined;
    this.#link?.write(ack(type, id), step && (() => onStep(step)));
  }

  #beRestless(): void {
    const { restless, change_every } = this.#options;
    if (!restless || change_every === undefined || this.#count % change_every !== 0) return;
    this.#restlessOn = !this.#restlessOn;
    if (this.#restlessOn) this.#subscribe([restless]);
    else this.#link?.send({ cmd: 'unsubscribe', messageId: SUBSCRIBE_ID + 1, unsubscriptions: [restless.filter] });
  }
}
