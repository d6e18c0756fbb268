// Owns the memory of what was just sent: a webhook that fires twice is one SMS, and both callers learn its outcome.
import type { PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';

const TEXTS_MAX = 1_000;

interface Sent {
  readonly at_ms: number;
  readonly outcome: Promise<PublishOutcome>;
}

export class RepeatGuard {
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #sent = new Map<string, Sent>();

  constructor(windowMs: number, now: () => number) {
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /** Sends a text, unless the same was sent within the window: then its outcome is the answer. What failed is not remembered. */
  async once(text: string, send: () => Promise<PublishOutcome>): Promise<PublishOutcome> {
    this.#forgetOld();
    const before = this.#sent.get(text);
    if (before) return before.outcome;
    const sent: Sent = { at_ms: this.#now(), outcome: send() };
    if (this.#windowMs > 0) this.#sent.set(text, sent);
    let kept = false;
    try {
      const outcome = await sent.outcome;
      kept = outcome.kind === 'acknowledged';
      return outcome;
    } finally {
      // By now the same text may have been sent anew: that memory is not ours to erase.
      if (!kept && this.#sent.get(text) === sent) this.#sent.delete(text);
    }
  }

  #forgetOld(): void {
    for (const [text, { at_ms }] of this.#sent) {
      if (this.#now() - at_ms < this.#windowMs && this.#sent.size < TEXTS_MAX) break;
      this.#sent.delete(text);
    }
  }
}
