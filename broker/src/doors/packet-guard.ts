// Owns the stream between a connection and the broker: packets are walked and told apart on their way in, merged and
// counted on their way out.
import { Duplex } from 'node:stream';
import type { Limits } from '../limits.ts';
import { readHead } from './packet-head.ts';
import { PacketWalk } from './packet-walk.ts';

/** How long a connection that the broker closed may take to send its last bytes. */
const LAST_BYTES_MS = 2_000;
/** Writes that are merged into one up to this size; what is larger goes as it is. */
const MERGED_BYTES_MAX = 256 * 1024;

const CONNECT = 1;
const CONNACK = 0x20;
const SUBSCRIBE = 8;
const UNSUBSCRIBE = 10;
const NOTHING = Buffer.alloc(0);

/** What becomes of one packet: the messages' plane took it, it is the engine's, or its turn has not come. */
export type PacketFate = 'taken' | 'engine' | 'wait';

/** Who looks at the packets of a connection before the engine does. */
export interface PacketReader {
  /** A packet from `from` to `to` whose variable header begins at `body`. @throws what ends the connection */
  onPacket(guard: PacketGuard, bytes: Buffer, from: number, body: number, to: number): PacketFate;
  onChunk(guard: PacketGuard): void;
  /** The packet broke the protocol: says so and ends the connection. */
  onFault(guard: PacketGuard, error: Error): void;
  /** The peer has said its last: calls back when everything it sent has its answer. */
  onEnd(guard: PacketGuard, done: () => void): void;
}

/** Guards with bytes to send; all of them are served once a turn, each with one write. */
class Flusher {
  #guards: PacketGuard[] = [];
  #scheduled = false;

  add(guard: PacketGuard): void {
    this.#guards.push(guard);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const guards = this.#guards;
    this.#guards = [];
    for (const guard of guards) guard.flush();
  }
}
const flusher = new Flusher();

/** A Duplex in front of a socket, a WebSocket stream or one end of a pipe within the process. */
export class PacketGuard extends Duplex {
  readonly #peer: Duplex;
  readonly #walk: PacketWalk;
  readonly #reader: PacketReader;
  readonly #stallMs: number;
  /** The beginning of a packet whose end has not come. */
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #need = 0;
  /** What came behind a packet that the engine must answer first: order is kept between engine and plane. */
  #behind: Buffer = NOTHING;
  #awaited = 0;
  #peerEnded = false;
  #ended = false;
  #out: Buffer[] = [];
  #outBytes = 0;
  #dirty = false;
  #blocked = false;
  #stalled: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;
  #paused = false;
  /** The session was there before: CONNACK says so, also when nothing is subscribed to [MQTT-3.2.2-2]. */
  resumes = false;

