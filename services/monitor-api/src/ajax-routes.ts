// Owns ajax.php: what wall tablets of the old site call, from the mesh's data, and where the rest of it went.
import { codeOf } from '@monitor-mesh/shared/errors.ts';
import type { RouteAccess } from '@monitor-mesh/shared/http/gate.ts';
import type { StoreReader } from '@monitor-mesh/shared/store/store.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HouseView } from './house-view.ts';
import type { LegacyParameters } from './legacy-command.ts';
import { idTable, planOf } from './old-plan.ts';
import { variablesOf } from './old-variables.ts';
import { phpJson } from './php-json.ts';

export interface AjaxRoutesOptions {
  readonly view: HouseView;
  readonly reader: () => Promise<StoreReader>;
  readonly now: () => number;
  readonly zone: string;
}

const PATHS = ['/monitor/ajax.php', '/ajax.php'];
const HTML = 'text/html; charset=UTF-8';

/** Looking at the plan is looking at the house's states: as open as the old event stream. */
const LOOK: RouteAccess = {
  kind: 'open',
  app: 'sse',
  roles: ['admin', 'homeassistant', 'dashboard', 'device', 'domoticz'],
  writes: false,
};

/** Where what other calls did is done now, for the person who finds an old page broken. */
const SUCCESSORS: Readonly<Record<string, string>> = {
  OnOff: 'the topics domoticz/cmd and zigbee/cmd',
  turn: "Home Assistant's own API",
  haid: "Home Assistant's own API",
  put: "ioBroker's own API",
  dimm: 'the topic zigbee/cmd',
  maj_var: 'the topic domoticz/cmd; POST /api/v1/messages/{name} for messages',
  data_var: 'GET /api/v1/messages',
  graph: 'the tables of db/record and the database itself',
  sql: 'the database itself',
  maj: 'POST /api/v1/devices/{id}, or app=maj of json.php',
  log_dz: "Domoticz' own page",
  ha: "Home Assistant's own API",
  mdp: 'POST /api/v1/login',
  admin: 'docs/configuration.md of monitor-mesh',
  adminp: 'docs/configuration.md of monitor-mesh',
  dev_bd: 'the table dispositifs itself',
  var_bd: 'the table dispositifs itself',
  msg_bd: 'PUT /api/v1/messages/{name}',
  upload_img: "the camera server's own page",
  upload_conf_img: "the camera server's own page",
  meteo_concept: "the weather service's own page",
  infos_met: "the weather service's own page",
  shell: 'ssh itself: the mesh runs no commands for a browser',
};

type Look = (reader: StoreReader, options: AjaxRoutesOptions) => Promise<object>;

const LOOKS: Readonly<Record<string, Look>> = {
  idxidm: async (reader) => idTable(await reader.dispositifs()),
  devices_plan: async (reader, { view, now, zone }) =>
    planOf(await reader.dispositifs(), view.devices, { now_ms: now(), zone }),
  services: async (reader, { view }) =>
    variablesOf({
      rows: await reader.dispositifs(),
      images: await reader.textImages(),
      states: view.devices,
      messages: [...view.messages.values()],
    }),
};

const appOf = (request: FastifyRequest): string => {
  const { app, appp } = request.query as LegacyParameters & { readonly appp?: unknown };
  return typeof app === 'string' ? app : typeof appp === 'string' ? appp : '';
};
const isLook = (app: string): boolean => Object.hasOwn(LOOKS, app);

/** A call that does nothing is answered to anybody; one that shows the house is not. */
const accessOf = (request: FastifyRequest): RouteAccess => (isLook(appOf(request)) ? LOOK : { kind: 'public' });

/** Adds both addresses of ajax.php. */
export function addAjaxRoutes(app: FastifyInstance, options: AjaxRoutesOptions): void {
  for (const url of PATHS)
    app.route({
      method: ['GET', 'POST'],
      url,
      config: { access: accessOf },
      handler: (request, reply) => answer(request, reply, options),
      schema: { hide: true } as object,
    });
}

async function answer(request: FastifyRequest, reply: FastifyReply, options: AjaxRoutesOptions): Promise<FastifyReply> {
  const app = appOf(request);
  // Old pages clear the one-row table after each event; there is nothing to clear, and their call must not fail.
  if (app === 'maj' && (request.query as LegacyParameters).command === '6') return reply.type(HTML).send('');
  const look = isLook(app) ? LOOKS[app] : undefined;
  if (look) return await show(look, reply, options);
  const successor = Object.hasOwn(SUCCESSORS, app) ? SUCCESSORS[app] : undefined;
  return reply.code(410).send({
    error: 'gone',
    message: `this call of ajax.php is gone; see ${successor ?? '/api/docs for its successor'}`,
  });
}

async function show(look: Look, reply: FastifyReply, options: AjaxRoutesOptions): Promise<FastifyReply> {
  try {
    return reply.type(HTML).send(phpJson(await look(await options.reader(), options)));
  } catch (error) {
    const reason = codeOf(error) ?? 'store_failed';
    return reply
      .code(503)
      .send({ error: 'unavailable', message: `the description of the house cannot be read (${reason})` });
  }
}
