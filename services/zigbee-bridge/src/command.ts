// Owns the meaning of a command: from zigbee/cmd to what a device's `set` topic is told, and what would confirm it. Pure.
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { type Decoded, decodeJson, schemaFault } from '@monitor-mesh/shared/decode.ts';
import { colourCommand, parseColour } from './colour.ts';
import type { Report } from './core.ts';
import { type ColourMode, findSlot, type Mapping } from './mapping.ts';

export interface Command {
  readonly id: string;
  readonly device: string;
  readonly key: string | undefined;
  readonly value: string | number | boolean;
}

export type DecodedCommand = Decoded<Command> & { readonly id?: string };

/** What a command does: the JSON for `<name>/set`, and the report that confirms it. */
export interface Order {
  readonly name: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** The device confirms by reporting one of these keys… */
  readonly keys: readonly string[];
  /** …with this value; any value when it can't be known before. */
  readonly expected: string | number | boolean | undefined;
}

/** A command as services and people write it: `id` may be absent, `state` may stand for `value`. */
export function decodeCommand(payload: Uint8Array, mid: string): DecodedCommand {
  const raw = decodeJson(payload);
  if (!raw.ok) return raw;
  const { value } = raw;
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return { ok: false, reason: `expected an object such as {"device":"lampe_entree","value":"On"}` };
  const fields = value as Readonly<Record<string, unknown>>;
  const given = {
    id: fields.id ?? mid,
    device: typeof fields.device === 'number' ? String(fields.device) : fields.device,
    key: fields.key ?? undefined,
    value: fields.value ?? fields.state,
  };
  const { success, data, error } = TOPICS.zigbee_cmd.schema.safeParse(given);
  if (success) return { ok: true, value: { ...data, key: data.key } };
  const reason = schemaFault(error, given);
  return typeof given.id === 'string' && given.id.length <= 64 && given.id !== ''
    ? { ok: false, reason, id: given.id }
    : { ok: false, reason };
}

/** What a command asks of which device, or why nobody can be asked. */
export function decideOrder(command: Command, mapping: Mapping, unmapped: boolean): Decoded<Order> {
  const slot = findSlot(mapping, command.device);
  if (!slot && !unmapped) return { ok: false, reason: `no device '${command.device}' is known` };
  const name = slot?.name ?? command.device;
  if (/[+#\0]|^bridge(\/|$)|^\/|\/$|\/(set|get|availability)(\/|$)/u.test(name))
    return { ok: false, reason: `expected the friendly name of a device, got '${name}'` };
  const key = command.key ?? slot?.key ?? 'state';
  const colour = mapping.get(name)?.find((other) => other.colour !== undefined)?.colour;
  return valueOrder(name, key, command.value, colour);
}

function valueOrder(name: string, key: string, value: Command['value'], mode: ColourMode = 'xy'): Decoded<Order> {
  const rgb = typeof value === 'string' && !isWord(key, value) ? parseColour(value) : undefined;
  if (key === 'color' || (isSwitch(key) && rgb !== undefined && typeof value === 'string' && value.startsWith('#'))) {
    if (!rgb) return { ok: false, reason: `value: expected a colour such as #ff8800, got '${value}'` };
    const payload = colourCommand(rgb, mode);
    return { ok: true, value: { name, payload, keys: Object.keys(payload), expected: undefined } };
  }
  const told = isSwitch(key) ? wordOf(value) : numberOf(value);
  const expected = told === 'TOGGLE' || told === 'STOP' ? undefined : told;
  return { ok: true, value: { name, payload: { [key]: told }, keys: [key], expected } };
}

const isSwitch = (key: string): boolean => key === 'state' || key.startsWith('state_');
const WORDS: Readonly<Record<string, string>> = { true: 'ON', false: 'OFF', '1': 'ON', '0': 'OFF' };
const isWord = (key: string, value: string): boolean => isSwitch(key) && Object.hasOwn(WORDS, value);
/** Zigbee2MQTT writes ON, OFF, OPEN, CLOSE, STOP, TOGGLE, LOCK… */
const wordOf = (value: Command['value']): string => {
  const text = String(value).trim();
  return Object.hasOwn(WORDS, text.toLowerCase()) ? (WORDS[text.toLowerCase()] ?? text) : text.toUpperCase();
};
const numberOf = (value: Command['value']): Command['value'] =>
  typeof value === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/u.test(value) ? Number(value) : value;

/** Devices round what they are told to their own steps. */
const STEP = 1;

/** What a report says about an order: the state as text, and whether it is the one that was asked for. */
export function judgeReport(
  order: Order,
  values: Report,
): { readonly state: string; readonly met: boolean } | undefined {
  const key = order.keys.find((candidate) => Object.hasOwn(values, candidate) && values[candidate] !== null);
  if (key === undefined) return undefined;
  const value = values[key];
  const state = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const { expected } = order;
  if (expected === undefined) return { state, met: true };
  if (typeof expected === 'number' && typeof value === 'number')
    return { state, met: Math.abs(value - expected) <= STEP };
  return { state, met: state.toUpperCase() === String(expected).toUpperCase() };
}
