// Owns a circle: the viewers that see the same. What they see is judged and built once for all of them.
import type { HouseEvent } from './event-ring.ts';
import { type Manner, PENDING_BYTES_MAX, type Sink, Viewer } from './viewer.ts';

export interface CircleOptions extends Omit<Manner, 'pending_max'> {
  /** Whether its viewers hear that the broker does not answer; those of old addresses know changes and nothing else. */
  readonly tells_link: boolean;
}

export class Circle implements Manner {
  readonly encode: Manner['encode'];
  readonly idOf: Manner['idOf'];
  readonly coalesce: boolean;
  readonly pending_max = PENDING_BYTES_MAX;
  readonly tells_link: boolean;
  readonly #viewers = new Set<Viewer>();
  #picture: { readonly seq: number; readonly bytes: Buffer } | undefined;

  constructor({ encode, idOf, coalesce, tells_link }: CircleOptions) {
    this.encode = encode;
    this.idOf = idOf;
    this.coalesce = coalesce;
    this.tells_link = tells_link;
  }

  get size(): number {
    return this.#viewers.size;
  }

  /** A new viewer, which sees `opening` first. */
  add(sink: Sink, opening: Buffer): Viewer {
    const viewer = new Viewer(this, sink);
    viewer.open(opening);
    this.#viewers.add(viewer);
    return viewer;
  }

  delete(viewer: Viewer): void {
    this.#viewers.delete(viewer);
  }

  send(event: HouseEvent): void {
    const bytes = this.encode(event);
    if (bytes) for (const viewer of this.#viewers) viewer.send(event, bytes);
  }

  /** The bytes of several events, those that these viewers see. */
  replay(events: readonly HouseEvent[]): Buffer {
    return Buffer.concat(events.map((event) => this.encode(event)).filter((bytes) => bytes !== undefined));
  }

  /** The picture at an event, built once: after a restart thousands of viewers come for the same one. */
  pictureAt(seq: number, paint: () => Buffer): Buffer {
    if (this.#picture?.seq !== seq) this.#picture = { seq, bytes: paint() };
    return this.#picture.bytes;
  }

  [Symbol.iterator](): Iterator<Viewer> {
    return this.#viewers.values();
  }
}
