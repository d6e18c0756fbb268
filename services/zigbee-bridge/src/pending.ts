// Owns the commands that wait for their device's word: each is answered once, by a report or by the deadline.
import type { PayloadOf, TOPICS } from '@monitor-mesh/shared/contract.ts';
import { judgeReport, type Order } from './command.ts';
import type { Report } from './core.ts';

export type Reply = PayloadOf<typeof TOPICS.zigbee_reply>;

/** Answers remembered, for a sender that repeats its command because it missed the answer. */
const ANSWERS_MAX = 1_000;

interface Waiting {
  readonly order: Order;
  readonly timer: NodeJS.Timeout;
  /** What the device said meanwhile, when it was something else. */
  state: string | undefined;
}

export class PendingCommands {
  readonly #waiting = new Map<string, Waiting>();
  readonly #answers = new Map<string, Reply>();
  readonly #timeoutMs: number;
  readonly #answer: (reply: Reply) => void;

  constructor(timeoutMs: number, answer: (reply: Reply) => void) {
    this.#timeoutMs = timeoutMs;
    this.#answer = answer;
  }

  /** Whether a command of this id was here before: then it is not carried out again, and its answer is repeated. */
  isKnown(id: string): boolean {
    const answer = this.#answers.get(id);
    if (answer) this.#answer(answer);
    return answer !== undefined || this.#waiting.has(id);
  }

  /** Waits for the report that confirms an order. To be called before the order is sent. */
  expect(id: string, order: Order): void {
    const timer = setTimeout(() => this.#onDeadline(id), this.#timeoutMs);
    this.#waiting.set(id, { order, timer, state: undefined });
  }

  /** A device has spoken. */
  onReport(name: string, values: Report): void {
    for (const [id, waiting] of this.#waiting) {
      const judged = waiting.order.name === name ? judgeReport(waiting.order, values) : undefined;
      if (judged?.met) this.settle({ id, ok: true, state: judged.state });
      else if (judged) waiting.state = judged.state;
    }
  }

  /** Answers a command; the first answer counts. */
  settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(reply.id);
    this.#answers.set(reply.id, reply);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest);
    this.#answer(reply);
  }

  /** What still waits is told that nobody will answer. */
  close(): void {
    for (const id of [...this.#waiting.keys()]) this.settle({ id, ok: false, error: 'the service is stopping' });
  }

  #onDeadline(id: string): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    const { order, state } = waiting;
    const error =
      state === undefined
        ? `'${order.name}' did not answer within ${this.#timeoutMs} ms`
        : `expected '${order.name}' to report ${String(order.expected)} within ${this.#timeoutMs} ms, got ${state}`;
    this.settle({ id, ok: false, error, ...(state === undefined ? {} : { state }) });
  }
}
