// Owns the reading of a durable session: batches, acknowledged only after the handler's promise, in order.
//
// MQTT.js acknowledges one message at a time, which bounds a consumer to about a thousand a second. Here the packet is
// taken at `packetreceive`, before the library looks at its QoS, and set to QoS 0 so that the library sends no PUBACK;
// the PUBACKs are written by us when the work is safe. A test pins this to the exact version of mqtt.
import type { IPublishPacket, MqttClient } from 'mqtt';
import { durableClientId, type ServiceName, TOPICS } from '../contract.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type BrokerTarget, openClient, type Received, receivedOf } from './connection.ts';

export interface DurableConsumerOptions {
  readonly service: ServiceName;
  readonly target: BrokerTarget;
  readonly log: Log;
  /** Makes the messages safe. When it rejects, none of the batch is acknowledged and all of it comes again. */
  readonly handle: (batch: readonly Received[]) => Promise<void>;
  /** Messages in one call of `handle`. */
  readonly batch_max?: number;
  /** Calls of `handle` under way at once; acknowledgements keep their order all the same. */
  readonly overlap?: number;
  /** Resolves when the outside world that `handle` needs is back; asked after a failure, before reconnecting. */
  readonly probe?: () => Promise<void>;
  /** Calls back when the consumer starts or stops taking messages, with the reason. */
  readonly onState?: (taking: boolean, reason?: string) => void;
  /**
   * Filters of peers' topics to subscribe to, beside what the contract promises. The session keeps them; what is
   * retained below them comes once in the life of this consumer.
   */
  readonly peers?: readonly string[];
  /** Published by the broker as a legacy last will when this consumer dies. */
  readonly last_will?: string;
  readonly now?: () => number;
}

const BATCH_MAX = 500;
/** Unhandled messages held here before the socket is no longer read: the backlog waits in the broker, not in memory. */
const HELD_MAX = 2_000;
const RECEIVE_MAXIMUM = 2_000;
const SESSION_NEVER_EXPIRES = 0xff_ff_ff_ff;
const PROBE_MS_MIN = 200;
const PROBE_MS_MAX = 5_000;
const PROBE_DOUBLINGS_MAX = 10;

interface Held {
  readonly message: Received;
  readonly messageId: number;
}

interface Batch {
  readonly epoch: number;
  readonly held: readonly Held[];
  done: boolean;
}

