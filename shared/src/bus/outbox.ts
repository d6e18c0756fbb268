// Owns messages that wait for a connection: bounded, in order, each with a deadline.

/** A message on its way: encoded once, sent when there is a connection. */
export interface Outgoing {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly mid: string;
  readonly max_age_s: number | undefined;
}

/** Limits on what waits while the broker is away: a service restarts with less, and memory stays known. */
export const OUTBOX_MESSAGES_MAX = 10_000;
export const OUTBOX_BYTES_MAX = 8 * 1024 * 1024;

/** A FIFO of entries that can also be taken out by identity. */
export class Outbox<Entry extends { readonly message: Outgoing }> {
  readonly #entries = new Set<Entry>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Whether the entry was taken in; `false` when it would break a limit. */
  add(entry: Entry): boolean {
    const bytes = this.#bytes + entry.message.payload.length;
    if (this.#entries.size >= OUTBOX_MESSAGES_MAX || bytes > OUTBOX_BYTES_MAX) return false;
    this.#entries.add(entry);
    this.#bytes = bytes;
    return true;
  }

  /** Takes an entry out; `false` when it was no longer there. */
  remove(entry: Entry): boolean {
    const was = this.#entries.delete(entry);
    if (was) this.#bytes -= entry.message.payload.length;
    return was;
  }

  /** Takes everything out, oldest first. */
  drain(): readonly Entry[] {
    const entries = [...this.#entries];
    this.#entries.clear();
    this.#bytes = 0;
    return entries;
  }
}
