// Owns a publisher as the specification wants it: a window of open messages, sent again in order after a reconnection.
import { newMid } from '@monitor-mesh/shared/mid.ts';
import type { Packet } from 'mqtt-packet';
import { DATABASE_TOPIC, type Sent } from './history.ts';
import { type Loose, WireClient } from './wire-client.ts';

/** What may be killed at: the steps of the protocol, as this side sees them. */
export type Step = 'publish written' | 'pubrec received' | 'pubrel written' | 'pubcomp received' | 'puback received';

interface Open {
  readonly sent: Sent;
  readonly packetId: number;
  released: boolean;
}

export interface PublisherOptions {
  readonly port: number;
  readonly name: string;
  readonly count: number;
  readonly window: number;
  readonly onStep: (step: Step) => void;
  readonly onDone: () => void;
}

const PACKET_IDS = 60_000;

export class Publisher extends WireClient {
  readonly sent: Sent[] = [];
  readonly acknowledged = new Set<string>();
  outOfOrder = 0;
  resent = 0;
  readonly #options: PublisherOptions;
  /** QoS 1 and 2 that are not finished, oldest first. */
  readonly #open = new Map<number, Open>();
  /** Packet identifiers of this connection whose first answer is awaited, in order. */
  #expected: number[] = [];
  #up = false;
  #done = false;

  constructor(options: PublisherOptions) {
    super(options.port, `publisher-${options.name}`);
    this.#options = options;
  }

  protected override onUp(): void {
    this.#expected = [];
    for (const open of this.#open.values()) {
      this.resent += 1;
      if (open.released) this.#release(open);
      else this.#write(open, true);
    }
    this.#up = true;
    this.#pump();
  }

  override drop(): void {
    this.#up = false;
    super.drop();
  }

  protected override onPacket({ cmd, messageId }: Packet & Loose): void {
    const open = this.#open.get(Number(messageId));
    if (!open) return;
    switch (cmd) {
      case 'puback':
        this.#answered(open);
        this.#open.delete(open.packetId);
        this.#options.onStep('puback received');
        break;
      case 'pubrec':
        this.#answered(open);
        this.#options.onStep('pubrec received');
        open.released = true;
        this.#release(open);
        break;
      case 'pubcomp':
        this.#open.delete(open.packetId);
        this.#options.onStep('pubcomp received');
        break;
    }
    this.#pump();
  }

  #answered({ packetId, sent }: Open): void {
    if (this.#expected.shift() !== packetId) this.outOfOrder += 1;
    this.acknowledged.add(sent.mid);
  }

  #release({ packetId }: Open): void {
    this.send({ cmd: 'pubrel', messageId: packetId, reasonCode: 0 });
    this.#options.onStep('pubrel written');
  }

  #pump(): void {
    const { name, count, window } = this.#options;
    while (this.#up && this.sent.length < count && this.#open.size < window) {
      const place = this.sent.length;
      const qos = (place % 5 === 0 ? 0 : place % 3 === 0 ? 2 : 1) as 0 | 1 | 2;
      const topic = place % 4 === 0 ? DATABASE_TOPIC : `chaos/${name}${place % 7 === 0 ? '/kept' : ''}`;
      const sent: Sent = { mid: newMid(), topic, qos, n: place };
      this.sent.push(sent);
      const open: Open = { sent, packetId: 1 + (place % PACKET_IDS), released: false };
      if (qos > 0) this.#open.set(open.packetId, open);
      this.#write(open, false);
    }
    if (this.sent.length < count || this.#open.size > 0 || this.#done) return;
    this.#done = true;
    this.#options.onDone();
  }

  #write({ sent: { mid, topic, qos, n }, packetId }: Open, dup: boolean): void {
    const payload = topic === DATABASE_TOPIC ? `{"id":"${this.#options.name}","state":"${n}"}` : String(n);
    if (qos > 0) this.#expected.push(packetId);
    this.send({
      cmd: 'publish',
      topic,
      payload,
      qos,
      dup: dup && qos > 0,
      retain: topic.endsWith('/kept'),
      ...(qos > 0 ? { messageId: packetId } : {}),
      properties: { userProperties: { mid } },
    });
    this.#options.onStep('publish written');
  }
}