export class DurableConsumer implements AsyncDisposable {
  readonly #options: DurableConsumerOptions;
  readonly #client: MqttClient;
  readonly #now: () => number;
  #queue: Held[] = [];
  #batches: Batch[] = [];
  /** Work under way in any epoch: nothing new begins beyond `overlap` even across a reconnection. */
  #running = 0;
  #arePeersSubscribed = false;
  /** Counts connections: what was read on one is never acknowledged on another. */
  #epoch = 0;
  /** Between the broker's CONNACK and the end of the connection. */
  #open = false;
  #release: (() => void) | undefined;
  #closing = false;
  #recovering = false;
  /** Failures since the last batch that went well: each makes the next pause longer. */
  #failures = 0;
  #idle: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(options: DurableConsumerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#client = openClient(options.target, {
      clientId: durableClientId(options.service),
      clean: false,
      properties: { sessionExpiryInterval: SESSION_NEVER_EXPIRES, receiveMaximum: RECEIVE_MAXIMUM },
      ...(options.last_will === undefined
        ? {}
        : {
            will: { topic: TOPICS.last_will.pattern, payload: Buffer.from(options.last_will), qos: 1, retain: false },
          }),
    });
    this.#client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') this.#open = true;
      if (packet.cmd === 'publish') this.#onPublish(packet);
    });
    this.#client.handleMessage = (_packet, next) => {
      if (this.#queue.length < HELD_MAX) next();
      else this.#release = next;
    };
    this.#client.on('connect', () => {
      this.#subscribePeers();
      options.onState?.(true);
    });
    this.#client.on('close', () => this.#onClose());
    this.#client.on('error', (error) => options.log.warn({ reason: error.message }, 'durable connection failed'));
  }

  /** Stops taking messages, lets the work under way end and acknowledges it, then leaves. The session stays. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#queue = [];
    this.#wake?.();
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#client.endAsync();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #subscribePeers(): void {
    const { peers = [], log } = this.#options;
    if (peers.length === 0) return;
    // At a reconnection retained messages come only when the session itself was lost [MQTT-3.3.1-10].
    const rh = this.#arePeersSubscribed ? 1 : 0;
    this.#client.subscribe([...peers], { qos: 1, rh }, (error) => {
      if (error) log.error({ reason: error.message }, 'subscription refused');
      else this.#arePeersSubscribed = true;
    });
  }

  #onPublish(packet: IPublishPacket): void {
    const { messageId } = packet;
    if (packet.qos !== 1 || messageId === undefined) {
      // QoS 0 has nothing to acknowledge and QoS 2 is never granted to these sessions; both are still the consumer's.
      this.#hold({ message: receivedOf(packet, this.#now()), messageId: 0 });
      return;
    }
    packet.qos = 0;
    this.#hold({ message: receivedOf(packet, this.#now()), messageId });
  }

  #hold(held: Held): void {
    // The library still hands on what it had parsed when the connection ended: it belongs to no epoch and comes again.
    if (this.#closing || this.#recovering || !this.#open) return;
    this.#queue.push(held);
    this.#pump();
  }

  #pump(): void {
    while (this.#running < (this.#options.overlap ?? 1) && this.#queue.length > 0 && !this.#recovering) {
      const held = this.#queue.splice(0, this.#options.batch_max ?? BATCH_MAX);
      const batch: Batch = { epoch: this.#epoch, held, done: false };
      this.#batches.push(batch);
      this.#running += 1;
      this.#releaseSocket();
      this.#options.handle(held.map(({ message }) => message)).then(
        () => this.#onDone(batch),
        (error: unknown) => this.#onFailed(batch, error),
      );
    }
  }

  #releaseSocket(): void {
    if (this.#queue.length >= HELD_MAX || this.#release === undefined) return;
    const release = this.#release;
    this.#release = undefined;
    release();
  }

  #onDone(batch: Batch): void {
    batch.done = true;
    this.#failures = 0;
    if (batch.epoch === this.#epoch) this.#acknowledge();
    this.#settle();
  }

  /** Acknowledges from the front as far as the work is done [MQTT-4.6.0-2], in one write. */
  #acknowledge(): void {
    const acks: Buffer[] = [];
    while (this.#batches[0]?.done) {
      for (const { messageId } of this.#batches.shift()?.held ?? [])
        if (messageId > 0) acks.push(Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]));
    }
    if (acks.length > 0) this.#client.stream.write(Buffer.concat(acks));
  }

  #onFailed(batch: Batch, error: unknown): void {
    if (batch.epoch === this.#epoch && !this.#closing && !this.#recovering) void this.#recover(reasonOf(error));
    this.#settle();
  }

  #settle(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#idle?.();
    this.#pump();
  }

  #onClose(): void {
    this.#epoch += 1;
    this.#open = false;
    this.#queue = [];
    this.#batches = [];
    this.#release = undefined;
    if (!this.#recovering && !this.#closing) this.#options.onState?.(false, 'the broker is not connected');
  }

  /** Leaves the broker, where the backlog is safe, and comes back when the outside world answers. */
  async #recover(reason: string): Promise<void> {
    this.#recovering = true;
    this.#options.log.warn({ reason }, 'messages wait in the broker');
    this.#options.onState?.(false, reason);
    await this.#client.endAsync();
    while (!this.#closing) {
      const pauseMs = Math.min(PROBE_MS_MIN * 2 ** this.#failures, PROBE_MS_MAX);
      this.#failures = Math.min(this.#failures + 1, PROBE_DOUBLINGS_MAX);
      await this.#pause(pauseMs * (0.5 + Math.random() / 2));
      if (await this.#outsideAnswers()) break;
    }
    if (this.#closing) return;
    this.#recovering = false;
    this.#client.reconnect();
  }

  async #outsideAnswers(): Promise<boolean> {
    try {
      await this.#options.probe?.();
      return true;
    } catch (error) {
      this.#options.onState?.(false, reasonOf(error));
      return false;
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#closing) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
