// Owns the feed: numbers what happens, shows it to every viewer, and gives a newcomer the whole picture first.
import type { Party } from '@monitor-mesh/shared/contract.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { isoOf } from '@monitor-mesh/shared/time.ts';
import { topicName } from '@monitor-mesh/shared/topic.ts';
import { Board, type DeviceState } from './board.ts';
import { type EventDraft, EventRing, type HouseEvent, parsePosition } from './event-ring.ts';
import { isWanted, type Wish } from './filter.ts';
import { bookmark, frameOf, HEARTBEAT, legacyFrameOf, oneLine } from './frame.ts';
import { type Sink, Viewer } from './viewer.ts';

/** A viewer that takes nothing for this long is cut: its place is worth more than its backlog, and it may come back. */
export const STALL_MS_MAX = 30_000;
/** What browsers wait before they reconnect, in ms. */
const RETRY_MS = 2_000;

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

const linkFrame = (linked: boolean): Buffer => frameOf({ event: 'link', data: oneLine({ broker: linked }) });

export class Hub {
  readonly board = new Board();
  readonly #ring: EventRing;
  readonly #viewers = new Set<Viewer>();
  readonly #now: () => number;
  #linked = false;

  constructor(epoch: string, now: () => number = Date.now, eventsMax?: number) {
    this.#ring = new EventRing(epoch, eventsMax);
    this.#now = now;
  }

  /** Whether the broker answers: screens say so when what they show may be old. */
  link(linked: boolean): void {
    if (linked === this.#linked) return;
    this.#linked = linked;
    for (const viewer of this.#viewers) if (viewer.tells_link) viewer.write(linkFrame(linked));
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** A device changed, live. `false` when it is one device too many. */
  change(change: ChangeEvent): boolean {
    const { mid, topic, heure, ...device } = change;
    if (!this.board.change(device)) return false;
    this.#show({
      topic,
      device: device.id,
      key: `device ${device.id}`,
      legacyFrame: legacyFrameOf(heure, device.id, device.state),
      frameOf: (id) => frameOf({ id, event: 'update', data: oneLine({ topic, payload: device, mid }) }),
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
      legacyFrame: undefined,
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
      legacyFrame: undefined,
      frameOf: (id) => frameOf({ id, event: 'update', data: oneLine({ topic, payload, mid }) }),
    });
  }

  /**
   * A viewer of the feed: first what it missed (when its last event is still known), else the picture; then all that
   * happens. The picture and the first event join without a gap, since both are taken in one step.
   */
  join(sink: Sink, audience: Audience): Viewer {
    const { role, wish, last_event_id } = audience;
    const wants = (event: HouseEvent): boolean => isWanted(role, wish, event.topic, event.device);
    const viewer = new Viewer({
      sink,
      wants,
      encode: ({ frame }) => [frame],
      idOf: (seq) => this.#ring.idOf(seq),
      coalesce: true,
    });
    viewer.write(Buffer.from(`retry: ${RETRY_MS}\n\n`));
    const position = last_event_id === undefined ? undefined : parsePosition(last_event_id);
    const missed = position && this.#ring.after(position);
    if (missed) for (const event of missed) viewer.send(event, this.#now());
    else this.#paint(viewer, audience);
    if (!this.#linked) viewer.write(linkFrame(false));
    this.#viewers.add(viewer);
    return viewer;
  }

  /** A viewer of the old address: changes only, in the old frame, no picture; what it missed when it can say so. */
  joinLegacy(sink: Sink, lastEventId: string | undefined): Viewer {
    const encode = (event: HouseEvent): readonly Buffer[] =>
      event.legacyFrame ? [event.legacyFrame, bookmark(this.#ring.idOf(event.seq))] : [];
    const wants = (event: HouseEvent): boolean => event.legacyFrame !== undefined;
    const viewer = new Viewer({ sink, wants, encode, idOf: (seq) => this.#ring.idOf(seq), coalesce: false });
    const position = lastEventId === undefined ? undefined : parsePosition(lastEventId);
    for (const event of (position && this.#ring.after(position)) ?? []) viewer.send(event, this.#now());
    this.#viewers.add(viewer);
    return viewer;
  }

  leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    viewer.close();
  }

  /** Keeps connections alive and cuts those that take nothing; called every few seconds. */
  beat(): void {
    const now = this.#now();
    for (const viewer of this.#viewers) {
      if (viewer.closed || (viewer.behindSince !== undefined && now - viewer.behindSince > STALL_MS_MAX))
        this.leave(viewer);
      else viewer.beat(HEARTBEAT);
    }
  }

  closeAll(): void {
    for (const viewer of this.#viewers) this.leave(viewer);
  }

  #show(draft: EventDraft): void {
    const event = this.#ring.push(draft);
    const now = this.#now();
    for (const viewer of this.#viewers) viewer.send(event, now);
  }

  /** The whole picture as one event; after a `reset` when the viewer had another one. */
  #paint(viewer: Viewer, { role, wish, last_event_id }: Audience): void {
    if (last_event_id !== undefined)
      viewer.write(frameOf({ event: 'reset', data: oneLine({ reason: 'the events since then are no longer kept' }) }));
    const stateTopic = (id: string): string => topicName(TOPICS.state.pattern, { id });
    const states = [...this.board.devices()].filter(
      ({ id }) => isWanted(role, wish, stateTopic(id), id) || isWanted(role, wish, TOPICS.maj.pattern, id),
    );
    const topics = [...this.board.topics()].filter(([topic]) => isWanted(role, wish, topic, undefined));
    const data = oneLine({ at: isoOf(this.#now()), states, topics: Object.fromEntries(topics) });
    viewer.write(frameOf({ id: this.#ring.idOf(this.#ring.seq), event: 'snapshot', data }));
  }
}
