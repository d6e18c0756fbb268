// Owns the stream between a connection and the broker: packets are walked on their way in, unsent bytes counted on their way out.
import { Duplex } from 'node:stream';
import type { Limits } from './limits.ts';
import { PacketWalk } from './packet-walk.ts';

/** How long a connection that the broker closed may take to send its last bytes. */
const LAST_BYTES_MS = 1_000;

interface Queued {
  readonly chunk: Buffer;
}

/** A Duplex in front of a socket, a WebSocket stream or one end of a pipe within the process. */
export class PacketGuard extends Duplex {
  readonly #peer: Duplex;
  readonly #walk: PacketWalk;
  #drained: (() => void) | undefined;

  constructor(peer: Duplex, limits: Limits) {
    super({ allowHalfOpen: true });
    this.#peer = peer;
    this.#walk = new PacketWalk(limits);
    peer.on('data', (chunk: Buffer) => this.#onData(chunk));
    peer.on('end', () => this.push(null));
    peer.on('drain', () => this.#onDrain());
    peer.on('error', (error) => this.destroy(error));
    peer.on('close', () => this.#onPeerClose());
  }

  /** Bytes that the peer has not taken yet. */
  get unsent_bytes(): number {
    return this.writableLength + this.#peer.writableLength;
  }

  /**
   * Everything that has arrived: the engine reads once per `readable`, and what a stream of many small chunks (a client
   * inside the process) would leave behind its first chunk would wait for the next packet.
   */
  override read(size?: number): Buffer | null {
    return super.read(size ?? (this.readableLength > 0 ? this.readableLength : undefined));
  }

  override _read(): void {
    this.#peer.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    if (!this.#peer.writable || this.#peer.write(chunk)) done();
    else this.#drained = done;
  }

  /** Everything that piled up while the peer was busy, or in one turn of the broker, leaves as one write. */
  override _writev(chunks: readonly Queued[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', done);
  }

  override _final(done: () => void): void {
    this.#peer.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#drained = undefined;
    if (error || this.#peer.writableEnded) this.#peer.destroy();
    else this.#sendLastBytes();
    done(error);
  }

  /** A refusal (CONNACK, DISCONNECT) is written just before the close: it must reach its reader. */
  #sendLastBytes(): void {
    const peer = this.#peer;
    const late = setTimeout(() => peer.destroy(), LAST_BYTES_MS);
    late.unref();
    peer.once('finish', () => peer.destroy());
    peer.once('close', () => clearTimeout(late));
    peer.end();
  }

  #onData(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      let wanted = true;
      for (const piece of this.#walk.walk(chunk)) wanted = this.push(piece);
      if (!wanted) this.#peer.pause();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onDrain(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  /** After an orderly end what was received is still to be read; nothing more can be written, so writes go nowhere. */
  #onPeerClose(): void {
    if (this.#peer.readableEnded) this.#onDrain();
    else this.destroy();
  }
}
