// Owns the contract of the mesh: every topic once, with its payload, delivery rules and who may use it.
import { z } from 'zod';

/** The services of the mesh; each is also the name of its broker user. */
export const SERVICES = [
  'broker',
  'monitor-api',
  'sse-gateway',
  'db-writer',
  'sms-gateway',
  'domoticz-bridge',
  'alarm',
  'linky-collector',
  'zigbee-bridge',
] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What people's clients may be: `local` is anonymous on loopback (embedded mode), the others are users' roles. */
export const ROLES = ['local', 'device', 'homeassistant', 'domoticz', 'dashboard', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export type Party = ServiceName | Role;

/** Who types commands: a person at a shell, Home Assistant's automations, the owner. */
const TYPISTS = ['local', 'homeassistant', 'admin'] as const;
/** Who may look at the house's states; texts of SMS and phone numbers are not among them. */
const VIEWERS = ['local', 'homeassistant', 'dashboard', 'admin'] as const;

const instant = z.iso.datetime().describe('ISO 8601, UTC');
/** Identifiers are strings for ever. Control characters are refused: they would end a line of a log or a frame. */
export const deviceId = z
  .string()
  .trim()
  .min(1)
  .max(128)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  .regex(/^[^\u0000-\u001f\u007f]*$/u, 'expected no control characters')
  .refine((text) => text.isWellFormed(), 'expected well-formed Unicode');
export const deviceState = z
  .string()
  .min(1)
  .max(4096)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a state may have lines and tabs, nothing else of that kind
  .regex(/^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$/u, 'expected no control characters')
  .refine((text) => text.isWellFormed(), 'expected well-formed Unicode');
const messageName = deviceId.max(64);
const commandId = z.string().min(1).max(64);
const phone = z.string().min(1).max(32).describe('E.164 number or short code');

const change = z.strictObject({
  id: deviceId,
  state: deviceState,
  at: instant.optional(),
  source: z.string().max(64).optional(),
});
const lastState = z.strictObject({
  id: deviceId,
  state: deviceState,
  at: instant,
  source: z.string(),
  clock: z.literal('wrong').exactOptional().describe("present when the sender's own instant was in the future"),
});
const alarmAction = z.enum([
  'arm_away',
  'arm_night',
  'disarm',
  'auto_on',
  'auto_off',
  'siren_on',
  'siren_off',
  'reset',
  'test_sms',
  'test_siren',
]);
const json = z.looseObject({}).describe("the peer's own JSON, passed on as it is");

/** One device of Zigbee2MQTT as the house knows it: one entry for each key of its messages that the house follows. */
export const zigbeeEntry = z.strictObject({
  name: deviceId.describe('friendly name in Zigbee2MQTT'),
  id: deviceId.describe("the house's id of the device"),
  idm: z.string().max(16).optional().describe("the old site's own number"),
  key: z.string().min(1).max(64).describe('key of the JSON that Zigbee2MQTT publishes, such as state or temperature'),
  colour: z.enum(['hs', 'xy', 'color_temp']).optional(),
  maj_id: deviceId.optional().describe('id on monitor/maj, when it is not the one that id and key give'),
});

/** One topic of the contract. `durable` consumers are a subset of `to` and have a session before their first visit. */
export interface TopicDefinition<Pattern extends string = string, Schema extends z.ZodType = z.ZodType> {
  readonly pattern: Pattern;
  readonly summary: string;
  readonly schema: Schema;
  /** Payload bytes are JSON of `schema`, or UTF-8 text as they are. */
  readonly format: 'json' | 'text';
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** Seconds after which a message is no longer delivered (MQTT 5 message expiry, set by the broker). */
  readonly max_age_s?: number;
  readonly from: readonly Party[];
  readonly to: readonly Party[];
  readonly durable: readonly ServiceName[];
  /**
   * Present when the topic belongs to a peer: its root stays free to every client that is logged in, and its messages
   * travel as their sender wrote them. The peer's own setting may put another root in place of a `movable` one.
   */
  readonly foreign?: 'fixed' | 'movable';
  readonly example: z.input<Schema>;
}

/** The payload of a topic, as its schema yields it. */
export type PayloadOf<Definition> = Definition extends TopicDefinition<string, infer Schema> ? z.output<Schema> : never;

interface Declared<Pattern extends string, Schema extends z.ZodType> {
  summary: string;
  schema: Schema;
  format?: 'json' | 'text';
  qos?: 0;
  retain?: true;
  max_age_s?: number;
  from: readonly Party[];
  to: readonly Party[];
  durable?: readonly ServiceName[];
  foreign?: 'fixed' | 'movable';
  example: NoInfer<z.input<Schema>>;
  pattern: Pattern;
}

const declare = <const Pattern extends string, Schema extends z.ZodType>(
  declared: Declared<Pattern, Schema>,
): TopicDefinition<Pattern, Schema> =>
  Object.freeze({
    pattern: declared.pattern,
    summary: declared.summary,
    schema: declared.schema,
    format: declared.format ?? 'json',
    qos: declared.qos ?? 1,
    retain: declared.retain ?? false,
    ...(declared.max_age_s === undefined ? {} : { max_age_s: declared.max_age_s }),
    from: declared.from,
    to: declared.to,
    durable: declared.durable ?? [],
    ...(declared.foreign === undefined ? {} : { foreign: declared.foreign }),
    example: declared.example,
  });

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;
const AT = '2026-10-05T07:02:03.000Z';

/** Every topic of the mesh. The key is the name that code uses; the pattern is what stands on the wire. */
export const TOPICS = {
  maj: declare({
    pattern: 'monitor/maj',
    summary: 'One device changed. Screens, database and alarm follow it in the order the broker received it.',
    schema: change,
    from: [
      'monitor-api',
      'sse-gateway',
      'domoticz-bridge',
      'linky-collector',
      'zigbee-bridge',
      ...TYPISTS,
      'device',
      'domoticz',
    ],
    to: ['sse-gateway', 'db-writer', 'alarm', ...VIEWERS],
    durable: ['sse-gateway', 'db-writer', 'alarm'],
    example: { id: '317', state: 'On' },
  }),
  ha: declare({
    pattern: 'monitor/ha',
    summary: 'Legacy alias of monitor/maj as Home Assistant publishes it, with idx for id.',
    schema: z.looseObject({ idx: deviceId, state: deviceState }),
    from: [...TYPISTS, 'device'],
    to: ['sse-gateway', 'db-writer', 'alarm', ...VIEWERS],
    durable: ['sse-gateway', 'db-writer', 'alarm'],
    example: { idx: 'light.lampe_jardin', state: 'on' },
  }),
  dz: declare({
    pattern: 'monitor/dz',
    summary:
      "Legacy topic of older Domoticz scripts: {value} is a text for the household, shown as the message 'dz'; any other form is a change, as on monitor/maj.",
    schema: z.union([
      z.strictObject({ value: z.union([z.string(), z.number(), z.boolean()]) }),
      z.looseObject({ idx: deviceId, state: deviceState }),
    ]),
    from: [...TYPISTS, 'device', 'domoticz'],
    to: ['sse-gateway', 'db-writer', 'monitor-api', 'alarm', ...VIEWERS],
    durable: ['sse-gateway', 'db-writer', 'monitor-api', 'alarm'],
    example: { value: 'porte ouverte' },
  }),
  state: declare({
    pattern: 'monitor/state/{id}',
    summary: 'Last known state of one device; fills snapshots, never overwrites what was seen live.',
    schema: lastState,
    retain: true,
    from: ['sse-gateway'],
    to: ['sse-gateway', 'monitor-api', 'alarm', ...VIEWERS, 'device', 'domoticz'],
    example: { id: '317', state: 'On', at: AT, source: 'domoticz' },
  }),
  message: declare({
    pattern: 'monitor/message/{name}',
    summary: 'A text shown to the household until it is marked as read.',
    schema: z.strictObject({ name: messageName, text: z.string().max(16_384), unread: z.boolean(), at: instant }),
    retain: true,
    from: ['monitor-api'],
    to: ['db-writer', 'sse-gateway', 'monitor-api', ...VIEWERS],
    durable: ['db-writer'],
    example: { name: 'message1', text: 'bonjour', unread: true, at: AT },
  }),
  last_will: declare({
    pattern: 'monitor/last-will',
    summary: 'Legacy last will: a subscriber of the state changes died.',
    schema: z.string().max(256),
    format: 'text',
    from: ['sse-gateway', ...TYPISTS, 'device'],
    to: VIEWERS,
    example: 'client mqtt déconnecté',
  }),
  sms_out: declare({
    pattern: 'sms/out',
    summary: 'One SMS to send, to named contacts or numbers, else to the first contact.',
    schema: z.strictObject({
      id: commandId,
      text: z.string().min(1).max(1_530),
      to: z.array(z.string().min(1).max(64)).max(20).optional(),
      priority: z.int().min(0).max(99).optional(),
      ttl_s: z.int().min(1).max(DAY_S).optional(),
      flash: z.boolean().optional(),
      report: z.boolean().optional(),
    }),
    max_age_s: DAY_S,
    from: ['monitor-api', 'alarm', 'domoticz-bridge', ...TYPISTS],
    to: ['sms-gateway'],
    durable: ['sms-gateway'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000001', text: 'alarme_SOS' },
  }),
  sms_in: declare({
    pattern: 'sms/in',
    summary: 'One SMS received, whole or what came of it.',
    schema: z.strictObject({
      id: commandId,
      from: phone,
      text: z.string(),
      sent_at: instant,
      received_at: instant,
      parts: z.int().min(1),
      complete: z.boolean(),
      kind: z.string(),
      driver: z.string(),
      authenticated: z.boolean(),
    }),
    from: ['sms-gateway'],
    to: ['db-writer', 'sse-gateway', 'admin'],
    durable: ['db-writer'],
    example: {
      id: '0199b2f0-7c1a-7000-8000-000000000002',
      from: '+33639980001',
      text: 'Alon',
      sent_at: AT,
      received_at: AT,
      parts: 1,
      complete: true,
      kind: 'text',
      driver: 'at-pdu',
      authenticated: false,
    },
  }),
  sms_status: declare({
    pattern: 'sms/status',
    summary: 'What became of one SMS or of one of its parts.',
    schema: z.strictObject({
      id: commandId,
      to: phone,
      state: z.enum(['queued', 'submitted', 'accepted', 'delivered', 'failed', 'unknown']),
      part: z.int().min(1).optional(),
      code: z.int().optional(),
      reason: z.string().optional(),
    }),
    from: ['sms-gateway'],
    to: ['db-writer', 'sse-gateway', 'admin'],
    durable: ['db-writer'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000001', to: '+33639980001', state: 'accepted' },
  }),
  sms_modem: declare({
    pattern: 'sms/modem',
    summary: 'State of the modem.',
    schema: z.strictObject({
      state: z.string(),
      operator: z.string().optional(),
      signal_dbm: z.int().optional(),
      registration: z.string().optional(),
      storage_used: z.int().optional(),
      storage_size: z.int().optional(),
      last_error: z.string().optional(),
    }),
    retain: true,
    from: ['sms-gateway'],
    to: ['sse-gateway', 'monitor-api', ...VIEWERS],
    example: { state: 'ready', signal_dbm: -71, registration: 'home' },
  }),
  sms_call: declare({
    pattern: 'sms/call',
    summary: 'A phone rang the modem.',
    schema: z.strictObject({ from: phone, at: instant }),
    from: ['sms-gateway'],
    to: ['sse-gateway', 'admin'],
    example: { from: '+33639980001', at: AT },
  }),
  alarm_cmd: declare({
    pattern: 'alarm/cmd',
    summary: 'A command for the alarm, whose code the alarm checks.',
    schema: z.strictObject({
      id: commandId,
      action: alarmAction,
      code: z.string().max(32).optional(),
      by: z.string().max(64),
    }),
    max_age_s: 30,
    from: ['monitor-api', 'dashboard', ...TYPISTS],
    to: ['alarm'],
    durable: ['alarm'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000003', action: 'arm_night', by: 'tablet' },
  }),
  alarm_cmd_verified: declare({
    pattern: 'alarm/cmd/verified',
    summary: 'A command for the alarm whose sender has already checked who asks.',
    schema: z.strictObject({ id: commandId, action: alarmAction, by: z.string().max(64) }),
    max_age_s: 30,
    from: ['sms-gateway', 'monitor-api'],
    to: ['alarm'],
    durable: ['alarm'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000004', action: 'disarm', by: 'alice' },
  }),
  alarm_state: declare({
    pattern: 'alarm/state',
    summary: 'What the alarm is doing now.',
    schema: z.strictObject({
      mode: z.string(),
      pending: z.string().optional(),
      auto: z.boolean(),
      siren_armed: z.boolean(),
      triggered: z.string().optional(),
      at: instant,
    }),
    retain: true,
    from: ['alarm'],
    to: ['sse-gateway', 'monitor-api', 'sms-gateway', ...VIEWERS],
    example: { mode: 'disarmed', auto: true, siren_armed: false, at: AT },
  }),
  alarm_event: declare({
    pattern: 'alarm/event',
    summary: 'Something the alarm saw or did.',
    schema: z.strictObject({ kind: z.string(), device: deviceId.optional(), at: instant, by: z.string().optional() }),
    from: ['alarm'],
    to: ['db-writer', 'sse-gateway', ...VIEWERS],
    durable: ['db-writer'],
    example: { kind: 'opening', device: 'porte_entree', at: AT },
  }),
  domoticz_in: declare({
    pattern: 'domoticz/in',
    summary: "Commands in Domoticz's own JSON; never retained.",
    schema: json,
    from: ['domoticz-bridge', 'domoticz'],
    to: ['domoticz'],
    example: { command: 'switchlight', idx: 41, switchcmd: 'On' },
  }),
  domoticz_out: declare({
    pattern: 'domoticz/out',
    summary: "A device changed, in Domoticz's own JSON.",
    schema: json,
    from: ['domoticz'],
    to: ['domoticz-bridge', 'homeassistant', 'admin'],
    example: { idx: 2, name: 'Linky', nvalue: 0, svalue1: '19041386' },
  }),
  domoticz_out_tree: declare({
    pattern: 'domoticz/out/#',
    summary: 'The same by floor and room, index or name.',
    schema: json,
    from: ['domoticz'],
    to: ['domoticz-bridge', 'homeassistant', 'admin'],
    example: { idx: 2, name: 'Linky', nvalue: 0, svalue1: '19041386' },
  }),
  domoticz_cmd: declare({
    pattern: 'domoticz/cmd',
    summary: 'A command for a Domoticz device or variable, to be confirmed.',
    schema: z.strictObject({
      id: commandId,
      command: z.string().max(64),
      idx: z.string().max(16).optional(),
      name: z.string().max(128).optional(),
      value: z.union([z.string().max(1024), z.number(), z.boolean()]),
    }),
    max_age_s: 15,
    from: ['sms-gateway', 'monitor-api', 'alarm', 'dashboard', ...TYPISTS],
    to: ['domoticz-bridge'],
    durable: ['domoticz-bridge'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000005', command: 'switchlight', idx: '41', value: 'On' },
  }),
  domoticz_reply: declare({
    pattern: 'domoticz/reply',
    summary: 'The answer to one command.',
    schema: z.strictObject({
      id: commandId,
      ok: z.boolean(),
      title: z.string().optional(),
      error: z.string().optional(),
    }),
    max_age_s: 15,
    from: ['domoticz-bridge'],
    to: ['sms-gateway', 'monitor-api', 'alarm', 'homeassistant', 'admin'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000005', ok: true, title: 'SwitchLight' },
  }),
  zigbee_cmd: declare({
    pattern: 'zigbee/cmd',
    summary: 'A command for a Zigbee device, by its friendly name, id or idm, to be confirmed by the device itself.',
    schema: z.strictObject({
      id: commandId,
      device: deviceId,
      key: z.string().min(1).max(64).optional(),
      value: z.union([z.string().max(1024), z.number(), z.boolean()]),
    }),
    max_age_s: 15,
    from: ['monitor-api', 'sms-gateway', 'alarm', 'dashboard', ...TYPISTS],
    to: ['zigbee-bridge'],
    durable: ['zigbee-bridge'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000008', device: 'lampe_entree', value: 'On' },
  }),
  zigbee_reply: declare({
    pattern: 'zigbee/reply',
    summary: 'The answer to one command: the state that the device reported, or why there is none.',
    schema: z.strictObject({
      id: commandId,
      ok: z.boolean(),
      state: z.string().optional(),
      error: z.string().optional(),
    }),
    max_age_s: 15,
    from: ['zigbee-bridge'],
    to: ['sms-gateway', 'monitor-api', 'alarm', ...VIEWERS],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000008', ok: true, state: 'ON' },
  }),
  zigbee_devices: declare({
    pattern: 'mesh/zigbee/devices',
    summary: 'The Zigbee devices of the house, from the imported table of devices: one entry for each name and key.',
    schema: z.strictObject({ devices: z.array(zigbeeEntry) }),
    retain: true,
    from: ['db-writer', 'admin'],
    to: ['zigbee-bridge', 'monitor-api', 'admin'],
    example: { devices: [{ name: 'lampe_entree', id: '0xaa', idm: '16', key: 'state', colour: 'hs' }] },
  }),
  zigbee2mqtt: declare({
    pattern: 'zigbee2mqtt/#',
    summary:
      "Zigbee2MQTT's own topics: states, availability, commands. Free to every client that is logged in. The root is ZIGBEE_BASE_TOPIC.",
    schema: json,
    foreign: 'movable',
    from: ['zigbee-bridge', ...ROLES],
    to: ['zigbee-bridge', ...ROLES],
    durable: ['zigbee-bridge'],
    example: { state: 'ON', linkquality: 90 },
  }),
  z1m: declare({
    pattern: 'z1m',
    summary:
      "Legacy: a Zigbee device's value as pages of the old site read it. Free to every client that is logged in.",
    schema: z.strictObject({
      id: z.string(),
      objet: z.string(),
      state: z.string(),
      champ1: z.enum(['Data', 'temperature', 'humidity']),
      champ2: z.string(),
      idm: z.string(),
    }),
    qos: 0,
    foreign: 'fixed',
    from: ['zigbee-bridge', ...ROLES],
    to: ROLES,
    example: { id: '0xaa', objet: 'lampe_entree', state: 'ON', champ1: 'Data', champ2: 'state', idm: '16' },
  }),
  linky_frame: declare({
    pattern: 'linky/{meter}/frame',
    summary: 'One decoded TIC frame: label to value.',
    schema: z.record(z.string(), z.union([z.string(), z.number()])),
    qos: 0,
    from: ['linky-collector'],
    to: ['sse-gateway', ...VIEWERS],
    example: { PAPP: 420, BASE: 19_041_386 },
  }),
  linky_state: declare({
    pattern: 'linky/{meter}/state',
    summary: 'Indexes (Wh), apparent power (VA), tariff and colour of one meter.',
    schema: z.looseObject({ at: instant }),
    retain: true,
    from: ['linky-collector'],
    to: ['sse-gateway', 'db-writer', 'monitor-api', ...VIEWERS],
    durable: ['db-writer'],
    example: { at: AT, base_wh: 19_041_386, papp_va: 420 },
  }),
  linky_day: declare({
    pattern: 'linky/{meter}/day',
    summary: 'One complete day of one meter.',
    schema: z.strictObject({
      date: z.iso.date(),
      conso_wh: z.int().min(0),
      hp_wh: z.int().min(0).optional(),
      hc_wh: z.int().min(0).optional(),
      pmax_va: z.int().min(0),
      partial: z.boolean(),
    }),
    from: ['linky-collector'],
    to: ['db-writer', 'sse-gateway', ...VIEWERS],
    durable: ['db-writer'],
    example: { date: '2026-10-04', conso_wh: 58_866, pmax_va: 11_809, partial: false },
  }),
  db_record: declare({
    pattern: 'db/record',
    summary: 'One row for a white-listed table, as JSON or as the legacy text table#column#value#…',
    schema: z.union([
      z.strictObject({
        table: z.string().max(64),
        values: z.record(z.string(), z.union([z.string(), z.number()])),
        at: instant.optional(),
      }),
      z.string().max(4096),
    ]),
    from: ['monitor-api', 'domoticz-bridge', 'linky-collector', ...TYPISTS, 'domoticz'],
    to: ['db-writer'],
    durable: ['db-writer'],
    example: { table: 'energie', values: { conso: '58.9', pmax: '11.8' }, at: AT },
  }),
  notify_out: declare({
    pattern: 'notify/out',
    summary: 'A text for mail and push.',
    schema: z.strictObject({
      id: commandId,
      level: z.enum(['info', 'warning', 'alarm']),
      title: z.string().max(256),
      text: z.string().max(4096),
    }),
    max_age_s: HOUR_S,
    from: [
      'broker',
      'monitor-api',
      'sse-gateway',
      'db-writer',
      'sms-gateway',
      'domoticz-bridge',
      'alarm',
      'linky-collector',
      'zigbee-bridge',
      ...TYPISTS,
    ],
    to: ['sms-gateway'],
    durable: ['sms-gateway'],
    example: { id: '0199b2f0-7c1a-7000-8000-000000000006', level: 'warning', title: 'Linky', text: 'silent' },
  }),
  status: declare({
    pattern: 'mesh/{service}/status',
    summary: 'Whether a service runs; its last will says offline.',
    schema: z.strictObject({
      state: z.enum(['starting', 'ready', 'degraded', 'stopping', 'offline']),
      since: instant,
      version: z.string(),
      reason: z.string().optional(),
    }),
    retain: true,
    from: SERVICES,
    to: ['sse-gateway', 'monitor-api', ...VIEWERS],
    example: { state: 'ready', since: AT, version: '0.1.0' },
  }),
  reject: declare({
    pattern: 'mesh/reject',
    summary: 'Input that was refused, counted per topic and minute, with the reason.',
    schema: z.strictObject({
      topic: z.string(),
      reason: z.string(),
      count: z.int().min(1),
      at: instant,
    }),
    from: SERVICES,
    to: ['db-writer', 'sse-gateway', 'local', 'admin'],
    durable: ['db-writer'],
    example: { topic: 'monitor/maj', reason: 'expected JSON, got text', count: 1, at: AT },
  }),
  sessions: declare({
    pattern: 'mesh/sessions/revoked',
    summary: 'Browser sessions that no service may accept any longer, until they would have expired anyway.',
    schema: z.strictObject({
      revoked: z.array(z.strictObject({ session: z.string(), until: instant })),
    }),
    retain: true,
    from: ['monitor-api'],
    to: ['monitor-api', 'sse-gateway'],
    example: { revoked: [{ session: '0199b2f0-7c1a-7000-8000-000000000007', until: AT }] },
  }),
  refused_callers: declare({
    pattern: 'mesh/{service}/refused-callers',
    summary: 'Callers of old addresses that were refused, so that the owner can allow them.',
    schema: z.strictObject({
      callers: z.array(
        z.strictObject({ address: z.string(), app: z.string(), count: z.int().min(1), last_at: instant }),
      ),
    }),
    retain: true,
    from: ['monitor-api', 'sse-gateway'],
    to: ['monitor-api', 'local', 'admin'],
    example: { callers: [{ address: '192.0.2.7', app: 'maj', count: 3, last_at: AT }] },
  }),
} as const;

export type TopicKey = keyof typeof TOPICS;

/** The contract as a list, in the order of its declaration. */
export const TOPIC_LIST: readonly TopicDefinition[] = Object.values(TOPICS);

/** First levels that belong to the mesh; every other topic is free to every logged-in client. */
export const OWN_ROOTS: ReadonlySet<string> = new Set(
  TOPIC_LIST.filter(({ foreign }) => foreign === undefined).map(({ pattern }) => pattern.split('/')[0] ?? ''),
);

/** Client id of a service's durable session. Ids that begin with `mesh-` are reserved to the services. */
export const durableClientId = (service: ServiceName): string => `mesh-${service}`;
