// Owns the counting of refused input: one report at once, then one per topic, reason and minute with the number.

export interface Rejection {
  readonly topic: string;
  readonly reason: string;
  readonly count: number;
}

/** Different (topic, reason) pairs remembered in one window; beyond it they are counted under one name. */
const PAIRS_MAX = 256;
const REASON_MAX = 300;
const OTHER = 'other topics';

/**
 * Collects rejections. The first of a pair is reported at once, the rest of its window as one number at `flush`.
 * Pure but for the callback: the owner calls `flush` once a minute.
 */
export class RejectTally {
  readonly #counts = new Map<string, { topic: string; reason: string; pending: number }>();
  readonly #report: (rejection: Rejection) => void;

  constructor(report: (rejection: Rejection) => void) {
    this.#report = report;
  }

  add(topic: string, why: string): void {
    const reason = why.length > REASON_MAX ? `${why.slice(0, REASON_MAX)}…` : why;
    const key = `${topic}\n${reason}`;
    const known = this.#counts.get(key) ?? (this.#counts.size >= PAIRS_MAX ? this.#counts.get(OTHER) : undefined);
    if (known) {
      known.pending += 1;
    } else if (this.#counts.size >= PAIRS_MAX) {
      this.#counts.set(OTHER, { topic: OTHER, reason: `more than ${PAIRS_MAX} kinds in one minute`, pending: 1 });
    } else {
      this.#counts.set(key, { topic, reason, pending: 0 });
      this.#report({ topic, reason, count: 1 });
    }
  }

  /** Reports what was counted since the last flush and forgets pairs that have gone quiet. */
  flush(): void {
    for (const [key, { topic, reason, pending }] of [...this.#counts]) {
      this.#counts.delete(key);
      if (pending === 0) continue;
      this.#report({ topic, reason, count: pending });
      // Still active: stay aggregated, so that an endless stream makes one report a minute.
      this.#counts.set(key, { topic, reason, pending: 0 });
    }
  }
}
