// Owns one bare MQTT connection of the load: packets in, bytes out, no cleverness between.
import { connect, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';

export type Loose = Record<string, unknown>;
export type Version = 4 | 5;
export interface Incoming {
  readonly cmd: string;
  readonly messageId?: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly sessionPresent?: boolean;
  readonly returnCode?: number;
  readonly reasonCode?: number;
  readonly properties?: { readonly userProperties?: Record<string, string | string[]> };
}

const NEVER_ENDS = 0xffff_ffff;

export const bytesOf = (packet: Loose, version: Version): Buffer =>
  generate(packet as unknown as Packet, { protocolVersion: version });

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export const ACK_BYTE = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;
export type Ack = keyof typeof ACK_BYTE;
export const ack = (type: Ack, id: number): Buffer => Buffer.from([ACK_BYTE[type], 2, id >> 8, id & 0xff]);

export interface LinkOptions {
  readonly port: number;
  readonly client_id: string;
  readonly version: Version;
  readonly clean: boolean;
  onPacket(packet: Incoming): void;
}

export class Link {
  readonly socket: Socket;
  readonly version: Version;
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  isClosed = false;

  constructor({ port, client_id, version, clean, onPacket }: LinkOptions) {
    this.version = version;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    const reader = parser({ protocolVersion: version });
    reader.on('packet', (packet) => {
      if (!this.isClosed) onPacket(packet as unknown as Incoming);
    });
    this.socket.on('data', (chunk: Buffer) => reader.parse(Buffer.from(chunk)));
    this.socket.on('error', () => this.end()); // told by `closed`
    this.socket.on('close', () => {
      this.isClosed = true;
      closed.resolve();
    });
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId: client_id,
      clean,
      keepalive: 0,
      username: 'admin',
      password: Buffer.from('x'),
      ...(version === 5 && !clean ? { properties: { sessionExpiryInterval: NEVER_ENDS } } : {}),
    });
  }

  send(packet: Loose): void {
    this.write(bytesOf(packet, this.version));
  }

  /** `done` when the kernel has it. */
  write(bytes: Buffer, done?: () => void): void {
    if (this.isClosed) return;
    this.socket.write(bytes, (error) => {
      if (!error) done?.();
    });
  }

  /** Cuts the connection at once, without a word. */
  end(): void {
    this.isClosed = true;
    this.socket.destroy();
  }
}
