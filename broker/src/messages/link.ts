// Owns one live connection as the messages see it: bytes out, acknowledgements in the order of what they answer.

import type { PacketGuard } from '../doors/packet-guard.ts';
import type { EngineClient } from '../engine/engine.ts';
import type { Traffic } from '../sys-topics.ts';
import type { Form, Message } from './message.ts';
import type { PublishPacket } from './publish-packet.ts';
import type { Session } from './session.ts';
import { type AckType, ackBytes, ProtocolFault, TOPIC_ALIAS_INVALID } from './wire.ts';

/** Bytes given to a connection beyond which its queue waits until they are taken. */
const AHEAD_BYTES_MAX = 512 * 1024;
/** Topic aliases that a client may set; told to it in CONNACK. */
export const TOPIC_ALIAS_MAX = 64;

interface Slot {
  readonly bytes: Buffer;
  /** What must be safe first; `undefined` when nothing must. */
  readonly commit: Promise<void> | undefined;
}

const noop = (): void => undefined;

export class Link {
  readonly client: EngineClient;
  readonly session: Session;
  readonly version: 3 | 4 | 5;
  readonly receive_maximum: number;
  readonly #guard: PacketGuard;
  readonly #packetBytesMax: number;
  readonly #unsentBytesMax: number;
  readonly #unansweredMax: number;
  readonly #now: () => number;
  readonly #traffic: Traffic;
  readonly #aliases = new Map<number, string>();
  /** Aliases that the client was told, first come first served. */
  readonly #told = new Map<string, number>();
  readonly #aliasesMax: number;
  #slots: Slot[] = [];
  #waitingFor: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  isReady = false;

  constructor(
    client: EngineClient,
    session: Session,
    guard: PacketGuard,
    limits: {
      readonly unsent_bytes_max: number;
      readonly receive_maximum: number;
      readonly traffic: Traffic;
      now(): number;
    },
  ) {
    this.client = client;
    this.session = session;
    this.#guard = guard;
    this.version = client.version ?? 4;
    this.receive_maximum = client.receiveMaximum ?? 65_535;
    this.#aliasesMax = Math.min(client.topicAliasMaximum ?? 0, TOPIC_ALIAS_MAX);
    this.#packetBytesMax = client.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.#unsentBytesMax = limits.unsent_bytes_max;
    this.#unansweredMax = limits.receive_maximum;
    this.#now = limits.now;
    this.#traffic = limits.traffic;
  }

  /** Publishes that have no answer yet. */
  get unanswered(): number {
    return this.#slots.length;
  }

  /** Whether the connection takes more, or has its hands full. */
  get takes(): boolean {
    return this.#guard.unsent_bytes < AHEAD_BYTES_MAX;
  }

  /** QoS 0: a client that does not take what it is sent loses it, and nobody waits for it. */
  sendNow(message: Message, retain: boolean, subscription_ids: readonly number[]): void {
    if (!this.isReady || message.isExpired(this.#now())) return;
    if (this.#guard.unsent_bytes > this.#unsentBytesMax) this.#traffic.dropped++;
    else this.sendMessage(message, { qos: 0, retain, dup: false, packet_id: 0, subscription_ids });
  }

  /** Sends a message; `false` when it is larger than the client takes. */
  sendMessage(message: Message, form: Omit<Form, 'version' | 'alias' | 'alias_known'>): boolean {
    const { qos, retain, dup, packet_id, subscription_ids } = form;
    const known = this.#told.get(message.topic);
    const alias = known ?? (this.#told.size < this.#aliasesMax ? this.#told.size + 1 : 0);
    const bytes = message.encode(
      { version: this.version, qos, retain, dup, packet_id, subscription_ids, alias, alias_known: known !== undefined },
      this.#now(),
    );
    if (bytes.length > this.#packetBytesMax) return false; // [MQTT-3.1.2-24]
    if (alias !== 0 && known === undefined) this.#told.set(message.topic, alias);
    this.#guard.send(bytes);
    this.#traffic.sent++;
    return true;
  }

  sendAck(type: AckType, packetId: number, reason: number): void {
    this.#guard.send(ackBytes(type, packetId, this.version, reason));
  }

  /** Answers a publish when `commit` is done, never before an earlier publish has its answer [MQTT-4.6.0-2]. */
  answer(type: AckType, packetId: number, commit: Promise<void> | undefined, reason = 0, text?: string): void {
    const bytes = ackBytes(type, packetId, this.version, reason, text);
    if (commit === undefined && this.#slots.length === 0) return this.#guard.send(bytes);
    this.#slots.push({ bytes, commit });
    // The disk is slower than the client: it is read again when some of it has its answer.
    if (this.#slots.length >= this.#unansweredMax) this.#guard.pauseReading();
    if (commit === undefined || commit === this.#waitingFor) return;
    this.#waitingFor = commit;
    // What can not be made safe has no answer: the connection ends with the broker.
    commit.then(() => this.#onCommitted(commit), noop);
  }

  #onCommitted(commit: Promise<void>): void {
    let answered = 0;
    for (const slot of this.#slots) {
      if (slot.commit !== undefined && slot.commit !== commit) break;
      this.#guard.send(slot.bytes);
      answered += 1;
    }
    this.#slots = answered === this.#slots.length ? [] : this.#slots.slice(answered);
    if (this.#slots.length < this.#unansweredMax) this.#guard.proceed();
    if (this.#slots.length > 0) return;
    this.#idle?.();
    this.#idle = undefined;
  }

  /** Calls back once every publish has its answer. */
  whenAnswered(callback: () => void): void {
    if (this.#slots.length === 0) callback();
    else this.#idle = callback;
  }

  /** The topic of a publish, also when it is only named by its alias [MQTT-3.3.2-8]. @throws ProtocolFault */
  topicOf({ topic, topic_alias }: PublishPacket): string {
    if (topic_alias === undefined) return topic;
    if (topic_alias < 1 || topic_alias > TOPIC_ALIAS_MAX)
      throw new ProtocolFault(TOPIC_ALIAS_INVALID, `expected a topic alias of 1 to ${TOPIC_ALIAS_MAX}`);
    if (topic !== '') {
      this.#aliases.set(topic_alias, topic);
      return topic;
    }
    const known = this.#aliases.get(topic_alias);
    if (known === undefined) throw new ProtocolFault(TOPIC_ALIAS_INVALID, 'expected an alias that was set before');
    return known;
  }
}
