// Owns the feed: numbers what happens, shows it to every viewer, and gives a newcomer the whole picture first.
import type { Party } from '@monitor-mesh/shared/contract.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { isoOf } from '@monitor-mesh/shared/time.ts';
import { topicName } from '@monitor-mesh/shared/topic.ts';
import { Board, type DeviceState } from './board.ts';
import { Circle } from './circle.ts';
import { type EventDraft, EventRing, type HouseEvent, type OldFrames, parsePosition } from './event-ring.ts';
import { isWanted, type Wish, wishKey } from './filter.ts';
import { backlogOf, bookmark, factFrameOf, farewellOf, frameOf, HEARTBEAT, legacyFrameOf, oneLine } from './frame.ts';
import type { Sink, Viewer } from './viewer.ts';

/** A viewer that takes nothing for this long is cut: its place is worth more than its backlog, and it may come back. */
export const STALL_MS_MAX = 30_000;
/** What browsers wait before they reconnect, in ms. */
const RETRY_MS = 2_000;
/** After a farewell each viewer comes back at a moment of its own within this time: all at once would be a second outage. */
const RETURN_MS_MAX = 4_000;

export interface ChangeEvent extends DeviceState {
  readonly mid: string;
  /** Topic it came by: monitor/maj or monitor/ha. */
  readonly topic: string;
  readonly heure: string;
}

export interface Audience {
  readonly role: Party;
  readonly wish: Wish;
  readonly last_event_id: string | undefined;
}

const NOTHING = Buffer.alloc(0);
const RETRY = Buffer.from(`retry: ${RETRY_MS}\n\n`);
const RESET = frameOf({ event: 'reset', data: oneLine({ reason: 'the events since then are no longer kept' }) });
const linkFrame = (linked: boolean): Buffer => frameOf({ event: 'link', data: oneLine({ broker: linked }) });

export class Hub {
  readonly board = new Board();
  readonly #ring: EventRing;
  /** Circles of the feed by role and wish; one without viewers is forgotten. */
  readonly #circles = new Map<string, Circle>();
  readonly #pages: Circle;
  readonly #facts: Circle;
  readonly #now: () => number;
  #linked = false;

  constructor(epoch: string, now: () => number = Date.now, eventsMax?: number) {
    this.#ring = new EventRing(epoch, eventsMax);
    this.#now = now;
    this.#pages = this.#oldCircle(({ old }) => old?.page);
    this.#facts = this.#oldCircle(({ old }) => old?.fact);
  }

