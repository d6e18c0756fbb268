// Owns the judgement: is told everything that happens, as it happens, and says which promises were broken.
import {
  DATABASE,
  DATABASE_TOPIC,
  type Delivered,
  type EventRow,
  grantedQos,
  type Qos,
  type Rule,
  type Sent,
  type Subscription,
} from './story.ts';

interface Track extends Sent {
  acked: boolean;
  sends: number;
}

interface SessionTrack {
  readonly name: string;
  readonly stored: boolean;
  readonly subscriptions: readonly Subscription[];
  readonly granted: Map<string, Qos | undefined>;
  /** What is older was published before the session was promised anything. */
  readonly since: ReadonlyMap<string, number>;
  /** How often each message came, by publisher. */
  readonly counts: Map<string, number[]>;
  /** Newest first arrival, by publisher, topic and QoS. */
  readonly newest: Map<string, number>;
  /** Acknowledged messages that it must get, and those of them that it got. */
  expected: number;
  had: number;
}

export interface Counts {
  published: number;
  acknowledged: number;
  resent: number;
  delivered: number;
  duplicates: number;
  retained_looks: number;
  rows: number;
  rows_of_resent: number;
}

const EXAMPLES_MAX = 5;

export class Checker {
  readonly counts: Counts = {
    published: 0,
    acknowledged: 0,
    resent: 0,
    delivered: 0,
    duplicates: 0,
    retained_looks: 0,
    rows: 0,
    rows_of_resent: 0,
  };
  readonly #sent = new Map<string, Track[]>();
  readonly #sessions = new Map<string, SessionTrack>();
  readonly #faults = new Map<Rule, { count: number; readonly examples: string[] }>();
  /** Newest acknowledged value of each retained topic. */
  readonly #floor = new Map<string, number>();

  /** From now on the session is promised what matches. It gets the database's rows when it is the database. */
  addSession(name: string, subscriptions: readonly Subscription[], stored = true): void {
    const since = new Map([...this.#sent].map(([publisher, messages]) => [publisher, messages.length]));
    this.#sessions.set(name, {
      ...{ name, stored, subscriptions, since, expected: 0, had: 0 },
      ...{ granted: new Map(), counts: new Map(), newest: new Map() },
    });
  }

  onSent(sent: Sent): void {
    const messages = this.#sent.get(sent.publisher) ?? [];
    this.#sent.set(sent.publisher, messages);
    messages.push({ ...sent, acked: false, sends: 1 });
    this.counts.published += 1;
  }

  onResent(publisher: string, seq: number): void {
    const track = this.#sent.get(publisher)?.[seq];
    if (track) track.sends += 1;
    this.counts.resent += 1;
  }