  constructor(peer: Duplex, limits: Limits, reader: PacketReader) {
    super({ allowHalfOpen: true });
    this.#peer = peer;
    this.#walk = new PacketWalk(limits);
    this.#reader = reader;
    this.#stallMs = limits.drain_timeout_ms;
    peer.on('data', (chunk: Buffer) => this.#onData(chunk));
    peer.on('end', () => this.#onPeerEnd());
    peer.on('drain', () => this.#onPeerDrain());
    peer.on('error', (error) => this.destroy(error));
    peer.on('close', () => this.#onPeerClose());
  }

  /** Bytes that the peer has not taken yet. */
  get unsent_bytes(): number {
    return this.#outBytes + this.#peer.writableLength;
  }

  /** Calls back whenever the peer has taken everything. */
  onDrained(callback: () => void): void {
    this.#drained = callback;
  }

  /** Sends whole packets; those of one turn leave together. */
  send(bytes: Buffer): void {
    if (this.destroyed) return;
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (this.#dirty || this.#blocked) return;
    this.#dirty = true;
    flusher.add(this);
  }

  flush(): void {
    this.#dirty = false;
    if (this.#blocked || this.#out.length === 0) return;
    const out = this.#out;
    const bytes = this.#outBytes;
    this.#out = [];
    this.#outBytes = 0;
    if (!this.#peer.writable) return;
    if (out.length > 1 && bytes <= MERGED_BYTES_MAX) this.#write(Buffer.concat(out, bytes));
    else {
      this.#peer.cork();
      for (const piece of out) this.#write(piece);
      this.#peer.uncork();
    }
  }

  #write(bytes: Buffer): void {
    if (this.#peer.write(bytes) || this.#blocked) return;
    this.#blocked = true;
    this.#stalled = setTimeout(
      () => this.destroy(new Error('the client does not take what it is sent')),
      this.#stallMs,
    );
    this.#stalled.unref();
  }

  #onPeerDrain(): void {
    clearTimeout(this.#stalled);
    this.#blocked = false;
    if (this.#out.length > 0) this.flush();
    if (!this.#blocked) this.#drained?.();
  }

  /** The engine has answered what held the rest back. */
  release(): void {
    if (this.#awaited === 0) return;
    this.#awaited -= 1;
    if (this.#awaited > 0 || this.destroyed) return;
    const behind = this.#behind;
    this.#behind = NOTHING;
    this.#guarded(() => this.#read(behind));
    if (this.#awaited > 0) return;
    if (!this.#paused) this.#peer.resume();
    if (this.#peerEnded) this.#end();
  }

  /**
   * Everything that has arrived: the engine reads once per `readable`, and what a stream of many small chunks (a client
   * inside the process) would leave behind its first chunk would wait for the next packet.
   */
  override read(size?: number): Buffer | null {
    return super.read(size ?? (this.readableLength > 0 ? this.readableLength : undefined));
  }

  override _read(): void {
    if (this.#awaited === 0 && !this.#paused) this.#peer.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#sendOfEngine(chunk);
    done();
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#sendOfEngine(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  #sendOfEngine(bytes: Buffer): void {
    if (this.resumes && bytes[0] === CONNACK) {
      const { body } = readHead(bytes, 0) ?? { body: 0 };
      if (body > 0 && bytes[body + 1] === 0) bytes[body] = 1;
      this.resumes = false;
    }
    this.send(bytes);
  }

  /** Reads no more until `proceed`: what was read has no answer yet. */
  pauseReading(): void {
    this.#paused = true;
    this.#peer.pause();
  }

  proceed(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#awaited === 0) this.#peer.resume();
  }

  override _final(done: () => void): void {
    this.flush();
    this.#peer.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#stalled);
    this.#drained = undefined;
    if (error || this.#peer.writableEnded) this.#peer.destroy();
    else this.#sendLastBytes();
    this.#out = [];
    this.#outBytes = 0;
    done(error);
  }

  /**
   * A refusal (CONNACK, DISCONNECT) is written just before the close: it must reach its reader. What a client goes on
   * sending meanwhile is read and dropped, since a reset would take the last words from it.
   */
  #sendLastBytes(): void {
    const peer = this.#peer;
    const late = setTimeout(() => peer.destroy(), LAST_BYTES_MS);
    late.unref();
    peer.once('end', () => peer.destroy());
    peer.once('close', () => clearTimeout(late));
    peer.resume();
    if (peer.readableEnded) peer.once('finish', () => peer.destroy());
    peer.end(this.#outBytes === 0 ? undefined : Buffer.concat(this.#out, this.#outBytes));
  }

  #onData(chunk: Buffer): void {
    if (this.destroyed) return;
    this.#guarded(() => {
      this.#reader.onChunk(this);
      for (const piece of this.#walk.walk(chunk)) this.#read(piece);
    });
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#reader.onFault(this, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #read(piece: Buffer): void {
    if (this.#awaited > 0) {
      this.#behind = this.#behind.length === 0 ? piece : Buffer.concat([this.#behind, piece]);
      return;
    }
    let bytes = piece;
    if (this.#partsBytes > 0) {
      this.#parts.push(piece);
      this.#partsBytes += piece.length;
      if (this.#partsBytes < this.#need) return;
      bytes = Buffer.concat(this.#parts, this.#partsBytes);
      this.#parts = [];
      this.#partsBytes = 0;
    }
    this.#readPackets(bytes);
  }

  #readPackets(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const head = readHead(bytes, at);
      const to = head === undefined ? Number.POSITIVE_INFINITY : head.body + head.remaining;
      if (head === undefined || to > bytes.length) {
        this.#parts = [bytes.subarray(at)];
        this.#partsBytes = bytes.length - at;
        this.#need = head === undefined ? 0 : to - at;
        return;
      }
      const fate = this.#reader.onPacket(this, bytes, at, head.body, to);
      if (fate === 'wait') {
        this.#hold(bytes.subarray(at));
        return;
      }
      if (fate === 'engine') this.#giveToEngine(bytes.subarray(at, to), head.first >> 4);
      at = to;
      if (this.destroyed) return;
      if (this.#awaited > 0) {
        if (at < bytes.length) this.#hold(bytes.subarray(at));
        return;
      }
    }
  }

  #hold(rest: Buffer): void {
    this.#awaited = Math.max(1, this.#awaited);
    this.#behind = rest;
  }

  #giveToEngine(packet: Buffer, type: number): void {
    if (type === CONNECT || type === SUBSCRIBE || type === UNSUBSCRIBE) {
      this.#awaited += 1;
      this.#peer.pause();
    }
    if (!this.push(packet)) this.#peer.pause();
  }

  #onPeerEnd(): void {
    this.#peerEnded = true;
    if (this.#awaited === 0) this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader.onEnd(this, () => this.push(null));
  }

  /** After an orderly end what was received is still to be read; nothing more can be written, so writes go nowhere. */
  #onPeerClose(): void {
    if (!this.#peer.readableEnded) this.destroy();
  }
}