  /** Whether the broker answers: screens say so when what they show may be old. */
  link(linked: boolean): void {
    if (linked === this.#linked) return;
    this.#linked = linked;
    for (const circle of this.#all())
      if (circle.tells_link) for (const viewer of circle) viewer.write(linkFrame(linked));
  }

  get viewers(): number {
    return [...this.#all()].reduce((sum, { size }) => sum + size, 0);
  }

  /** A device changed, live. `false` when it is one device too many. */
  change(change: ChangeEvent): boolean {
    const { mid, topic, heure, ...device } = change;
    if (!this.board.change(device)) return false;
    this.#show({
      topic,
      device: device.id,
      key: `device ${device.id}`,
      frameOf: (id) => frameOf({ id, event: 'update', data: oneLine({ topic, payload: device, mid }) }),
      oldOf: (id) => oldFramesOf(id, heure, device),
    });
    return true;
  }

  /** A state that the broker kept: shown only when it is news to the board. */
  recall(device: DeviceState): void {
    if (!this.board.recall(device)) return;
    const topic = topicName(TOPICS.state.pattern, { id: device.id });
    this.#show({
      topic,
      device: device.id,
      key: `device ${device.id}`,
      frameOf: (id) => frameOf({ id, event: 'update', data: oneLine({ topic, payload: device }) }),
    });
  }

  /** Anything else that screens follow. `kept` topics are part of a newcomer's picture. */
  tell(topic: string, payload: unknown, mid: string, kept: boolean): void {
    if (kept) this.board.note(topic, payload);
    this.#show({
      topic,
      device: undefined,
      key: kept ? `topic ${topic}` : `event ${mid}`,
      frameOf: (id) => frameOf({ id, event: 'update', data: oneLine({ topic, payload, mid }) }),
    });
  }

  /**
   * A viewer of the feed: first what it missed (when its last event is still known), else the picture; then all that
   * happens. The picture and the first event join without a gap, since both are taken in one step.
   */
  join(sink: Sink, audience: Audience): Viewer {
    const circle = this.#circleOf(audience);
    const missed = this.#missedSince(audience.last_event_id);
    const parts = missed
      ? [RETRY, circle.replay(missed)]
      : [
          RETRY,
          audience.last_event_id === undefined ? NOTHING : RESET,
          circle.pictureAt(this.#ring.seq, () => this.#paint(audience)),
        ];
    return circle.add(sink, Buffer.concat(this.#linked ? parts : [...parts, linkFrame(false)]));
  }

  /** A viewer of the old page's address: changes only, in the old frame, no picture; what it missed when it can say so. */
  joinPages(sink: Sink, lastEventId: string | undefined): Viewer {
    return this.#pages.add(sink, this.#pages.replay(this.#missedSince(lastEventId) ?? []));
  }

  /** A viewer of the old Node server: first all facts that are known as one array, or what it missed when it can say so. */
  joinFacts(sink: Sink, lastEventId: string | undefined): Viewer {
    const missed = this.#missedSince(lastEventId);
    return this.#facts.add(sink, missed ? this.#facts.replay(missed) : this.#backlog());
  }

  leave(viewer: Viewer): void {
    viewer.close();
    for (const [key, circle] of this.#circles) {
      circle.delete(viewer);
      if (circle.size === 0) this.#circles.delete(key);
    }
    this.#pages.delete(viewer);
    this.#facts.delete(viewer);
  }

  /** Keeps connections alive and cuts those that take nothing; called every few seconds. */
  beat(): void {
    const now = this.#now();
    for (const circle of this.#all())
      for (const viewer of circle) {
        viewer.beat(HEARTBEAT, now, STALL_MS_MAX);
        if (viewer.closed) this.leave(viewer);
      }
  }

  /** Tells every viewer that the server stops and when to come back, and ends its stream after that. */
  farewell(random: () => number = Math.random): void {
    for (const circle of this.#all())
      for (const viewer of circle) viewer.end(farewellOf(Math.round(RETRY_MS / 2 + random() * RETURN_MS_MAX)));
  }

  closeAll(): void {
    for (const circle of this.#all()) for (const viewer of circle) this.leave(viewer);
  }

  #show(draft: EventDraft): void {
    const event = this.#ring.push(draft);
    for (const circle of this.#all()) circle.send(event);
  }

  *#all(): Iterable<Circle> {
    yield* this.#circles.values();
    yield this.#pages;
    yield this.#facts;
  }

  #circleOf({ role, wish }: Audience): Circle {
    const key = `${role} ${wishKey(wish)}`;
    const known = this.#circles.get(key);
    if (known) return known;
    const circle = new Circle({
      encode: ({ topic, device, frame }) => (isWanted(role, wish, topic, device) ? frame : undefined),
      idOf: (seq) => this.#ring.idOf(seq),
      coalesce: true,
      tells_link: true,
    });
    this.#circles.set(key, circle);
    return circle;
  }

  #oldCircle(encode: (event: HouseEvent) => Buffer | undefined): Circle {
    return new Circle({ encode, idOf: (seq) => this.#ring.idOf(seq), coalesce: false, tells_link: false });
  }

  #missedSince(lastEventId: string | undefined): readonly HouseEvent[] | undefined {
    const position = lastEventId === undefined ? undefined : parsePosition(lastEventId);
    return position && this.#ring.after(position);
  }

  #backlog(): Buffer {
    const { seq } = this.#ring;
    return this.#facts.pictureAt(seq, () => {
      const facts = this.#ring.all().flatMap(({ old }) => (old ? [old.fact] : []));
      return Buffer.concat([backlogOf(facts), bookmark(this.#ring.idOf(seq))]);
    });
  }

  /** The whole picture as one event. */
  #paint({ role, wish }: Audience): Buffer {
    const stateTopic = (id: string): string => topicName(TOPICS.state.pattern, { id });
    const states = [...this.board.devices()].filter(
      ({ id }) => isWanted(role, wish, stateTopic(id), id) || isWanted(role, wish, TOPICS.maj.pattern, id),
    );
    const topics = [...this.board.topics()].filter(([topic]) => isWanted(role, wish, topic, undefined));
    const data = oneLine({ at: isoOf(this.#now()), states, topics: Object.fromEntries(topics) });
    return frameOf({ id: this.#ring.idOf(this.#ring.seq), event: 'snapshot', data });
  }
}

function oldFramesOf(eventId: string, heure: string, { id, state }: DeviceState): OldFrames {
  const mark = bookmark(eventId);
  return {
    page: Buffer.concat([legacyFrameOf(heure, id, state), mark]),
    fact: Buffer.concat([factFrameOf(id, state), mark]),
  };
}
