// Owns the memory of what was just sent: a webhook that fires twice is one SMS, and both callers learn its outcome.
import type { PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';

const TEXTS_MAX = 1_000;

interface Sent {
  readonly at_ms: number;
  readonly mid: string;
  /** Absent once nobody knows whether it was sent: the next attempt sends the same message again. */
  outcome: Promise<PublishOutcome> | undefined;
}

export class RepeatGuard {
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #sent = new Map<string, Sent>();

  constructor(windowMs: number, now: () => number) {
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /**
   * Sends a text, unless the same was sent within the window: then its outcome is the answer. What failed is forgotten; what
   * may have been sent is sent again under its first `mid`, so that it is one message whatever became of the first attempt.
   */
  async once(text: string, mid: string, send: (mid: string) => Promise<PublishOutcome>): Promise<PublishOutcome> {
    this.#forgetOld();
    const before = this.#sent.get(text);
    if (before?.outcome) return before.outcome;
    const sent: Sent = before ?? { at_ms: this.#now(), mid, outcome: undefined };
    sent.outcome = send(sent.mid);
    if (this.#windowMs > 0) this.#sent.set(text, sent);
    let kind: PublishOutcome['kind'] | undefined;
    try {
      const outcome = await sent.outcome;
      kind = outcome.kind;
      return outcome;
    } finally {
      if (kind === 'unknown') sent.outcome = undefined;
      // By now the same text may have been sent anew: that memory is not ours to erase.
      else if (kind !== 'acknowledged' && this.#sent.get(text) === sent) this.#sent.delete(text);
    }
  }

  #forgetOld(): void {
    for (const [text, { at_ms }] of this.#sent) {
      if (this.#now() - at_ms < this.#windowMs && this.#sent.size < TEXTS_MAX) break;
      this.#sent.delete(text);
    }
  }
}
