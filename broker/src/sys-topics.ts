// Owns the $SYS topics: the broker's own figures under the names that mosquitto's users know.
import type { Engine } from './engine.ts';

/** Counted since the broker started. */
export interface Traffic {
  received: number;
  sent: number;
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
