// Owns a connection of MQTT 5 that comes back by itself, and tells its owner when it is up and what arrives.
import { connect, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';

export type Loose = Record<string, unknown>;
const AGAIN_MS = 30;
const FOR_EVER = 0xffff_ffff;

export abstract class WireClient {
  readonly #port: number;
  readonly #clientId: string;
  #socket: Socket | undefined;
  #ended = false;

  constructor(port: number, clientId: string) {
    this.#port = port;
    this.#clientId = clientId;
  }

  protected abstract onUp(sessionPresent: boolean): void;
  protected abstract onPacket(packet: Packet & Loose): void;

  start(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    const reader = parser({ protocolVersion: 5 });
    this.#socket = socket;
    reader.on('packet', (packet) => {
      if (socket !== this.#socket) return;
      if (packet.cmd === 'connack') this.onUp(packet.sessionPresent);
      else this.onPacket(packet as Packet & Loose);
    });
    socket.on('data', (chunk) => reader.parse(Buffer.from(chunk)));
    socket.on('error', () => undefined); // the broker was killed, or is not up again: 'close' follows
    socket.once('close', () => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      if (!this.#ended) setTimeout(() => this.start(), AGAIN_MS);
    });
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId: this.#clientId,
      clean: false,
      keepalive: 0,
      properties: { sessionExpiryInterval: FOR_EVER, receiveMaximum: 200 },
    });
  }

  protected send(packet: Loose): void {
    this.#socket?.write(generate(packet as unknown as Packet, { protocolVersion: 5 }));
  }

  /** Loses the connection as if a cable were pulled. */
  drop(): void {
    this.#socket?.destroy();
  }

  end(): void {
    this.#ended = true;
    this.#socket?.destroy();
  }
}

export const midOf = (packet: Loose): string => {
  const properties = packet.properties as { userProperties?: { mid?: string | string[] } } | undefined;
  return String(properties?.userProperties?.mid ?? '');
};
