// Owns one viewer's stream: every event in order; above its byte cap only last values, announced by a `gap`.
import type { HouseEvent } from './event-ring.ts';
import { frameOf, oneLine } from './frame.ts';

/** Where a viewer's bytes go; the response of an HTTP request, or a test's list. */
export interface Sink {
  /** Bytes that were written but not yet taken by the network. */
  readonly pending: number;
  write(bytes: Buffer): void;
  /** Calls back once, when everything written has been taken. */
  onceDrained(callback: () => void): void;
  close(): void;
}

export interface ViewerOptions {
  readonly sink: Sink;
  readonly wants: (event: HouseEvent) => boolean;
  readonly encode: (event: HouseEvent) => readonly Buffer[];
  readonly idOf: (seq: number) => string;
  /** Whether last values may stand for what a slow viewer misses; without it a slow viewer is cut. */
  readonly coalesce: boolean;
  readonly pending_max?: number;
}

/** A tablet that sleeps may fall this far behind before only last values are kept for it. */
export const PENDING_BYTES_MAX = 256 * 1024;
/** Keys remembered for a viewer that is behind; a house has fewer devices. Beyond it the viewer is cut and starts over. */
const MISSED_MAX = 10_000;

export class Viewer {
  readonly #options: ViewerOptions;
  /** Last values since the viewer fell behind, by key; `undefined` while it keeps up. */
  #missed: Map<string, HouseEvent> | undefined;
  #missedFrom = 0;
  #dropped = 0;
  #closed = false;
  /** When it fell behind, epoch ms of the caller's clock. */
  behindSince: number | undefined;

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  /** Viewers of the old address know changes and nothing else. */
  get tells_link(): boolean {
    return this.#options.coalesce;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Writes bytes that are not events: snapshot, replay, heartbeat. */
  write(bytes: Buffer): void {
    if (!this.#closed) this.#options.sink.write(bytes);
  }

  /** A heartbeat only to those who keep up: it must not pile up behind a stalled one. */
  beat(bytes: Buffer): void {
    if (this.#missed === undefined && this.#options.sink.pending === 0) this.write(bytes);
  }

  send(event: HouseEvent, nowMs: number): void {
    if (this.#closed || !this.#options.wants(event)) return;
    if (this.#missed === undefined && this.#options.sink.pending > (this.#options.pending_max ?? PENDING_BYTES_MAX))
      this.#fallBehind(event, nowMs);
    if (this.#closed) return;
    if (this.#missed === undefined) return this.#write(event);
    if (this.#missed.delete(event.key)) this.#dropped += 1;
    this.#missed.set(event.key, event);
    if (this.#missed.size > MISSED_MAX) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#missed = undefined;
    this.#options.sink.close();
  }

  #write(event: HouseEvent): void {
    for (const bytes of this.#options.encode(event)) this.#options.sink.write(bytes);
  }

  #fallBehind(event: HouseEvent, nowMs: number): void {
    if (!this.#options.coalesce) return this.close();
    this.#missed = new Map();
    this.#missedFrom = event.seq;
    this.#dropped = 0;
    this.behindSince = nowMs;
    this.#options.sink.onceDrained(() => this.#catchUp());
  }

  /** The network took everything: says what is missing, then the last values in their order. */
  #catchUp(): void {
    const missed = [...(this.#missed?.values() ?? [])];
    this.#missed = undefined;
    this.behindSince = undefined;
    if (this.#closed || missed.length === 0) return;
    const last = missed.at(-1)?.seq ?? this.#missedFrom;
    if (this.#dropped > 0)
      this.write(
        frameOf({
          event: 'gap',
          data: oneLine({
            from: this.#options.idOf(this.#missedFrom),
            to: this.#options.idOf(last),
            dropped: this.#dropped,
          }),
        }),
      );
    for (const event of missed) this.#write(event);
  }
}
