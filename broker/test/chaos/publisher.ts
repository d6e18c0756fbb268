// Owns a publisher as the specification wants it: a window of open messages, resent in order after a reconnection.
import { AckOrder, type Answer } from './ack-order.ts';
import type { Checker } from './checker.ts';
import type { Child } from './child.ts';
import { ack, bytesOf, type Incoming, Link, type Loose, type Version } from './link.ts';
import type { Random } from './random.ts';
import { DATABASE_TOPIC, payloadOf, type Qos, type Sent } from './story.ts';

/** Moments between which a kill is aimed. */
export type PublisherStep = 'publish_written' | 'pubrec_received' | 'pubrel_written' | 'pubcomp_received';

export interface PublisherOptions {
  readonly name: string;
  readonly port: number;
  readonly version: Version;
  readonly window: number;
  readonly broker: Child;
  readonly checker: Checker;
  readonly random: Random;
  readonly onStep: (step: PublisherStep) => void;
  /** Something was acknowledged. */
  readonly onProgress: () => void;
}

interface Open {
  readonly sent: Sent;
  /** PUBREC was had: only PUBREL and PUBCOMP remain. */
  received: boolean;
}

const PACKET_IDS = 65_535;
/** Messages that are written at once, so that one kind of packet does not starve the others. */
const BURST = 50;
const UNSENT_BYTES_MAX = 1024 * 1024;
const ROUNDS_WITHOUT_PROGRESS_MAX = 50;

export class Publisher {
  readonly name: string;
  readonly #options: PublisherOptions;
  readonly #topics: readonly { readonly topic: string; readonly qos?: Qos; readonly retain: boolean }[];
  /** By packet identifier, in the order of publishing. */
  readonly #open = new Map<number, Open>();
  #acks = new AckOrder();
  #link: Link | undefined;
  #seq = 0;
  #packetId = 0;
  #publishing = false;
  #closing = false;
  #hasSession = false;
  /** After CONNACK, on the connection that is. */
  #isReady = false;
  #fruitless = 0;

