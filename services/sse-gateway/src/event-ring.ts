// Owns the order of events and their memory: numbers each, keeps the newest for viewers that come back.

/** One event of the feed, serialised once for all viewers. */
export interface HouseEvent {
  /** 1, 2, 3… within one epoch. */
  readonly seq: number;
  readonly topic: string;
  /** Device id, for changes. */
  readonly device: string | undefined;
  /** Events of one key replace each other for a viewer that can't keep up; each other event stands for itself. */
  readonly key: string;
  readonly frame: Buffer;
  /** What the two old servers would send; for changes alone. */
  readonly old: OldFrames | undefined;
}

/** The frames of the two old servers, each with the bookmark of its event behind it. */
export interface OldFrames {
  /** include/serveur_sse.php: `event: message`, with the wall clock. */
  readonly page: Buffer;
  /** The Node server's `/events`: the data alone. */
  readonly fact: Buffer;
}

export type EventDraft = Omit<HouseEvent, 'seq' | 'frame' | 'old'> & {
  /** Builds the frame once the id is known. */
  readonly frameOf: (id: string) => Buffer;
  readonly oldOf?: (id: string) => OldFrames;
};

/** Where a viewer stands: `epoch-seq`. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** What is kept for viewers that come back: minutes of a busy house, and never more memory than this. */
export const RING_EVENTS_MAX = 4_096;
export const RING_BYTES_MAX = 4 * 1024 * 1024;

const POSITION = /^([0-9a-z]{1,16})-(\d{1,15})$/u;

/** The position in a `Last-Event-ID`; `undefined` when it is none of ours. */
export function parsePosition(text: string): Position | undefined {
  const match = POSITION.exec(text.trim());
  return match?.[1] === undefined ? undefined : { epoch: match[1], seq: Number(match[2]) };
}

const bytesOf = ({ frame, old }: HouseEvent): number => frame.length + (old ? old.page.length + old.fact.length : 0);

export class EventRing {
  /** Tells this life of the feed from the one before: numbers start again with each. */
  readonly epoch: string;
  readonly #events: HouseEvent[] = [];
  #first = 0;
  #bytes = 0;
  #seq = 0;
  readonly #eventsMax: number;

  constructor(epoch: string, eventsMax = RING_EVENTS_MAX) {
    this.epoch = epoch;
    this.#eventsMax = eventsMax;
  }

  /** Number of the newest event; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  idOf(seq: number): string {
    return `${this.epoch}-${seq}`;
  }

  push(draft: EventDraft): HouseEvent {
    const { frameOf, oldOf, ...rest } = draft;
    this.#seq += 1;
    const id = this.idOf(this.#seq);
    const event: HouseEvent = { ...rest, seq: this.#seq, frame: frameOf(id), old: oldOf?.(id) };
    this.#events.push(event);
    this.#bytes += bytesOf(event);
    while (this.#length > this.#eventsMax || this.#bytes > RING_BYTES_MAX) this.#forgetOldest();
    return event;
  }

  /** Every event that is still known, oldest first. */
  all(): readonly HouseEvent[] {
    return this.#events.slice(this.#first);
  }

  /** Every event after a position, oldest first; `undefined` when some of them are no longer (or not yet) known here. */
  after(position: Position): readonly HouseEvent[] | undefined {
    const oldest = this.#seq - this.#length + 1;
    if (position.epoch !== this.epoch || position.seq > this.#seq || position.seq < oldest - 1) return undefined;
    return this.#events.slice(this.#first + position.seq - oldest + 1);
  }

  get #length(): number {
    return this.#events.length - this.#first;
  }

  #forgetOldest(): void {
    const oldest = this.#events[this.#first];
    if (oldest) this.#bytes -= bytesOf(oldest);
    this.#first += 1;
    // Shift in blocks: one splice per thousand events instead of one shift per event.
    if (this.#first < 1_000) return;
    this.#events.splice(0, this.#first);
    this.#first = 0;
  }
}
