// Owns the pace at which one address may open connections: a script that reconnects in a loop must not cost a core.

interface Bucket {
  left: number;
  at_ms: number;
}

/** Addresses remembered; beyond it the oldest is forgotten, which only gives it a new allowance. */
const TRACKED_MAX = 10_000;

export class ConnectRate {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param burst connections that may come at once, as after a restart of the broker when everybody comes back */
  constructor(perSecond: number, burst: number, now: () => number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
  }

  /** Whether the address may open one more connection now. */
  take(address: string): boolean {
    const now = this.#now();
    const known = this.#buckets.get(address) ?? { left: this.#burst, at_ms: now };
    const earned = (Math.max(0, now - known.at_ms) / 1000) * this.#perSecond;
    const left = Math.min(this.#burst, known.left + earned);
    this.#buckets.delete(address);
    this.#buckets.set(address, { left: left < 1 ? left : left - 1, at_ms: now });
    if (this.#buckets.size > TRACKED_MAX)
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    return left >= 1;
  }
}
