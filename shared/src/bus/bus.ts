// Owns a service's live connection to the broker: publishing with a known outcome, live subscriptions, status, last will.
import { strict as assert } from 'node:assert';
import type { IPublishPacket, MqttClient } from 'mqtt';
import { type Identity, mayPublish, maySubscribe } from '../access.ts';
import { type PayloadOf, type ServiceName, TOPICS, type TopicKey } from '../contract.ts';
import { encodePayload } from '../decode.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { MID_PROPERTY, newMid } from '../mid.ts';
import { isoOf } from '../time.ts';
import { filterMatches, filterOf, type Parameters, topicName } from '../topic.ts';
import { type BrokerTarget, openClient, type Received, receivedOf } from './connection.ts';
import { Outbox, type Outgoing } from './outbox.ts';
import { RejectTally } from './reject-tally.ts';

/**
 * What became of a publish. `acknowledged`: the broker has it. `unwritten`: it never left this process and will not.
 * `unknown`: it was written but no answer came in time; it may or may not have arrived. `refused`: the broker said no.
 */
export type PublishOutcome =
  | { readonly kind: 'acknowledged'; readonly mid: string }
  | { readonly kind: 'unwritten'; readonly mid: string; readonly reason: string }
  | { readonly kind: 'unknown'; readonly mid: string }
  | { readonly kind: 'refused'; readonly mid: string; readonly reason: string };

export interface PublishOptions {
  /** Identity of the message; a new one when absent. */
  readonly mid?: string;
  /** Deadline in ms for the broker's answer. */
  readonly timeout_ms?: number;
}

export type ServiceState = PayloadOf<typeof TOPICS.status>['state'];

export interface BusOptions {
  readonly service: ServiceName;
  readonly version: string;
  readonly target: BrokerTarget;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly now?: () => number;
}

/** Long enough for a broker that is busy with its disk, short enough that a caller still waits. */
const PUBLISH_TIMEOUT_MS = 10_000;
const REJECT_FLUSH_MS = 60_000;
const CLOSE_TIMEOUT_MS = 2_000;

interface Entry {
  readonly message: Outgoing;
  readonly settle: (outcome: PublishOutcome) => void;
  messageId: number | undefined;
}

interface LiveSubscription {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly handler: (message: Received) => void;
}

/** Topics remembered as seen live in one connection; as many as a screen shows devices, and some. */
const LIVE_TOPICS_MAX = 50_000;
/** Topics whose subscribers are remembered; a flood of new names starts over. */
const MATCHING_MAX = 10_000;

export class Bus implements AsyncDisposable {
  readonly #options: BusOptions;
  readonly #identity: Identity;
  readonly #client: MqttClient;
  readonly #outbox = new Outbox<Entry>();
  /** Written, not answered yet. */
  readonly #written = new Set<Entry>();
  readonly #subscriptions: LiveSubscription[] = [];
  readonly #matching = new Map<string, readonly LiveSubscription[]>();
  readonly #watchers = new Set<(connected: boolean) => void>();
  /** Topics that spoke since we connected: what the broker kept from before is older and comes too late. */
  readonly #live = new Set<string>();
  readonly #tally: RejectTally;
  readonly #tallyTimer: NodeJS.Timeout;
  readonly #now: () => number;
  readonly #rejected;
  #ready = false;
  #closing = false;
  #since: string;
  #state: ServiceState = 'starting';
  #stateReason: string | undefined;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#identity = { user: options.service, role: options.service };
    this.#now = options.now ?? Date.now;
    this.#since = isoOf(this.#now());
    this.#rejected = options.metrics.counter('mesh_rejected_total', 'Messages refused for what they held', ['service']);
    this.#tally = new RejectTally((rejection) => {
      options.log.warn(rejection, 'input refused');
      void this.publish('reject', {}, { ...rejection, at: isoOf(this.#now()) });
    });
    this.#tallyTimer = setInterval(() => this.#tally.flush(), REJECT_FLUSH_MS).unref();
    this.#client = openClient(options.target, {
      clientId: `mesh-${options.service}-live`,
      clean: true,
      will: {
        topic: topicName(TOPICS.status.pattern, { service: options.service }),
        payload: encodePayload(TOPICS.status, { state: 'offline', since: this.#since, version: options.version }),
        qos: 1,
        retain: true,
      },
    });
    this.#client.on('connect', () => this.#onConnect());
    this.#client.on('close', () => this.#onClose());
    this.#client.on('error', (error) => options.log.warn({ reason: error.message }, 'broker connection failed'));
    this.#client.on('message', (_topic, _payload, packet) => this.#onMessage(packet));
  }

