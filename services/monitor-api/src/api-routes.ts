// Owns the new API, /api/v1: devices, events, messages, health, each with its schema.
import type { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { Party } from '@monitor-mesh/shared/contract.ts';
import { decodeChanges } from '@monitor-mesh/shared/decode.ts';
import { codeOf, reasonOf } from '@monitor-mesh/shared/errors.ts';
import { newMid } from '@monitor-mesh/shared/mid.ts';
import type { Readiness } from '@monitor-mesh/shared/service.ts';
import type { DeviceEvent, EventQuery, StoreReader } from '@monitor-mesh/shared/store/store.ts';
import { epochOf, isoOf } from '@monitor-mesh/shared/time.ts';
import type { FastifyInstance } from 'fastify';
import type { HouseView } from './house-view.ts';
import { messageNameFault } from './legacy-command.ts';
import { setMessage } from './legacy-routes.ts';
import { idempotencyKey, replyFault, replyOutcome } from './publish-reply.ts';
import { ACCEPTED, DEVICE, EVENT, EVENT_QUERY, FAULTS, listOf, MESSAGE, REFUSED_CALLER } from './schemas.ts';

export interface ApiRoutesOptions {
  readonly timeout_ms: number;
  readonly bus: () => Bus;
  readonly view: HouseView;
  /** The database, or why there is none to read. */
  readonly reader: () => Promise<StoreReader>;
  readonly readiness: () => Readiness;
  readonly now: () => number;
}

const VIEWERS: readonly Party[] = ['admin', 'homeassistant', 'dashboard'];
const WRITERS: readonly Party[] = ['admin', 'homeassistant', 'domoticz', 'device', 'dashboard'];
const reading = { access: { kind: 'roles', roles: VIEWERS } } as const;
const writing = { access: { kind: 'roles', roles: WRITERS } } as const;
const messaging = { access: { kind: 'roles', roles: ['admin', 'homeassistant', 'dashboard', 'domoticz'] } } as const;

interface EventQuerystring {
  readonly id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly before?: number;
  readonly limit: number;
}

export function addApiRoutes(app: FastifyInstance, options: ApiRoutesOptions): void {
  addDevices(app, options);
  addMessages(app, options);
  addEvents(app, options);
  addRefusedCallers(app, options);
  app.get(
    '/api/v1/health',
    {
      config: reading,
      schema: { tags: ['health'], summary: 'This service and every service that the broker has heard of' },
    },
    async () => ({
      ...options.readiness(),
      services: Object.fromEntries(options.view.services),
    }),
  );
}

/** Who knocked at the old addresses in vain; `mesh allow` lets them in. */
function addRefusedCallers(app: FastifyInstance, { view }: ApiRoutesOptions): void {
  app.get(
    '/api/v1/refused-callers',
    {
      config: { access: { kind: 'roles', roles: ['admin'] } },
      schema: {
        tags: ['health'],
        summary: 'Callers of old addresses that were refused, by address and app; `mesh allow ADDRESS APP` lets one in',
        response: { 200: listOf('callers', REFUSED_CALLER), ...FAULTS },
      },
    },
    async () => ({
      callers: [...view.refused].flatMap(([service, { callers }]) => callers.map((caller) => ({ service, ...caller }))),
    }),
  );
}

function addDevices(app: FastifyInstance, options: ApiRoutesOptions): void {
  const { view } = options;
  app.get(
    '/api/v1/devices',
    {
      config: reading,
      schema: {
        tags: ['devices'],
        summary: 'Last known state of every device',
        response: { 200: listOf('devices', DEVICE), ...FAULTS },
      },
    },
    async () => ({
      devices: [...view.devices.values()].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
    }),
  );
  app.get<{ Params: { id: string } }>(
    '/api/v1/devices/:id',
    {
      config: reading,
      schema: { tags: ['devices'], summary: 'Last known state of one device', response: { 200: DEVICE, ...FAULTS } },
    },
    async (request, reply) => {
      const device = view.devices.get(request.params.id);
      return (
        device ??
        reply.code(404).send({ error: 'not_found', message: `no device '${request.params.id}' has been heard of` })
      );
    },
  );
  app.post<{ Params: { id: string }; Body: { state: unknown } }>(
    '/api/v1/devices/:id',
    {
      config: writing,
      schema: {
        tags: ['devices'],
        summary: 'Report the state of a device, as monitor/maj does',
        body: {
          type: 'object',
          additionalProperties: false,
          properties: { state: { type: ['string', 'number', 'boolean'] }, at: { type: 'string', format: 'date-time' } },
          required: ['state'],
        },
        response: { 200: ACCEPTED, ...FAULTS },
      },
    },
    async (request, reply) => {
      const key = idempotencyKey(request);
      if ('fault' in key) return replyFault(reply, key.fault);
      const decoded = decodeChanges(Buffer.from(JSON.stringify({ ...request.body, id: request.params.id })));
      const change = decoded.ok ? decoded.value[0] : undefined;
      if (!change) return replyFault(reply, decoded.ok ? 'expected one change' : decoded.reason);
      const mid = key.mid ?? newMid();
      const outcome = await options
        .bus()
        .publish('maj', {}, { ...change, source: 'api' }, { mid, timeout_ms: options.timeout_ms });
      return replyOutcome(reply, outcome, () => reply.send({ status: 'OK', mid }));
    },
  );
}

function addMessages(app: FastifyInstance, options: ApiRoutesOptions): void {
  app.get(
    '/api/v1/messages',
    {
      config: reading,
      schema: {
        tags: ['messages'],
        summary: 'Texts shown to the household',
        response: { 200: listOf('messages', MESSAGE), ...FAULTS },
      },
    },
    async () => ({
      messages: [...options.view.messages.values()],
    }),
  );
  app.put<{ Params: { name: string }; Body: { text?: string; unread?: boolean } }>(
    '/api/v1/messages/:name',
    {
      config: messaging,
      schema: {
        tags: ['messages'],
        summary: 'Set a text, or mark it as read with {"unread": false}',
        body: {
          type: 'object',
          additionalProperties: false,
          properties: { text: { type: 'string', maxLength: 16_384 }, unread: { type: 'boolean', default: true } },
        },
        response: { 200: ACCEPTED, ...FAULTS },
      },
    },
    async (request, reply) => {
      const key = idempotencyKey(request);
      if ('fault' in key) return replyFault(reply, key.fault);
      const name = request.params.name.trim();
      const nameFault = messageNameFault(name);
      if (nameFault !== undefined) return replyFault(reply, nameFault);
      const mid = key.mid ?? newMid();
      const { text = '', unread = true } = request.body;
      const outcome = await setMessage({ name, text, unread }, options, { mid, timeout_ms: options.timeout_ms });
      return replyOutcome(reply, outcome, () => reply.send({ status: 'OK', mid }));
    },
  );
}

function addEvents(app: FastifyInstance, options: ApiRoutesOptions): void {
  app.get<{ Querystring: EventQuerystring }>(
    '/api/v1/events',
    {
      config: reading,
      schema: {
        tags: ['events'],
        summary: 'Changes as the database has them, newest first',
        querystring: EVENT_QUERY,
        response: { 200: listOf('events', EVENT), ...FAULTS },
      },
    },
    async (request, reply) => {
      try {
        const reader = await options.reader();
        const events = await reader.events(queryOf(request.query));
        return { events: events.map(shownEvent) };
      } catch (error) {
        request.log.warn({ reason: reasonOf(error) }, 'history can not be read');
        return reply
          .code(503)
          .send({ error: codeOf(error) ?? 'store_unavailable', message: 'history can not be read now' });
      }
    },
  );
}

const queryOf = ({ id, from, to, before, limit }: EventQuerystring): EventQuery => ({
  limit,
  ...(id === undefined ? {} : { id }),
  ...(from === undefined ? {} : { from_ms: epochOf(from) }),
  ...(to === undefined ? {} : { to_ms: epochOf(to) }),
  ...(before === undefined ? {} : { before_seq: before }),
});

const shownEvent = ({ seq, mid, id, state, at_ms, received_ms, source, clock_wrong }: DeviceEvent): object => ({
  seq,
  mid,
  id,
  state,
  at: isoOf(at_ms),
  received_at: isoOf(received_ms),
  source,
  ...(clock_wrong ? { clock: 'wrong' } : {}),
});
