// Owns the grammar of topic names and filters: addresses, patterns, matching. Knows no topic by name.

/** Raised for a topic, filter or address that MQTT or the contract's grammar does not allow. */
export class TopicError extends Error {
  readonly code = 'topic_invalid';
  readonly retryable = false;
}

/** Longest topic name the protocol can carry, in bytes of UTF-8 [MQTT-4.7.3-3]. */
const TOPIC_BYTES_MAX = 65_535;

const RESERVED = /[/+#%\0]/gu;
const hex = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

/**
 * One topic level that stands for any text: `/ + # % NUL` are percent-encoded, all else stays readable.
 *
 * @example address('zigbee/lamp 1') === 'zigbee%2Flamp 1'
 * @throws TopicError when the text is empty or holds a lone surrogate (it has no UTF-8 form)
 */
export function address(text: string): string {
  if (text === '') throw new TopicError("expected a topic level with at least one character, got ''");
  if (!text.isWellFormed()) throw new TopicError(`expected well-formed Unicode, got ${JSON.stringify(text)}`);
  return text.replace(RESERVED, hex);
}

/** The text that `address()` made a level from. A `%` without two hexadecimal digits is kept as it is. */
export function textOf(level: string): string {
  return level.replace(/%([0-9A-Fa-f]{2})/gu, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** Names of the `{name}` levels of a pattern, as a type: `'linky/{meter}/day'` → `'meter'`. */
export type ParameterOf<Pattern extends string> = Pattern extends `${infer Head}/${infer Tail}`
  ? ParameterOf<Head> | ParameterOf<Tail>
  : Pattern extends `{${infer Name}}`
    ? Name
    : never;

/** The parameters a pattern asks for: `{}` when it has none. */
export type Parameters<Pattern extends string> = { readonly [Name in ParameterOf<Pattern>]: string };

const parameterName = (level: string): string | undefined =>
  level.startsWith('{') && level.endsWith('}') ? level.slice(1, -1) : undefined;

/**
 * The topic name of a pattern with its parameters filled in, each as one encoded level.
 *
 * @example topicName('monitor/state/{id}', { id: '3/17' }) === 'monitor/state/3%2F17'
 * @throws TopicError when a parameter is empty, or the name is longer than the protocol carries
 */
export function topicName<Pattern extends string>(pattern: Pattern, parameters: Parameters<Pattern>): string {
  const values = parameters as Readonly<Record<string, string>>;
  const name = pattern
    .split('/')
    .map((level) => {
      const parameter = parameterName(level);
      return parameter === undefined ? level : address(values[parameter] ?? '');
    })
    .join('/');
  if (Buffer.byteLength(name) > TOPIC_BYTES_MAX)
    throw new TopicError(`expected at most ${TOPIC_BYTES_MAX} bytes of topic`);
  return name;
}

/** The subscription filter that matches every topic of a pattern: each `{name}` becomes `+`. */
export function filterOf(pattern: string): string {
  return pattern
    .split('/')
    .map((level) => (parameterName(level) === undefined ? level : '+'))
    .join('/');
}

/** The parameters of a topic name under a pattern, decoded; `undefined` when the name is not of that pattern. */
export function matchPattern<Pattern extends string>(pattern: Pattern, name: string): Parameters<Pattern> | undefined {
  const wanted = pattern.split('/');
  const levels = name.split('/');
  const last = wanted.at(-1);
  if (last === '#' ? levels.length < wanted.length - 1 : levels.length !== wanted.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, level] of wanted.entries()) {
    if (level === '#') break;
    const parameter = parameterName(level);
    if (parameter !== undefined) parameters[parameter] = textOf(levels[index] ?? '');
    else if (level !== levels[index]) return undefined;
  }
  return parameters as Parameters<Pattern>;
}

/** A wildcard at the front does not reach topics that begin with `$` [MQTT-4.7.2-1]. */
const hidesFrom = (name: string, filter: string): boolean => name.startsWith('$') && /^[+#]/u.test(filter);

/** Whether a subscription filter matches a topic name, by the rules of [MQTT-4.7.1, 4.7.2] (`$` topics only literally). */
export function filterMatches(filter: string, name: string): boolean {
  const wanted = filter.split('/');
  const levels = name.split('/');
  if (hidesFrom(name, filter)) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/** Whether every topic that `inner` matches is matched by `outer` too. */
export function filterCovers(outer: string, inner: string): boolean {
  if (hidesFrom(inner, outer)) return false;
  const wide = outer.split('/');
  const narrow = inner.split('/');
  for (const [index, level] of wide.entries()) {
    if (level === '#') return true;
    const other = narrow[index];
    if (other === undefined || other === '#') return false;
    if (level !== '+' && level !== other) return false;
  }
  return wide.length === narrow.length;
}

/** Whether some topic name exists that both filters match. */
export function filtersOverlap(one: string, other: string): boolean {
  if (hidesFrom(one, other) || hidesFrom(other, one)) return false;
  const left = one.split('/');
  const right = other.split('/');
  for (let index = 0; ; index++) {
    const a = left[index];
    const b = right[index];
    if (a === '#' || b === '#') return true;
    if (a === undefined || b === undefined) return a === b;
    if (a !== b && a !== '+' && b !== '+') return false;
  }
}

/** Why a subscription filter is malformed [MQTT-4.7.1-1, 4.7.1-2, 4.7.3-1], or `undefined` when it is fine. */
export function filterFault(filter: string): string | undefined {
  if (filter === '') return "expected a topic filter with at least one character, got ''";
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index !== levels.length - 1))
      return `expected '#' only as the whole last level, got '${filter}'`;
    if (level.includes('+') && level !== '+') return `expected '+' only as a whole level, got '${filter}'`;
  }
  return undefined;
}
