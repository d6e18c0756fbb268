// Owns the measuring of latencies: events at a steady pace, each timed from its sending to its arrival.

export interface Latencies {
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** A hop to be measured: sends number `n`, and calls `arrived(n)` when it comes out at the other end. */
export interface Hop extends AsyncDisposable {
  readonly name: string;
  send(n: number): void;
  onArrival(arrived: (n: number) => void): void;
}

const DEADLINE_MS = 10_000;

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/**
 * Sends `count` events, `rate_hz` a second. The pace is kept by the clock, so that a slow answer does not slow the sender
 * down and hide itself.
 */
export async function measure(hop: Hop, rate_hz: number, count: number): Promise<Latencies> {
  const sent = new Float64Array(count);
  const took = new Float64Array(count).fill(Number.NaN);
  let arrived = 0;
  const all = new Promise<void>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`${hop.name}: expected ${count} arrivals, got ${arrived}`)),
      (count / rate_hz) * 1000 + DEADLINE_MS,
    );
    hop.onArrival((n) => {
      if (!Number.isNaN(took[n])) throw new Error(`${hop.name}: number ${n} arrived twice`);
      took[n] = performance.now() - (sent[n] ?? 0);
      arrived += 1;
      if (arrived < count) return;
      clearTimeout(late);
      resolve();
    });
  });
  const begin = performance.now();
  let next = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(count, Math.floor(((performance.now() - begin) / 1000) * rate_hz));
      for (; next < due; next++) {
        sent[next] = performance.now();
        hop.send(next);
      }
      if (next < count) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await all;
  const sorted = [...took].sort((a, b) => a - b);
  return { p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99) };
}

/** The middle one of several runs, by each figure. */
export function medianOf(runs: readonly Latencies[]): Latencies {
  const middle = (pick: (run: Latencies) => number): number =>
    at(
      [...runs].map(pick).sort((a, b) => a - b),
      0.5,
    );
  return { p50_ms: middle(({ p50_ms }) => p50_ms), p99_ms: middle(({ p99_ms }) => p99_ms) };
}
