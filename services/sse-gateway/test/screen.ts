// Owns a screen for tests: a sink that takes bytes when it is told to, and what a browser makes of them.
import type { Sink } from '../src/viewer.ts';

export interface Block {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string | undefined;
}

/** The blocks in the bytes of a stream (WHATWG HTML §9.2.6), comments and retry left out. */
export function parseBlocks(text: string): readonly Block[] {
  return text
    .split('\n\n')
    .map((block) => {
      const field = (name: string): string | undefined =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      return { id: field('id'), event: field('event') ?? 'message', data: field('data') };
    })
    .filter(({ id, data }) => id !== undefined || data !== undefined);
}

/** Bytes wait here until `take`; each counts `weight` times, so that few events fill the cap of a viewer. */
export class TestSink implements Sink {
  readonly #weight: number;
  #waiting: Buffer[] = [];
  #onDrained: (() => void) | undefined;
  /** Ended in peace; what waits may still be taken. */
  ended = false;
  closed = false;

  constructor(weight = 0) {
    this.#weight = weight;
  }

  get pending(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes.length, 0) * this.#weight;
  }

  write(bytes: Buffer): void {
    if (this.closed || this.ended) throw new Error('expected no bytes after the end');
    this.#waiting.push(bytes);
  }

  onceDrained(callback: () => void): void {
    if (this.#onDrained) throw new Error('expected one callback at a time');
    this.#onDrained = callback;
  }

  end(): void {
    this.ended = true;
  }

  close(): void {
    this.closed = true;
  }

  /** The network takes what waits; then the writer is told. */
  take(): string {
    const text = Buffer.concat(this.#waiting).toString();
    this.#waiting = [];
    const drained = this.#onDrained;
    this.#onDrained = undefined;
    drained?.();
    return text;
  }

  /** Takes until nothing more comes. */
  takeAll(): string {
    let text = '';
    while (this.#waiting.length > 0 || this.#onDrained) text += this.take();
    return text;
  }
}