  /** Whether the broker has answered and live subscriptions are in place or on their way. */
  get connected(): boolean {
    return this.#ready;
  }

  /** Messages that wait for a connection. */
  get waiting(): number {
    return this.#outbox.size;
  }

  /** Calls back at every change of `connected`. */
  watch(watcher: (connected: boolean) => void): void {
    this.#watchers.add(watcher);
  }

  /** Resolves at the first connection, or at once when there is one. */
  untilConnected(): Promise<void> {
    if (this.#ready) return Promise.resolve();
    return new Promise((resolve) => {
      const watcher = (): void => {
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
    });
  }

  /**
   * Publishes a topic of the contract and waits for the broker's answer, or for the deadline.
   *
   * @throws AssertionError or ZodError when this service may not publish it or the payload breaks the schema:
   * a programmer's mistake, found before the wire
   */
  publish<Key extends TopicKey>(
    key: Key,
    parameters: Parameters<(typeof TOPICS)[Key]['pattern']>,
    payload: PayloadOf<(typeof TOPICS)[Key]>,
    options: PublishOptions = {},
  ): Promise<PublishOutcome> {
    const definition = TOPICS[key];
    const topic = topicName(definition.pattern as string, parameters as Record<string, string>);
    const verdict = mayPublish(this.#identity, topic);
    assert(verdict.allowed, verdict.allowed ? '' : verdict.reason);
    return this.#send(
      {
        topic,
        payload: encodePayload(definition, payload as never),
        qos: definition.qos,
        retain: definition.retain,
        mid: options.mid ?? newMid(),
        max_age_s: 'max_age_s' in definition ? definition.max_age_s : undefined,
      },
      options.timeout_ms ?? PUBLISH_TIMEOUT_MS,
    );
  }

  /**
   * Publishes below a peer's own root, whose names the contract does not build; never retained.
   *
   * @throws AssertionError when this service may not publish it
   */
  publishForeign(
    topic: string,
    payload: Buffer,
    {
      mid = newMid(),
      max_age_s,
      timeout_ms = PUBLISH_TIMEOUT_MS,
    }: PublishOptions & { readonly max_age_s?: number } = {},
  ): Promise<PublishOutcome> {
    const verdict = mayPublish(this.#identity, topic);
    assert(verdict.allowed, verdict.allowed ? '' : verdict.reason);
    return this.#send({ topic, payload, qos: 1, retain: false, mid, max_age_s }, timeout_ms);
  }

  /** Receives a topic of the contract as it happens, and what is retained of it first. Nothing waits for an absent service. */
  subscribe<Key extends TopicKey>(key: Key, handler: (message: Received) => void): void {
    const definition = TOPICS[key];
    const filter = filterOf(definition.pattern);
    const verdict = maySubscribe(this.#identity, filter);
    assert(verdict.allowed, verdict.allowed ? '' : verdict.reason);
    const subscription: LiveSubscription = { filter, qos: definition.qos, handler };
    this.#subscriptions.push(subscription);
    this.#matching.clear();
    if (this.#ready) this.#subscribeOnWire([subscription]);
  }

  /** Counts input that was refused, with the reason, and tells `mesh/reject`. */
  reject(topic: string, reason: string): void {
    this.#rejected.inc({ service: this.#options.service });
    this.#tally.add(topic, reason);
  }

  /** Publishes this service's state; it is repeated at every reconnection. */
  setState(state: ServiceState, reason?: string): void {
    if (state === this.#state && reason === this.#stateReason) return;
    this.#state = state;
    this.#stateReason = reason;
    this.#since = isoOf(this.#now());
    if (this.#ready) this.#publishState();
  }

  /** Says offline, then leaves. What still waits is settled as never written. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#tallyTimer);
    this.#tally.flush();
    if (this.#ready) {
      this.#state = 'offline';
      this.#since = isoOf(this.#now());
      await this.#publishState(CLOSE_TIMEOUT_MS);
    }
    for (const entry of this.#outbox.drain())
      entry.settle({ kind: 'unwritten', mid: entry.message.mid, reason: 'the service is stopping' });
    const unanswered = [...this.#written];
    for (const entry of unanswered) entry.settle({ kind: 'unknown', mid: entry.message.mid });
    // An orderly end waits for every answer: not for those that were just given up.
    await this.#client.endAsync(!this.#ready || unanswered.length > 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #publishState(timeout_ms = PUBLISH_TIMEOUT_MS): Promise<PublishOutcome> {
    const status = { state: this.#state, since: this.#since, version: this.#options.version };
    return this.publish(
      'status',
      { service: this.#options.service },
      this.#stateReason === undefined ? status : { ...status, reason: this.#stateReason },
      { timeout_ms },
    );
  }

  #send(message: Outgoing, timeoutMs: number): Promise<PublishOutcome> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#onDeadline(entry), timeoutMs);
      const entry: Entry = {
        message,
        messageId: undefined,
        settle: (outcome) => {
          clearTimeout(timer);
          this.#written.delete(entry);
          resolve(outcome);
        },
      };
      if (this.#ready) this.#write(entry);
      else if (!this.#outbox.add(entry))
        entry.settle({ kind: 'unwritten', mid: message.mid, reason: 'too many messages wait for the broker' });
    });
  }

  #write(entry: Entry): void {
    const { topic, payload, qos, retain, mid, max_age_s } = entry.message;
    this.#written.add(entry);
    const properties = {
      userProperties: { [MID_PROPERTY]: mid },
      ...(max_age_s === undefined ? {} : { messageExpiryInterval: max_age_s }),
    };
    this.#client.publish(topic, payload, { qos, retain, properties }, (error) => this.#onAnswer(entry, error));
    if (qos > 0) entry.messageId = this.#client.getLastMessageId();
  }

  #onAnswer(entry: Entry, error: Error | null | undefined): void {
    const { mid } = entry.message;
    if (!error) return entry.settle({ kind: 'acknowledged', mid });
    const refusedByBroker = 'code' in error && typeof error.code === 'number' && error.code >= 0x80;
    entry.settle(refusedByBroker ? { kind: 'refused', mid, reason: error.message } : { kind: 'unknown', mid });
  }

  #onDeadline(entry: Entry): void {
    const { mid } = entry.message;
    if (this.#outbox.remove(entry))
      return entry.settle({ kind: 'unwritten', mid, reason: 'the broker is not connected' });
    // It is on the wire: make sure that a later reconnection does not send it behind the caller's back.
    if (entry.messageId !== undefined) this.#client.removeOutgoingMessage(entry.messageId);
    entry.settle({ kind: 'unknown', mid });
  }

  #onConnect(): void {
    this.#ready = true;
    this.#live.clear();
    this.#options.log.info('broker connected');
    this.#subscribeOnWire(this.#subscriptions);
    void this.#publishState();
    for (const entry of this.#outbox.drain()) this.#write(entry);
    this.#tellWatchers();
  }

  #onClose(): void {
    if (!this.#ready) return;
    this.#ready = false;
    if (!this.#closing) this.#options.log.warn('broker connection lost');
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    for (const watcher of [...this.#watchers]) watcher(this.#ready);
  }

  #subscribeOnWire(subscriptions: readonly LiveSubscription[]): void {
    if (subscriptions.length === 0) return;
    const wanted = Object.fromEntries(subscriptions.map(({ filter, qos }) => [filter, { qos }]));
    this.#client.subscribe(wanted, (error) => {
      if (error && this.#ready) this.#options.log.error({ reason: error.message }, 'subscription refused');
    });
  }

  /** Matching is remembered: a house has few topics and each of them speaks often. */
  #subscribersOf(topic: string): readonly LiveSubscription[] {
    const known = this.#matching.get(topic);
    if (known) return known;
    const found = this.#subscriptions.filter(({ filter }) => filterMatches(filter, topic));
    if (this.#matching.size >= MATCHING_MAX) this.#matching.clear();
    this.#matching.set(topic, found);
    return found;
  }

  #onMessage(packet: IPublishPacket): void {
    const message = receivedOf(packet, this.#now());
    if (message.retain && this.#live.has(message.topic)) return;
    if (!message.retain && this.#live.size < LIVE_TOPICS_MAX) this.#live.add(message.topic);
    for (const { handler } of this.#subscribersOf(message.topic)) {
      try {
        handler(message);
      } catch (error) {
        this.#options.log.error({ err: error, topic: message.topic }, 'handler failed');
      }
    }
  }
}
