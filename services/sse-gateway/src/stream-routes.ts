// Owns the addresses of event streams: the feed, the old page's, the old Node server's, and the count of listeners.
import type { RouteAccess } from '@monitor-mesh/shared/http/gate.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseWish } from './filter.ts';
import type { Hub } from './hub.ts';
import type { Streams } from './streams.ts';

const PAGE_PATHS = ['/monitor/include/serveur_sse.php', '/include/serveur_sse.php'];
const HIDDEN = { hide: true } as object;
const FEED: RouteAccess = { kind: 'roles', roles: ['admin', 'homeassistant', 'dashboard'] };
const OLD: RouteAccess = {
  kind: 'open',
  app: 'sse',
  roles: ['admin', 'homeassistant', 'dashboard', 'device', 'domoticz'],
  writes: false,
};
/** As the old servers; the gate has refused pages of strangers before. */
const OLD_HEADERS = { 'access-control-allow-origin': '*' } as const;

export function addStreamRoutes(app: FastifyInstance, hub: Hub, streams: Streams): void {
  app.get('/api/v1/stream', { config: { access: FEED } }, (request, reply) => {
    const wish = parseWish(request.query as Record<string, unknown>);
    if ('fault' in wish) return reply.code(400).send({ error: 'input_invalid', message: wish.fault });
    const role = request.identity?.role ?? 'device';
    const audience = { role, wish, last_event_id: lastEventId(request) };
    return streams.begin(request, reply, {}, (sink) => hub.join(sink, audience));
  });
  for (const path of PAGE_PATHS)
    app.get(path, { config: { access: OLD }, schema: HIDDEN }, (request, reply) =>
      streams.begin(request, reply, OLD_HEADERS, (sink) => hub.joinPages(sink, lastEventId(request))),
    );
  app.get('/events', { config: { access: OLD }, schema: HIDDEN }, (request, reply) =>
    streams.begin(request, reply, OLD_HEADERS, (sink) => hub.joinFacts(sink, lastEventId(request))),
  );
  app.get('/status', { config: { access: OLD }, schema: HIDDEN }, (_request, reply) =>
    reply.headers(OLD_HEADERS).send({ clients: streams.count }),
  );
}

/** EventSource sends the header when it reconnects; a page that starts over can send the query. */
function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  const query = (request.query as Readonly<Record<string, unknown>>).lastEventId;
  return typeof header === 'string' ? header : typeof query === 'string' ? query : undefined;
}