  constructor(options: PublisherOptions) {
    const { name } = options;
    this.name = name;
    this.#options = options;
    this.#topics = [
      { topic: DATABASE_TOPIC, retain: false },
      { topic: `chaos/${name}/a`, retain: false },
      { topic: `chaos/${name}/b`, retain: false },
      // One QoS each: between two of them no order is promised.
      { topic: `keep/${name}/one`, qos: 1, retain: true },
      { topic: `keep/${name}/two`, qos: 2, retain: true },
    ];
  }

  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  publish(on: boolean): void {
    this.#publishing = on;
    this.#fill();
  }

  /** Cuts its own connection. */
  drop(): void {
    this.#link?.end();
  }

  close(): void {
    this.#closing = true;
    this.#link?.end();
  }

  /** Connects, and again whenever the connection is over. */
  async run(): Promise<void> {
    const { broker, port, version, name, checker } = this.#options;
    while (!this.#closing) {
      await broker.up();
      if (this.#closing) return;
      const link = new Link({ port, version, client_id: name, clean: false, onPacket: (packet) => this.#on(packet) });
      this.#acks = new AckOrder();
      this.#isReady = false;
      this.#link = link;
      await link.closed;
      this.#fruitless += 1;
      if (this.#fruitless < ROUNDS_WITHOUT_PROGRESS_MAX) continue;
      checker.onFault('connection ended', `${name} got nowhere in ${this.#fruitless} connections`);
      return;
    }
  }

  #on({ cmd, messageId = 0, sessionPresent, returnCode, reasonCode }: Incoming): void {
    switch (cmd) {
      case 'connack':
        return this.#onConnack(sessionPresent === true, returnCode ?? reasonCode ?? 0);
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.#fruitless = 0;
        // A PUBCOMP may say that the identifier was free already: the answer before it died with the broker.
        if (cmd !== 'pubcomp' && (reasonCode ?? 0) >= 0x80)
          this.#options.checker.onFault('not acknowledged', `${cmd} ${reasonCode}`);
        this.#judgeAck(cmd, messageId);
        this.#onAnswer(cmd, messageId);
    }
  }

  #onConnack(present: boolean, code: number): void {
    const { checker, name } = this.#options;
    if (code !== 0) return checker.onFault('connection ended', `${name} was refused with ${code}`);
    if (!present && this.#hasSession) checker.onFault('session lost', `${name} found no session`);
    for (const open of this.#open.values()) if (!present) open.received = false;
    this.#hasSession = true;
    const again = [...this.#open].map(([id, { sent, received }]) => {
      this.#owe(id, sent, received);
      if (received) return ack('pubrel', id);
      checker.onResent(name, sent.seq);
      return this.#encode(id, sent, present);
    });
    this.#isReady = true;
    this.#link?.write(Buffer.concat(again));
    this.#fill();
  }

  #owe(id: number, { qos }: Sent, received: boolean): void {
    this.#acks.owe(received ? 'pubcomp' : qos === 1 ? 'puback' : 'pubrec', id);
  }

  #judgeAck(answer: Answer, id: number): void {
    const expected = this.#acks.judge(answer, id);
    if (expected !== undefined)
      this.#options.checker.onFault('order of acks', `${this.name} got ${answer} ${id}, expected ${expected}`);
  }

  #onAnswer(cmd: Answer, id: number): void {
    const { checker, onStep, onProgress } = this.#options;
    const open = this.#open.get(id);
    if (!open) return;
    const { sent } = open;
    if (cmd !== 'pubcomp') checker.onAcked(this.name, sent.seq);
    if (cmd === 'pubrec') {
      open.received = true;
      onStep('pubrec_received');
      if (this.#link?.isClosed) return;
      this.#owe(id, sent, true);
      this.#link?.write(ack('pubrel', id), () => onStep('pubrel_written'));
      return;
    }
    if (cmd === 'pubcomp') onStep('pubcomp_received');
    this.#open.delete(id);
    if (sent.retain) checker.onRetainedSafe(sent.topic, sent.seq);
    onProgress();
    this.#fill();
  }

  #fill(): void {
    const link = this.#link;
    const { window, onStep } = this.#options;
    if (!link || link.isClosed || !this.#isReady || !this.#publishing) return;
    if (link.socket.writableLength > UNSENT_BYTES_MAX || window - this.#open.size < BURST) return;
    const parts: Buffer[] = [];
    for (let count = 0; count < BURST; count++) parts.push(this.#next());
    link.write(Buffer.concat(parts), () => {
      onStep('publish_written');
      this.#fill();
    });
  }

  #next(): Buffer {
    const { random, checker, version } = this.#options;
    const { topic, qos = random.pick([0, 1, 2] as const), retain } = random.pick(this.#topics);
    const seq = this.#seq++;
    const mid = version === 5 ? `${this.name}.${seq}` : undefined;
    const sent: Sent = { publisher: this.name, seq, topic, qos, retain, mid };
    checker.onSent(sent);
    if (qos === 0) return this.#encode(0, sent, false);
    const id = this.#newPacketId();
    this.#open.set(id, { sent, received: false });
    this.#owe(id, sent, false);
    return this.#encode(id, sent, false);
  }

  #newPacketId(): number {
    do this.#packetId = (this.#packetId % PACKET_IDS) + 1;
    while (this.#open.has(this.#packetId));
    return this.#packetId;
  }

  #encode(id: number, sent: Sent, dup: boolean): Buffer {
    const { topic, qos, retain, mid } = sent;
    const packet: Loose = { cmd: 'publish', topic, payload: payloadOf(sent), qos, retain, dup, messageId: id };
    return bytesOf(
      mid === undefined ? packet : { ...packet, properties: { userProperties: { mid } } },
      this.#options.version,
    );
  }
}
