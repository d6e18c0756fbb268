// Owns the way of a stream's bytes to its connection: the head of the answer by HTTP, everything after it as it is.
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import type { Sink } from './viewer.ts';

/**
 * Sends the head and gives the connection. The answer has neither a length nor chunks and lasts until its connection
 * ends (RFC 9112 §6.3): so one buffer serves all viewers, and an event costs each of them one write.
 */
export function beginAnswer(reply: FastifyReply, headers: Readonly<Record<string, string>>): Socket | undefined {
  reply.hijack();
  const { raw } = reply;
  raw.removeHeader('transfer-encoding'); // tells node:http not to send chunks
  raw.writeHead(200, headers);
  raw.flushHeaders();
  return raw.socket ?? undefined;
}

export class SocketSink implements Sink {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get pending(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  onceDrained(callback: () => void): void {
    this.#socket.once('drain', callback);
  }

  end(): void {
    this.#socket.end();
  }

  /** Resets the connection: the kernel need not keep what a stalled peer will never take. */
  close(): void {
    this.#socket.resetAndDestroy();
  }
}
