// Owns configuration from the environment: one description per variable, every fault reported at once, secrets masked.
import { readFileSync } from 'node:fs';
import { codeOf, reasonOf } from './errors.ts';

/** One environment variable. `parse` returns the value or throws an Error whose message says what was expected. */
export interface Variable<Value> {
  readonly description: string;
  /** Text as a person would write it; `undefined` means the variable must be given. */
  readonly fallback: string | undefined;
  readonly secret: boolean;
  readonly expected: string;
  parse(text: string): Value;
}

export type Variables = Readonly<Record<string, Variable<unknown>>>;
export type ConfigOf<Shape extends Variables> = {
  readonly [Name in keyof Shape]: Shape[Name] extends Variable<infer Value> ? Value : never;
};
type Environment = Readonly<Record<string, string | undefined>>;

/** All faults of a configuration; the process ends with exit code 78 (EX_CONFIG). */
export class ConfigError extends Error {
  readonly code = 'config_invalid';
  readonly retryable = false;
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

interface Options {
  readonly secret?: boolean;
}

function variable<Value>(
  description: string,
  fallback: string | undefined,
  expected: string,
  parse: (text: string) => Value | undefined,
  options: Options = {},
): Variable<Value> {
  return {
    description,
    fallback,
    expected,
    secret: options.secret ?? false,
    parse: (text) => {
      const value = parse(text);
      if (value === undefined) throw new Error(`expected ${expected}`);
      return value;
    },
  };
}

export const text = (description: string, fallback?: string, options: Options = {}): Variable<string> =>
  variable(description, fallback, 'text', (value) => value, options);

export const integer = (description: string, fallback: number, min: number, max: number): Variable<number> =>
  variable(description, String(fallback), `a whole number between ${min} and ${max}`, (value) => {
    const number = /^-?\d{1,15}$/u.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });

export const port = (description: string, fallback: number): Variable<number> =>
  integer(description, fallback, 0, 65_535);

export const choice = <const Choice extends string>(
  description: string,
  fallback: Choice,
  choices: readonly Choice[],
): Variable<Choice> =>
  variable(description, fallback, `one of ${choices.join(', ')}`, (value) => choices.find((known) => known === value));

export const flag = (description: string, fallback: boolean): Variable<boolean> =>
  variable(description, String(fallback), 'true or false', (value) =>
    value === 'true' ? true : value === 'false' ? false : undefined,
  );

/** A comma separated list; blanks around entries are ignored. */
export const list = <Entry>(
  description: string,
  fallback: string,
  expected: string,
  parseEntry: (entry: string) => Entry | undefined,
): Variable<readonly Entry[]> =>
  variable(description, fallback, `a comma separated list of ${expected}`, (value) => {
    const entries = value.split(',').map((entry) => entry.trim());
    const parsed = entries.filter((entry) => entry !== '').map(parseEntry);
    return parsed.some((entry) => entry === undefined) ? undefined : (parsed as readonly Entry[]);
  });

/** A variable whose text a parser turns into a value, or refuses by throwing an Error that says what was expected. */
export const parsed = <Value>(
  description: string,
  fallback: string | undefined,
  expected: string,
  parse: (text: string) => Value,
  options: Options = {},
): Variable<Value> => ({ description, fallback, expected, parse, secret: options.secret ?? false });

/** Text of a settings or secret file without byte order mark, carriage returns and outer blanks. */
export const cleanText = (content: string): string =>
  content
    .replace(/^\uFEFF/u, '')
    .replaceAll('\r', '')
    .trim();

function readSecret(name: string, path: string): string {
  try {
    return cleanText(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${name}_FILE: expected a file that can be read, got '${path}' (${codeOf(error) ?? 'error'})`);
  }
}

/** An empty variable or file counts as absent: that is what compose writes for one that is not set. */
function given(name: string, environment: Environment): string | undefined {
  const file = environment[`${name}_FILE`] ?? '';
  return cleanText(environment[name] ?? '') || (file === '' ? '' : readSecret(name, file)) || undefined;
}

/**
 * Reads every variable of a shape, `NAME` or (for any of them) the file that `NAME_FILE` names.
 *
 * @throws ConfigError with one line for each fault
 */
export function readConfig<Shape extends Variables>(shape: Shape, environment: Environment): ConfigOf<Shape> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, described] of Object.entries(shape)) {
    try {
      const raw = given(name, environment) ?? described.fallback;
      if (raw === undefined)
        faults.push(`${name}: expected ${described.expected}, got nothing (${described.description})`);
      else values[name] = parseVariable(name, described, raw);
    } catch (error) {
      faults.push(reasonOf(error));
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return values as ConfigOf<Shape>;
}

function parseVariable(name: string, described: Variable<unknown>, raw: string): unknown {
  try {
    return described.parse(raw);
  } catch (error) {
    throw new Error(
      `${name}: ${reasonOf(error)}, got ${described.secret ? 'a value that is kept secret' : `'${raw}'`}`,
    );
  }
}

/** The table that is printed at start: variable, value (secrets masked), and whether it was set or is the default. */
export function configTable(shape: Variables, environment: Environment): string {
  const rows = Object.entries(shape).map(([name, described]) => {
    const raw = given(name, environment);
    const shown =
      described.secret && (raw ?? described.fallback ?? '') !== '' ? '[masked]' : (raw ?? described.fallback ?? '');
    return [name, shown, raw === undefined ? 'default' : 'set'] as const;
  });
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  return rows
    .map(([name, value, origin]) => `  ${name.padEnd(width(0))}  ${value.padEnd(width(1))}  ${origin}`)
    .join('\n');
}
