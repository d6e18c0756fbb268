// Owns the $SYS topics: the broker's own figures under the names that mosquitto's users know.
import type { Metrics } from '@monitor-mesh/shared/metrics.ts';
import type { Engine } from './engine/engine.ts';

/** Messages counted since the broker started, for `$SYS` and for the metrics, which are brought up to date when asked. */
export class Traffic {
  received = 0;
  sent = 0;
  /** Messages that a client lost: QoS 0 that it did not take, or the oldest of a queue that was full. */
  dropped = 0;

  constructor(metrics: Metrics) {
    const figures = [
      ['mqtt_messages_received_total', 'Publishes that clients sent', () => this.received],
      ['mqtt_messages_sent_total', 'Publishes that were sent to clients', () => this.sent],
      ['mqtt_messages_dropped_total', 'Messages that a client did not take in time', () => this.dropped],
    ] as const;
    for (const [name, help, read] of figures) metrics.reading(name, help, read);
  }
}

export interface SysSources {
  readonly engine: Engine;
  readonly version: string;
  readonly traffic: Traffic;
  readonly now: () => number;
  readonly started_ms: number;
  readonly retained: () => number;
}

/** Topic and text of each figure. */
export function sysTopics({
  engine,
  version,
  traffic,
  now,
  started_ms,
  retained,
}: SysSources): readonly (readonly [string, string])[] {
  const clients = Object.values(engine.clients);
  const subscriptions = clients.reduce((sum, client) => sum + Object.keys(client.subscriptions).length, 0);
  return [
    ['$SYS/broker/version', `monitor-mesh ${version}`],
    ['$SYS/broker/uptime', `${Math.floor((now() - started_ms) / 1000)} seconds`],
    ['$SYS/broker/clients/connected', String(engine.connectedClients)],
    ['$SYS/broker/messages/received', String(traffic.received)],
    ['$SYS/broker/messages/sent', String(traffic.sent)],
    ['$SYS/broker/retained messages/count', String(retained())],
    ['$SYS/broker/subscriptions/count', String(subscriptions)],
  ];
}
