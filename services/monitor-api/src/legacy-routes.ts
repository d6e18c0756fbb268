// Owns the old addresses of json.php, on both paths; those of ajax.php stand in ajax-routes.ts.
import type { Bus, PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';
import type { RouteAccess } from '@monitor-mesh/shared/http/gate.ts';
import { newMid } from '@monitor-mesh/shared/mid.ts';
import type { StoreReader } from '@monitor-mesh/shared/store/store.ts';
import { isoOf } from '@monitor-mesh/shared/time.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addAjaxRoutes } from './ajax-routes.ts';
import type { HouseView } from './house-view.ts';
import { decideLegacyCommand, type LegacyCommand, type LegacyParameters } from './legacy-command.ts';
import { idempotencyKey, replyFault, replyOutcome } from './publish-reply.ts';
import type { RepeatGuard } from './repeat-guard.ts';

export interface LegacyRoutesOptions {
  readonly reader: () => Promise<StoreReader>;
  readonly zone: string;
  readonly enabled: boolean;
  readonly timeout_ms: number;
  readonly bus: () => Bus;
  readonly view: HouseView;
  readonly repeats: RepeatGuard;
  readonly now: () => number;
}

const JSON_PATHS = ['/monitor/api/json.php', '/api/json.php'];
const HTML = 'text/html; charset=UTF-8';
/** The old answer of the stub that Home Assistant's rest sensor reads. */
const REST_STUB = [{ data: '998' }];

/** Who may do what with the old calls, by `app`; a call of an app that never was does nothing and is open as `maj` is. */
function accessOf(request: FastifyRequest): RouteAccess {
  const { app } = request.query as LegacyParameters;
  if (app === 'messages')
    return { kind: 'open', app: 'messages', roles: ['admin', 'homeassistant', 'dashboard', 'domoticz'], writes: true };
  if (app === 'envoi_sms')
    return { kind: 'open', app: 'envoi_sms', roles: ['admin', 'homeassistant', 'domoticz'], writes: true };
  return {
    kind: 'open',
    app: 'maj',
    roles: ['admin', 'homeassistant', 'dashboard', 'device', 'domoticz'],
    writes: true,
  };
}

export function addLegacyRoutes(app: FastifyInstance, options: LegacyRoutesOptions): void {
  void app.register(async (scope) => {
    // Old callers post bodies of any kind that nobody ever read.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, _body, done) => done(null, undefined));
    for (const url of JSON_PATHS)
      scope.route({
        method: ['GET', 'POST'],
        url,
        config: { access: accessOf },
        handler: (request, reply) => answer(request, reply, options),
        schema: { hide: true } as object,
      });
    addAjaxRoutes(scope, options);
  });
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  options: LegacyRoutesOptions,
): Promise<FastifyReply> {
  if (!options.enabled) return reply.type(HTML).send('API non autorisée');
  const key = idempotencyKey(request);
  if ('fault' in key) return replyFault(reply, key.fault);
  const decided = decideLegacyCommand(request.query as LegacyParameters);
  if (!decided.ok) return replyFault(reply, decided.reason);
  return perform(decided.value, key.mid ?? newMid(), reply, options);
}

async function perform(
  command: LegacyCommand,
  mid: string,
  reply: FastifyReply,
  options: LegacyRoutesOptions,
): Promise<FastifyReply> {
  const sending = { mid, timeout_ms: options.timeout_ms };
  switch (command.app) {
    case 'maj': {
      const outcome = await options.bus().publish('maj', {}, { ...command.change, source: 'api' }, sending);
      return replyOutcome(reply, outcome, () => reply.send({ status: 'OK', mid }));
    }
    case 'messages':
      return replyOutcome(reply, await setMessage(command, options, sending), () =>
        reply.type(HTML).send('Enregistrement mis à jour'),
      );
    case 'envoi_sms':
      return replyOutcome(
        reply,
        await options.repeats.once(command.text, mid, (first) =>
          options.bus().publish('sms_out', {}, { id: first, text: command.text }, { ...sending, mid: first }),
        ),
        () => reply.type('application/json; charset=utf-8').send(JSON.stringify(`envoi_sms:${command.text}`)),
      );
    case 'api_rest_ha':
      return reply.send(REST_STUB);
    case 'unknown':
      return reply.type(HTML).send('');
    default:
      return command satisfies never;
  }
}

/** Marking as read keeps the text; the old site answered success for a name that it did not know, and did nothing. */
export async function setMessage(
  { name, text, unread }: { readonly name: string; readonly text: string; readonly unread: boolean },
  { bus, view, now }: Pick<LegacyRoutesOptions, 'bus' | 'view' | 'now'>,
  sending: { readonly mid: string; readonly timeout_ms: number },
): Promise<PublishOutcome> {
  const known = view.messages.get(name);
  if (!unread && !known) return { kind: 'acknowledged', mid: sending.mid };
  const message = { name, text: unread ? text : (known?.text ?? text), unread, at: isoOf(now()) };
  const outcome = await bus().publish('message', { name }, message, sending);
  if (outcome.kind === 'acknowledged') view.messages.set(name, message);
  return outcome;
}
