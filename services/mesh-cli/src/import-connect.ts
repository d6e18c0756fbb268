// Owns the old `connect.py`: what it assigns is read, never run. Pure.

export type PythonValue = string | readonly string[];

/** What of it the mesh takes, by the name of the file that keeps it: texts as that file holds them. */
export type ConnectSecrets = ReadonlyMap<SecretName, string>;
export type SecretName = 'sms_contacts' | 'free_mobile_user' | 'free_mobile_password';

export interface ConnectContent {
  readonly secrets: ConnectSecrets;
  /** Why something that should be there is not taken; never a value. */
  readonly faults: readonly string[];
  /** Names of variables that the mesh has no use for. */
  readonly left: readonly string[];
}

const ASSIGNMENT = /^[ \t]*([A-Za-z_]\w*)[ \t]*=(?!=)[ \t]*/u;
const TEXT = /^[rRbBuU]{0,2}(?:"((?:[^"\\\n]|\\[\s\S])*)"|'((?:[^'\\\n]|\\[\s\S])*)')/u;
const BLANK = /^(?:[\s\\]|#[^\n]*)*/u;
const NUMBER = /^[+-]?\d[\w.]*/u;
/** A telephone number, as people write them. */
const PHONE = /^\+?[\d ().-]{3,24}$/u;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/u;

const unescaped = (raw: string): string =>
  raw.replace(/\\([\s\S])/gu, (_pair, escaped: string) =>
    escaped === 'n' ? '\n' : escaped === 't' ? '\t' : escaped === '\n' ? '' : escaped,
  );

/** The variables of a Python file that are texts, numbers or lists of them; an expression of any other kind is none. */
export function parseAssignments(python: string): ReadonlyMap<string, PythonValue | undefined> {
  const found = new Map<string, PythonValue | undefined>();
  let rest = python.replace(/^\uFEFF/u, '').replaceAll('\r\n', '\n');
  while (rest !== '') {
    const match = ASSIGNMENT.exec(rest);
    if (match) {
      const [value, after] = parseValue(rest.slice(match[0].length));
      found.set(match[1] ?? '', value);
      rest = after;
    }
    const end = rest.indexOf('\n');
    rest = end < 0 ? '' : rest.slice(end + 1);
  }
  return found;
}

function parseValue(text: string): readonly [PythonValue | undefined, string] {
  if (!/^[[(]/u.test(text)) return parseScalar(text);
  const items: string[] = [];
  let rest = text.slice(1);
  for (;;) {
    rest = rest.replace(BLANK, '');
    if (/^[\])]/u.test(rest)) return [items, rest.slice(1)];
    const [item, after] = parseScalar(rest);
    if (item === undefined) return [undefined, text];
    items.push(item);
    rest = after.replace(BLANK, '').replace(/^,/u, '');
  }
}

function parseScalar(text: string): readonly [string | undefined, string] {
  const quoted = TEXT.exec(text);
  if (quoted) return [unescaped(quoted[1] ?? quoted[2] ?? ''), text.slice(quoted[0].length)];
  const number = NUMBER.exec(text)?.[0];
  return number === undefined ? [undefined, text] : [number, text.slice(number.length)];
}

/** What the mesh takes of a `connect.py`. */
export function readConnect(python: string): ConnectContent {
  const variables = parseAssignments(python);
  const secrets = new Map<SecretName, string>();
  const faults: string[] = [];
  const take = (
    name: string,
    into: SecretName,
    parse: (value: PythonValue) => string | undefined,
    expected: string,
  ) => {
    if (!variables.has(name)) return;
    const value = variables.get(name);
    const parsed = value === undefined ? undefined : parse(value);
    if (parsed === '') return; // never filled in
    if (parsed === undefined) faults.push(`${name}: expected ${expected}`);
    else secrets.set(into, parsed);
  };
  take('tel', 'sms_contacts', contactsOf, 'a list of telephone numbers');
  take('login_free', 'free_mobile_user', decodedOf, 'a text in base64');
  take('pass_free', 'free_mobile_password', decodedOf, 'a text in base64');
  const known = new Set(['tel', 'login_free', 'pass_free']);
  return { secrets, faults, left: [...variables.keys()].filter((name) => !known.has(name)) };
}

/** Numbers without blanks, a comma between them; entries that were left empty are none. */
function contactsOf(value: PythonValue): string | undefined {
  const numbers = (typeof value === 'string' ? [value] : value)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  return numbers.every((entry) => PHONE.test(entry))
    ? numbers.map((entry) => entry.replace(/[ ().-]/gu, '')).join(',')
    : undefined;
}

function decodedOf(value: PythonValue): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (text === '') return '';
  const decoded = BASE64.test(text) ? Buffer.from(text, 'base64').toString('utf8').trim() : '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what decodes to control characters was no base64
  return decoded === '' || /[\u0000-\u001f\ufffd]/u.test(decoded) ? undefined : decoded;
}
