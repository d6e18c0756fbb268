// Owns what must be true of a history, whatever was killed meanwhile. Pure.

export interface Sent {
  readonly mid: string;
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  /** Place in its publisher's and topic's order. */
  readonly n: number;
}

export interface Seen {
  readonly mid: string;
  readonly topic: string;
  readonly n: number;
}

export interface History {
  /** By publisher, in the order of publishing. */
  readonly sent: ReadonlyMap<string, readonly Sent[]>;
  /** `mid`s that had a PUBACK, or a PUBREC for QoS 2. */
  readonly acknowledged: ReadonlySet<string>;
  /** By subscriber, every delivery in the order of arrival; what the subscriber knew for a repetition is left out. */
  readonly seen: ReadonlyMap<string, readonly Seen[]>;
  /** Subscribers of QoS 2. */
  readonly exactly_once: ReadonlySet<string>;
  /** `mid` and number of rows in the database. */
  readonly rows: ReadonlyMap<string, number>;
  /** Last retained value of each topic at the end, and the values that may stand there. */
  readonly retained: ReadonlyMap<string, string>;
  readonly retained_allowed: ReadonlyMap<string, ReadonlySet<string>>;
  /** Acknowledgements that came out of the order of what they answer. */
  readonly acks_out_of_order: number;
}

export const DATABASE_TOPIC = 'monitor/maj';

/** Every broken promise, in words; empty when all were kept. */
export function violationsOf(history: History): readonly string[] {
  return [
    ...lost(history),
    ...rowFaults(history),
    ...orderFaults(history),
    ...repetitions(history),
    ...retainedFaults(history),
    ...(history.acks_out_of_order > 0 ? [`${history.acks_out_of_order} acknowledgements out of order`] : []),
  ];
}

const all = ({ sent }: History): readonly Sent[] => [...sent.values()].flat();

function lost(history: History): readonly string[] {
  const promised = all(history).filter(({ mid, topic }) => history.acknowledged.has(mid) && topic !== DATABASE_TOPIC);
  return [...history.seen].flatMap(([subscriber, seen]) => {
    const mids = new Set(seen.map(({ mid }) => mid));
    return promised
      .filter(({ mid }) => !mids.has(mid))
      .map(({ mid, topic, n, qos }) => `${subscriber} lost ${mid} (${topic} ${n}, QoS ${qos}), which was acknowledged`);
  });
}

function rowFaults(history: History): readonly string[] {
  const missing = all(history)
    .filter(({ mid, topic }) => topic === DATABASE_TOPIC && history.acknowledged.has(mid) && !history.rows.has(mid))
    .map(({ mid, n }) => `the database lost ${mid} (${n}), which was acknowledged`);
  const double = [...history.rows].filter(([, count]) => count > 1).map(([mid, count]) => `${mid} has ${count} rows`);
  return [...missing, ...double];
}

/** First arrivals of one publisher's messages of QoS 1 and 2 on one topic are in the order of publishing. */
function orderFaults(history: History): readonly string[] {
  const queued = new Set(all(history).flatMap(({ mid, qos }) => (qos === 0 ? [] : [mid])));
  return [...history.seen].flatMap(([subscriber, seen]) => {
    const last = new Map<string, number>();
    const known = new Set<string>();
    return seen.flatMap(({ mid, topic, n }) => {
      if (!queued.has(mid) || known.has(mid)) return [];
      known.add(mid);
      const before = last.get(topic) ?? -1;
      last.set(topic, Math.max(before, n));
      return n < before ? [`${subscriber} got ${topic} ${n} after ${before}`] : [];
    });
  });
}

function repetitions(history: History): readonly string[] {
  const twice = new Set(all(history).flatMap(({ mid, qos }) => (qos === 2 ? [mid] : [])));
  return [...history.exactly_once].flatMap((subscriber) => {
    const known = new Set<string>();
    return (history.seen.get(subscriber) ?? []).flatMap(({ mid, topic, n }) => {
      if (!twice.has(mid)) return [];
      if (known.has(mid)) return [`${subscriber} got ${topic} ${n} twice at QoS 2`];
      known.add(mid);
      return [];
    });
  });
}

function retainedFaults({ retained, retained_allowed }: History): readonly string[] {
  return [...retained_allowed].flatMap(([topic, allowed]) =>
    allowed.has(retained.get(topic) ?? '')
      ? []
      : [`${topic} retains ${retained.get(topic) ?? 'nothing'}, expected ${[...allowed].join(' or ')}`],
  );
}
