// Owns one viewer's stream: every event in order; above its byte cap only last values, announced by a `gap`.
import type { HouseEvent } from './event-ring.ts';
import { frameOf, oneLine } from './frame.ts';

/** Where a viewer's bytes go; the connection of an HTTP request, or a test's list. */
export interface Sink {
  /** Bytes that were written but not yet taken by the network. */
  readonly pending: number;
  write(bytes: Buffer): void;
  /** Calls back once, when everything written has been taken. */
  onceDrained(callback: () => void): void;
  /** Ends when everything written has been taken. */
  end(): void;
  /** Ends at once; what was not taken is lost. */
  close(): void;
}

/** What viewers of one circle have in common. */
export interface Manner {
  /** The bytes of an event; `undefined` when these viewers do not see it. The same bytes for all of them. */
  encode(event: HouseEvent): Buffer | undefined;
  idOf(seq: number): string;
  /** Whether last values may stand for what a slow viewer misses; without it a slow viewer is cut. */
  readonly coalesce: boolean;
  readonly pending_max: number;
}

/** A tablet that sleeps may fall this far behind before only last values are kept for it. */
export const PENDING_BYTES_MAX = 256 * 1024;
/** Keys remembered for a viewer that is behind; a house has fewer devices. Beyond it the viewer is cut and starts over. */
const MISSED_MAX = 10_000;

export class Viewer {
  readonly #manner: Manner;
  readonly #sink: Sink;
  /** Last values since the viewer fell behind, by key; `undefined` while it keeps up. */
  #missed: Map<string, HouseEvent> | undefined;
  #missedFrom = 0;
  #dropped = 0;
  /** Bytes that may wait; more while the opening is under way, which is as long as the house is large. */
  #cap: number;
  #written = 0;
  /** Bytes taken when it was last seen waiting, and since when that has been the same; `undefined` while nothing waits. */
  #stuck: { readonly taken: number; readonly since_ms: number } | undefined;
  #closed = false;

  constructor(manner: Manner, sink: Sink) {
    this.#manner = manner;
    this.#sink = sink;
    this.#cap = manner.pending_max;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether only last values are kept for it at the moment. */
  get behind(): boolean {
    return this.#missed !== undefined;
  }

  /** The first bytes: picture, replay. However many they are, they do not count as falling behind. */
  open(bytes: Buffer): void {
    this.write(bytes);
    this.#cap = this.#manner.pending_max + this.#sink.pending;
  }

  /** Writes bytes that are not events. */
  write(bytes: Buffer): void {
    if (this.#closed || bytes.length === 0) return;
    this.#written += bytes.length;
    this.#sink.write(bytes);
  }

  /** One event and its bytes, which the circle has made once for all its viewers. */
  send(event: HouseEvent, bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#missed === undefined) {
      const { pending } = this.#sink;
      if (pending <= this.#cap) {
        if (pending === 0) this.#cap = this.#manner.pending_max;
        this.#written += bytes.length;
        return this.#sink.write(bytes);
      }
      this.#fallBehind(event);
    }
    if (this.#missed === undefined) return; // it was cut instead
    if (this.#missed.delete(event.key)) this.#dropped += 1;
    this.#missed.set(event.key, event);
    if (this.#missed.size > MISSED_MAX) this.close();
  }

  /**
   * A heartbeat to one who has taken everything; it must not pile up behind others. One who has taken not a byte for
   * longer than `stallMs` is cut.
   */
  beat(heartbeat: Buffer, nowMs: number, stallMs: number): void {
    const { pending } = this.#sink;
    if (pending === 0) {
      this.#stuck = undefined;
      return this.write(heartbeat);
    }
    const taken = this.#written - pending;
    if (this.#stuck?.taken !== taken) this.#stuck = { taken, since_ms: nowMs };
    else if (nowMs - this.#stuck.since_ms > stallMs) this.close();
  }

  /** Ends with last words, once everything before them has been taken. */
  end(lastWords: Buffer): void {
    if (this.#closed) return;
    this.#catchUp();
    this.write(lastWords);
    this.#forget();
    this.#sink.end();
  }

  close(): void {
    if (!this.#closed) this.cut();
  }

  /** Ends at once, also when it is ending already. */
  cut(): void {
    this.#forget();
    this.#sink.close();
  }

  #forget(): void {
    this.#closed = true;
    this.#missed = undefined;
  }

  #fallBehind(event: HouseEvent): void {
    if (!this.#manner.coalesce) return this.close();
    this.#missed = new Map();
    this.#missedFrom = event.seq;
    this.#dropped = 0;
    this.#sink.onceDrained(() => this.#catchUp());
  }

  /** The network took everything: says what is missing, then the last values in their order. */
  #catchUp(): void {
    const missed = [...(this.#missed?.values() ?? [])];
    this.#missed = undefined;
    this.#cap = this.#manner.pending_max;
    if (missed.length === 0) return;
    const frames = missed.map((event) => this.#manner.encode(event)).filter((bytes) => bytes !== undefined);
    this.write(Buffer.concat(this.#dropped > 0 ? [this.#gapOf(missed), ...frames] : frames));
  }

  #gapOf(missed: readonly HouseEvent[]): Buffer {
    const { idOf } = this.#manner;
    const last = missed.at(-1)?.seq ?? this.#missedFrom;
    return frameOf({
      event: 'gap',
      data: oneLine({ from: idOf(this.#missedFrom), to: idOf(last), dropped: this.#dropped }),
    });
  }
}
