// Owns the decision what a message of Zigbee2MQTT means to the house. Pure.
import { deviceId, deviceState, type PayloadOf, type TOPICS } from '@monitor-mesh/shared/contract.ts';
import { decodeJson, decodeText } from '@monitor-mesh/shared/decode.ts';
import type { Mapping, Slot } from './mapping.ts';

/** A message as it arrived; `retain` when the broker kept it from before. */
export interface ZigbeeMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

export interface Surroundings {
  readonly base: string;
  readonly mapping: Mapping;
  /** Whether a device without a mapping is shown under its friendly name. */
  readonly unmapped: boolean;
}

/** Last value of each id on monitor/maj in this life. */
export type LastValues = ReadonlyMap<string, string>;

export type Effect =
  | { readonly kind: 'maj'; readonly id: string; readonly state: string }
  | { readonly kind: 'z1m'; readonly payload: PayloadOf<typeof TOPICS.z1m> };

export type Decision =
  | { readonly kind: 'ignored' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** `values` is what the device reports, for whoever waits for it. */
  | { readonly kind: 'report'; readonly name: string; readonly values: Report; readonly effects: readonly Effect[] };

export type Report = Readonly<Record<string, unknown>>;

const IGNORED: Decision = Object.freeze({ kind: 'ignored' });
const AVAILABILITY = '/availability';
const COMMAND = /\/(set|get)(\/[^/]+)?$/u;
/** Keys of an unknown device that say something about the house, not about the radio or the battery's voltage. */
const SHOWN_KEY =
  /^(state|contact|temperature|humidity|soil_moisture|pressure|illuminance|position|power|energy|battery|co2|pm25|action)(_.+)?$|^(occupancy|presence|water_leak|smoke|gas|carbon_monoxide|vibration)$/u;
/** What happened, not what is: pressing a button twice is two events. */
const isEvent = (key: string): boolean => key === 'action' || key.startsWith('action_');

/** What a message asks for; `last` is not changed, effects that repeat it are left out. */
export function decideMessage(message: ZigbeeMessage, around: Surroundings, last: LastValues): Decision {
  const { topic, payload } = message;
  if (!topic.startsWith(`${around.base}/`) || payload.length === 0) return IGNORED;
  const rest = topic.slice(around.base.length + 1);
  if (rest === '' || /^bridge(\/|$)/u.test(rest) || COMMAND.test(rest)) return IGNORED;
  const decision = rest.endsWith(AVAILABILITY)
    ? decideAvailability(rest.slice(0, -AVAILABILITY.length), payload, around, last)
    : decideReport(rest, payload, around, last);
  return message.retain && decision.kind === 'report' ? firstValues(decision, last) : decision;
}

/** What the broker kept from before tells the house what it has not heard yet, and old pages nothing: it is not news. */
const firstValues = (report: Extract<Decision, { kind: 'report' }>, last: LastValues): Decision => ({
  ...report,
  values: {},
  effects: report.effects.filter((effect) => effect.kind === 'maj' && !last.has(effect.id)),
});

function decideReport(name: string, payload: Buffer, around: Surroundings, last: LastValues): Decision {
  const decoded = decodeJson(payload);
  if (!decoded.ok) return { kind: 'refused', reason: decoded.reason };
  const { value } = decoded;
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return { kind: 'refused', reason: `expected an object such as {"state":"ON"}, got '${JSON.stringify(value)}'` };
  const values = value as Report;
  const slots = around.mapping.get(name);
  const effects = slots ? mappedEffects(slots, values, last) : around.unmapped ? freeEffects(name, values, last) : [];
  return { kind: 'report', name, values, effects };
}

function mappedEffects(slots: readonly Slot[], values: Report, last: LastValues): readonly Effect[] {
  const effects: Effect[] = [];
  const told = new Set<string>();
  for (const { key, id, idm, name, maj_id, champ } of slots) {
    const state = textOf(values, key);
    if (state === undefined) continue;
    // The old site may show one value in two places: two rows, one change.
    if (!told.has(maj_id)) effects.push(...change(maj_id, key, state, last));
    told.add(maj_id);
    if (champ !== undefined)
      effects.push({ kind: 'z1m', payload: { id, objet: name, state, champ1: champ, champ2: key, idm } });
  }
  return effects;
}

function freeEffects(name: string, values: Report, last: LastValues): readonly Effect[] {
  return Object.keys(values).flatMap((key) => {
    const state = SHOWN_KEY.test(key) ? textOf(values, key) : undefined;
    return state === undefined ? [] : change(key === 'state' ? name : `${name}/${key}`, key, state, last);
  });
}

/** Zigbee2MQTT repeats everything with each breath of the radio; the house is told what is new. */
function change(id: string, key: string, state: string, last: LastValues): readonly Effect[] {
  if (last.get(id) === state && !isEvent(key)) return [];
  return deviceId.safeParse(id).success && deviceState.safeParse(state).success ? [{ kind: 'maj', id, state }] : [];
}

/** A value as text: `false` is a word like any other. Absent, null, empty and composed ones say nothing. */
function textOf(values: Report, key: string): string | undefined {
  const value = Object.hasOwn(values, key) ? values[key] : undefined;
  return typeof value === 'boolean' || typeof value === 'number' || (typeof value === 'string' && value !== '')
    ? String(value)
    : undefined;
}

/** Whether a device can be reached is a device of its own: it never stands where the lamp's state stands. */
function decideAvailability(name: string, payload: Buffer, around: Surroundings, last: LastValues): Decision {
  const state = availabilityOf(payload);
  if (state === undefined)
    return { kind: 'refused', reason: 'expected online or offline, or {"state":"offline"}, got something else' };
  const id = around.mapping.get(name)?.[0]?.id ?? (around.unmapped ? name : undefined);
  const effects = id === undefined ? [] : change(`${id}${AVAILABILITY}`, 'availability', state, last);
  return { kind: 'report', name, values: {}, effects };
}

function availabilityOf(payload: Buffer): string | undefined {
  const json = decodeJson(payload);
  const text = decodeText(payload);
  const word =
    json.ok && json.value !== null && typeof json.value === 'object'
      ? (json.value as Report).state
      : text.ok
        ? text.value.trim()
        : undefined;
  return word === 'online' || word === 'offline' ? word : undefined;
}
