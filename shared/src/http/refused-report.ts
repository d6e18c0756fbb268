// Owns the report of refused callers: a retained list per service, which `mesh allow` shows.
import type { Bus } from '../bus/bus.ts';
import { isoOf } from '../time.ts';
import type { RefusedCallers } from './door.ts';

/** Publishes the callers of some apps whenever a new one was refused. */
export function publishRefusedCallers(
  bus: Bus,
  service: 'monitor-api' | 'sse-gateway',
  refused: RefusedCallers,
  apps: (app: string) => boolean,
): void {
  const publish = (): void => {
    const callers = refused
      .list(apps)
      .map(({ address, app, count, last_ms }) => ({ address, app, count, last_at: isoOf(last_ms) }));
    if (callers.length > 0) void bus.publish('refused_callers', { service }, { callers });
  };
  refused.onNew(publish);
}
