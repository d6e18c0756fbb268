// Owns a scripted broker at the other end of a stream: one durable session, every packet and chunk it was sent, in order.
import { type Duplex, duplexPair } from 'node:stream';
import mqtt, { type IPublishPacket, type Packet } from 'mqtt-packet';

const DEADLINE_MS = 5_000;
const V5 = { protocolVersion: 5 } as const;

/** One connection as the peer sees it. */
export interface Link {
  readonly packets: readonly Packet[];
  /** Packets of each chunk of bytes: what the client wrote in one go. */
  readonly chunks: readonly (readonly Packet[])[];
  readonly end: Duplex;
  /** Identifiers that the client acknowledged here. */
  readonly acks: readonly number[];
}

export class Peer {
  readonly links: Link[] = [];
  /** Published and not acknowledged: delivered again at each connection. */
  readonly unacknowledged = new Map<number, string>();
  readonly #waiting = new Set<() => void>();
  #nextId = 1;

  /** A door for `BrokerTarget`. */
  readonly attach = (): Duplex => {
    const [inner, outer] = duplexPair();
    const packets: Packet[] = [];
    const chunks: Packet[][] = [];
    const acks: number[] = [];
    const link: Link = { packets, chunks, acks, end: inner };
    this.links.push(link);
    const parser = mqtt.parser(V5);
    parser.on('packet', (packet) => {
      packets.push(packet);
      chunks.at(-1)?.push(packet);
      if (packet.cmd === 'puback' && packet.messageId !== undefined) acks.push(packet.messageId);
      this.#onPacket(packet, link);
    });
    inner.on('data', (chunk: Buffer) => {
      chunks.push([]);
      parser.parse(chunk);
      this.#wake();
    });
    inner.on('error', () => inner.destroy());
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
    inner.on('close', () => this.#wake());
    return outer;
  };

  get link(): Link {
    const link = this.links.at(-1);
    if (!link) throw new Error('expected a connection');
    return link;
  }

  #onPacket(packet: Packet, link: Link): void {
    if (packet.cmd === 'connect') {
      link.end.write(mqtt.generate({ cmd: 'connack', reasonCode: 0, sessionPresent: true }, V5));
      if (this.unacknowledged.size > 0) link.end.write(this.#bytes([...this.unacknowledged], true));
    } else if (packet.cmd === 'puback' && packet.messageId !== undefined) {
      this.unacknowledged.delete(packet.messageId);
    } else if (packet.cmd === 'disconnect') link.end.destroy();
  }

  #bytes(messages: readonly (readonly [number, string])[], dup: boolean): Buffer {
    return Buffer.concat(
      messages.map(([messageId, payload]) => {
        const packet: IPublishPacket = {
          cmd: 'publish',
          topic: 'monitor/maj',
          payload,
          qos: 1,
          messageId,
          dup,
          retain: false,
        };
        return mqtt.generate(packet, V5);
      }),
    );
  }

  /** Publishes QoS 1 messages in one chunk. */
  publish(...texts: readonly string[]): void {
    const messages = texts.map((text) => [this.#nextId++, text] as const);
    for (const [id, text] of messages) this.unacknowledged.set(id, text);
    this.link.end.write(this.#bytes(messages, false));
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Lets `until` look again; for conditions that the client's side makes true. */
  readonly nudge = (): void => this.#wake();

  /** Waits for a condition, judged after each chunk, end of a connection and nudge. */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const look = (): void => {
        if (condition()) done(resolve);
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`expected within ${DEADLINE_MS} ms: ${what}`))),
        DEADLINE_MS,
      );
      this.#waiting.add(look);
    });
  }
}
