// Owns the telling of refusals: metrics, one log line a minute for each client and topic, and mesh/reject.
import { RejectTally } from '@monitor-mesh/shared/bus/reject-tally.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Metrics } from '@monitor-mesh/shared/metrics.ts';

export interface RefusalsOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly window_ms: number;
  readonly publish: (topic: string, payload: string) => void;
}

/** Pairs of client and topic whose log line is held back in one window; beyond it only the metric counts. */
const LOGGED_MAX = 1_000;

export class Refusals implements Disposable {
  readonly #options: RefusalsOptions;
  readonly #tally: RejectTally;
  readonly #logged = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #denied;
  readonly #expired;

  constructor(options: RefusalsOptions) {
    this.#options = options;
    this.#denied = options.metrics.counter('mqtt_publish_denied_total', 'Publishes that were refused');
    this.#expired = options.metrics.counter(
      'mqtt_messages_expired_total',
      'Messages that outlived their age limit in a queue',
    );
    this.#tally = new RejectTally(({ topic, reason, count }) => {
      const at = new Date(options.now()).toISOString();
      options.publish(TOPICS.reject.pattern, JSON.stringify({ topic, reason, count, at }));
    });
    this.#timer = setInterval(() => this.flush(), options.window_ms).unref();
  }

  /** A publish was refused. */
  onDenied(client: string, topic: string, reason: string): void {
    this.#denied.inc();
    this.#tally.add(topic, reason);
    const key = `${client}\n${topic}`;
    if (this.#logged.has(key) || this.#logged.size >= LOGGED_MAX) return;
    this.#logged.add(key);
    this.#options.log.warn({ client, topic, reason }, 'publish refused');
  }

  /** A message waited longer than its age limit: it is not delivered. */
  onExpired(topic: string): void {
    this.#expired.inc();
    this.#tally.add(topic, 'expired in the queue of an absent consumer, not delivered');
  }

  /** Reports what was counted in the window that ends now. */
  flush(): void {
    this.#logged.clear();
    this.#tally.flush();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.flush();
  }
}