  /** PUBACK, or the first PUBREC: from now on it is the broker's. */
  onAcked(publisher: string, seq: number): void {
    const track = this.#sent.get(publisher)?.[seq];
    if (!track || track.acked) return;
    track.acked = true;
    this.counts.acknowledged += 1;
    for (const session of this.#sessions.values()) {
      if (!this.#isOwed(session, track)) continue;
      session.expected += 1;
      if ((session.counts.get(publisher)?.[seq] ?? 0) > 0) session.had += 1;
    }
  }

  /** A retained message is finished with (PUBACK or PUBCOMP): nobody may see an older one any more. */
  onRetainedSafe(topic: string, seq: number): void {
    this.#floor.set(topic, Math.max(this.#floor.get(topic) ?? -1, seq));
  }

  /** The oldest values that a new subscriber may be shown from now on. */
  retainedFloor(): ReadonlyMap<string, number> {
    return new Map(this.#floor);
  }

  onRetained(floor: ReadonlyMap<string, number>, seen: ReadonlyMap<string, number>, isLast: boolean): void {
    this.counts.retained_looks += 1;
    for (const [topic, oldest] of floor) {
      const seq = seen.get(topic);
      if (seq === undefined || seq < oldest || (isLast && seq !== oldest))
        this.onFault('retained', `${topic} retains ${seq ?? 'nothing'}, ${oldest} was acknowledged`);
    }
  }

  onDelivered(name: string, delivered: Delivered): void {
    const session = this.#sessions.get(name);
    const { publisher, seq, topic, retain } = delivered;
    const track = this.#sent.get(publisher)?.[seq];
    if (!session) return;
    if (!track || track.topic !== topic || (delivered.mid ?? track.mid) !== (track.mid ?? delivered.mid))
      return this.onFault('altered', `${name} got ${publisher} ${seq} on ${topic}, mid ${delivered.mid}`);
    if (retain) return; // a look at the last value, at a subscription
    this.counts.delivered += 1;
    const counts = session.counts.get(publisher) ?? [];
    session.counts.set(publisher, counts);
    const before = counts[seq] ?? 0;
    counts[seq] = before + 1;
    if (before > 0) return this.#onRepeated(session, track, delivered);
    if (track.acked && this.#isOwed(session, track)) session.had += 1;
    this.#judgeOrder(session, track);
  }

  #onRepeated(session: SessionTrack, track: Track, { dup }: Delivered): void {
    this.counts.duplicates += 1;
    const { publisher, seq, topic, qos } = track;
    const granted = this.#granted(session, topic);
    const what = `${session.name} got ${publisher} ${seq} (${topic}, published with QoS ${qos}) again`;
    if (qos === 2 && granted === 2) this.onFault('twice at QoS 2', what);
    else if (!dup && track.sends === 1) this.onFault('repeated without cause', what);
  }

  #judgeOrder(session: SessionTrack, { publisher, seq, topic, qos, sends }: Track): void {
    // What came before the broker's word for the subscription was not counted; what was missed at QoS 0 may be resent.
    if (seq < (session.since.get(publisher) ?? 0) || (sends > 1 && this.#granted(session, topic) === 0)) return;
    const key = `${publisher} ${topic} ${qos}`;
    const newest = session.newest.get(key) ?? -1;
    if (seq < newest)
      this.onFault('order', `${session.name} got ${publisher} ${seq} (${topic}, QoS ${qos}) after ${newest}`);
    else session.newest.set(key, seq);
  }

  /** Every row of the database, once, when everything has come to rest. */
  onRows(rows: Iterable<EventRow>): void {
    const mids = new Set<string>();
    for (const { mid, device_id, state } of rows) {
      this.counts.rows += 1;
      if (mids.has(mid)) this.onFault('double row', `two rows have the mid ${mid}`);
      mids.add(mid);
      const track = this.#sent.get(device_id)?.[Number(state)];
      const known = this.#sessions.get(DATABASE)?.counts.get(device_id)?.[Number(state)] ?? 0;
      if (track && known > 0) {
        // A resend of MQTT 3.1.1 has no identity of its own: to the broker it is a new message.
        if (track.mid === undefined && track.sends > 1) this.counts.rows_of_resent += 1;
        else this.onFault('double row', `${device_id} ${state} has two rows`);
      }
      const retain = false;
      this.onDelivered(DATABASE, {
        ...{ publisher: device_id, seq: Number(state), topic: DATABASE_TOPIC, retain, dup: true },
        mid: track?.mid === undefined ? undefined : mid,
      });
    }
  }

  /** Acknowledged messages that are still missing somewhere. */
  missing(): number {
    let missing = 0;
    for (const { name, expected, had } of this.#sessions.values()) if (name !== DATABASE) missing += expected - had;
    return missing;
  }

  /** Acknowledged messages that have no row yet. */
  missingRows(rows: Iterable<EventRow>): number {
    const there = new Set(Array.from(rows, ({ device_id, state }) => `${device_id} ${state}`));
    const session = this.#sessions.get(DATABASE);
    let missing = 0;
    for (const messages of this.#sent.values())
      for (const track of messages)
        if (track.acked && session && this.#isOwed(session, track) && !there.has(`${track.publisher} ${track.seq}`))
          missing += 1;
    return missing;
  }

  onFault(rule: Rule, what: string): void {
    const known = this.#faults.get(rule) ?? { count: 0, examples: [] };
    this.#faults.set(rule, known);
    known.count += 1;
    if (known.examples.length < EXAMPLES_MAX) known.examples.push(what);
  }

  /** Looks for what never came, and gives every broken promise with examples. */
  finish(): ReadonlyMap<Rule, { readonly count: number; readonly examples: readonly string[] }> {
    for (const messages of this.#sent.values())
      for (const track of messages) {
        const { publisher, seq, topic, qos } = track;
        if (qos > 0 && !track.acked) this.onFault('not acknowledged', `${publisher} ${seq} (${topic}, QoS ${qos})`);
        if (!track.acked) continue;
        for (const session of this.#sessions.values())
          if (this.#isOwed(session, track) && !session.counts.get(publisher)?.[seq])
            this.onFault('lost', `${session.name} never got ${publisher} ${seq} (${topic}, QoS ${qos})`);
      }
    return this.#faults;
  }

  #granted(session: SessionTrack, topic: string): Qos | undefined {
    if (!session.granted.has(topic)) session.granted.set(topic, grantedQos(session.subscriptions, topic));
    return session.granted.get(topic);
  }

  /** Whether the broker's word for a message is a word to this session. */
  #isOwed(session: SessionTrack, { publisher, seq, topic, qos }: Track): boolean {
    return (
      session.stored &&
      qos > 0 &&
      seq >= (session.since.get(publisher) ?? 0) &&
      (this.#granted(session, topic) ?? 0) > 0
    );
  }
}
