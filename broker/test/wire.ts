// Owns a bare MQTT connection for tests: packets out as they are written, packets in one by one, no cleverness between.
import type { Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';
import { PASSWORD, type Rig, within } from './rig.ts';

type Loose = Record<string, unknown>;
export type Seen = Packet & Loose;

export class Wire {
  readonly socket: Socket;
  readonly version: 4 | 5;
  readonly #seen: Seen[] = [];
  #wake: (() => void) | undefined;
  closed = false;

  constructor(socket: Socket, version: 4 | 5) {
    this.socket = socket;
    this.version = version;
    const reader = parser({ protocolVersion: version });
    reader.on('packet', (packet) => {
      this.#seen.push(packet as Seen);
      this.#wake?.();
    });
    socket.on('data', (chunk) => reader.parse(Buffer.from(chunk)));
    socket.on('close', () => {
      this.closed = true;
      this.#wake?.();
    });
  }

  send(packet: Loose): void {
    this.socket.write(generate(packet as unknown as Packet, { protocolVersion: this.version }));
  }

  raw(bytes: readonly number[]): void {
    this.socket.write(Buffer.from(bytes));
  }

  /** The next packet, in the order of arrival. */
  async next(): Promise<Seen> {
    await within(
      this.#until(() => this.#seen.length > 0 || this.closed),
      'a packet',
    );
    const packet = this.#seen.shift();
    if (!packet) throw new Error('expected a packet, got the end of the connection');
    return packet;
  }

  async count(wanted: number): Promise<readonly Seen[]> {
    const packets: Seen[] = [];
    while (packets.length < wanted) packets.push(await this.next());
    return packets;
  }

  async end(): Promise<void> {
    await within(
      this.#until(() => this.closed),
      'the end of the connection',
    );
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}

/** A connection that is up. */
export async function openWire(
  { socket }: Rig,
  options: {
    readonly version?: 4 | 5;
    readonly clientId: string;
    readonly clean?: boolean;
    readonly [name: string]: unknown;
  },
): Promise<{ readonly wire: Wire; readonly connack: Seen }> {
  const { version = 5, clean = true, ...rest } = options;
  const wire = new Wire(await socket(), version);
  wire.send({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: version,
    clean,
    keepalive: 30,
    username: 'alice',
    password: Buffer.from(PASSWORD),
    ...rest,
  });
  return { wire, connack: await wire.next() };
}

/** Subscribes and takes the SUBACK. */
export async function subscribe(wire: Wire, topic: string, qos: 0 | 1 | 2, options: Loose = {}): Promise<void> {
  const { properties, ...subscription } = options;
  wire.send({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic, qos, ...subscription }],
    ...(properties === undefined ? {} : { properties }),
  });
  await wire.next();
}

export const publish = (topic: string, payload: string, more: Loose = {}): Loose => ({
  cmd: 'publish',
  topic,
  payload,
  qos: 0,
  retain: false,
  dup: false,
  ...more,
});
