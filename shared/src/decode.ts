// Owns decoding: bytes from the wire become values of the contract, or a reason that names what was expected.
import { z } from 'zod';
import { deviceId, deviceState, type PayloadOf, TOPICS, type TopicDefinition } from './contract.ts';

export type Decoded<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string };

/** One device's change as everything in the mesh sees it, whichever way it was written. */
export type Change = PayloadOf<typeof TOPICS.maj>;

const SHOWN_MAX = 60;
/** Updates that one message in the seed script's form may carry; a house has fewer devices than that changing at once. */
const PAIRS_MAX = 100;

/** Fields whose value a reason must not repeat: reasons go to logs and to `mesh/reject`. */
const PRIVATE_FIELDS = new Set<PropertyKey>(['text', 'code', 'from', 'to']);
const withoutPrivate = (field: string, value: unknown): unknown => (PRIVATE_FIELDS.has(field) ? '…' : value);

const shown = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value, withoutPrivate) ?? String(value));
  return `'${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text}'`;
};
const fault = (reason: string): { readonly ok: false; readonly reason: string } => ({ ok: false, reason });

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The UTF-8 text of a payload. */
export function decodeText(payload: Uint8Array): Decoded<string> {
  try {
    return { ok: true, value: utf8.decode(payload) };
  } catch {
    return fault(`expected UTF-8 text, got ${payload.length} bytes that are not`);
  }
}

/** The JSON value of a payload. */
export function decodeJson(payload: Uint8Array): Decoded<unknown> {
  const text = decodeText(payload);
  if (!text.ok) return text;
  try {
    return { ok: true, value: JSON.parse(text.value) };
  } catch {
    return fault(`expected JSON, got ${shown(text.value)}`);
  }
}

/** Why a value does not fit a schema, as one line that names the field, what was expected and the value. */
export function schemaFault(error: z.ZodError, value: unknown): string {
  const issue = error.issues[0];
  if (!issue) return 'expected another value';
  let at: unknown = value;
  for (const key of issue.path)
    at = at !== null && typeof at === 'object' ? (at as Record<PropertyKey, unknown>)[key] : undefined;
  if (issue.path.some((key) => PRIVATE_FIELDS.has(key))) at = '…';
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
  return `${where}${issue.message.replace(/^[A-Z][a-z]+( [a-z]+)?: /u, '')}, got ${shown(at)}`;
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): Decoded<z.output<Schema>> {
  const result = schema.safeParse(value);
  return result.success ? { ok: true, value: result.data } : fault(schemaFault(result.error, value));
}

/** The payload of a topic by its own schema: the strict form in which services speak. */
export function decodePayload<Definition extends TopicDefinition>(
  definition: Definition,
  payload: Uint8Array,
): Decoded<PayloadOf<Definition>> {
  const raw = definition.format === 'text' ? decodeText(payload) : decodeJson(payload);
  if (!raw.ok) return raw;
  return check(definition.schema, raw.value) as Decoded<PayloadOf<Definition>>;
}

/**
 * The bytes of a payload.
 *
 * @throws ZodError when a service builds a payload that its own contract refuses: a programmer's mistake
 */
export function encodePayload<Definition extends TopicDefinition>(
  definition: Definition,
  payload: PayloadOf<Definition>,
): Buffer {
  const value = definition.schema.parse(payload);
  return Buffer.from(definition.format === 'text' ? String(value) : JSON.stringify(value));
}

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

function changeOf(id: unknown, state: unknown, rest: { at?: unknown; source?: unknown } = {}): Decoded<Change> {
  if (!isScalar(id)) return fault(`id: expected text or a number, got ${shown(id)}`);
  if (!isScalar(state)) return fault(`state: expected text, a number or a boolean, got ${shown(state)}`);
  const checkedId = check(deviceId, String(id));
  if (!checkedId.ok) return fault(`id: ${checkedId.reason}`);
  const checkedState = check(deviceState, String(state));
  if (!checkedState.ok) return fault(`state: ${checkedState.reason}`);
  return check(TOPICS.maj.schema, {
    id: checkedId.value,
    state: checkedState.value,
    ...(rest.at === undefined ? {} : { at: rest.at }),
    ...(rest.source === undefined ? {} : { source: rest.source }),
  });
}

const houseText = z.strictObject({ value: z.union([z.string(), z.number(), z.boolean()]) });

/**
 * The text for the household in a payload of `monitor/dz`, `{"value": "<text>"}` as older Domoticz scripts write it;
 * `undefined` when the payload is of another form.
 */
export function decodeHouseText(payload: Uint8Array): string | undefined {
  const raw = decodeJson(payload);
  const { success, data } = houseText.safeParse(raw.ok ? raw.value : undefined);
  return success ? String(data.value) : undefined;
}
/**
 * The changes in a payload of `monitor/maj`, `monitor/ha` or `monitor/dz`, as people and scripts write them:
 * `{"id","state"}` or `{"idx","state"}` with text, numbers or booleans, or the seed script's `{"<id>": "<value>", …}`.
 * A payload is taken whole or refused whole. A text for the household on `monitor/dz` holds no change.
 */
export function decodeChanges(payload: Uint8Array, topic?: string): Decoded<readonly Change[]> {
  if (topic === TOPICS.dz.pattern && decodeHouseText(payload) !== undefined) return { ok: true, value: [] };
  const raw = decodeJson(payload);
  if (!raw.ok) return raw;
  const value = raw.value;
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return fault(`expected an object such as {"id":"317","state":"On"}, got ${shown(value)}`);
  const fields = value as Readonly<Record<string, unknown>>;
  if ('id' in fields || 'idx' in fields || 'state' in fields) {
    const one = changeOf(fields.id ?? fields.idx, fields.state, fields);
    return one.ok ? { ok: true, value: [one.value] } : one;
  }
  return decodePairs(Object.entries(fields));
}

function decodePairs(pairs: readonly (readonly [string, unknown])[]): Decoded<readonly Change[]> {
  if (pairs.length === 0 || pairs.length > PAIRS_MAX)
    return fault(`expected 1 to ${PAIRS_MAX} updates in one message, got ${pairs.length}`);
  const changes: Change[] = [];
  for (const [id, state] of pairs) {
    const one = changeOf(id, state);
    if (!one.ok) return one;
    changes.push(one.value);
  }
  return { ok: true, value: changes };
}
