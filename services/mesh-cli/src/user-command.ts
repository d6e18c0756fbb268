// Owns `mesh user`: the people and devices that may come in.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isService } from '@monitor-mesh/shared/access.ts';
import { AccessFile, USER_NAME, type UserEntry } from '@monitor-mesh/shared/auth/access-file.ts';
import { noteNewPassword } from '@monitor-mesh/shared/auth/first-login.ts';
import {
  digestOf,
  hashPassword,
  PASSWORD_LENGTH_MAX,
  PASSWORD_LENGTH_MIN,
  randomPassword,
  randomSecret,
} from '@monitor-mesh/shared/auth/password.ts';
import { cleanText } from '@monitor-mesh/shared/config.ts';
import { type Party, ROLES } from '@monitor-mesh/shared/contract.ts';
import { ACCESS_FILE } from '@monitor-mesh/shared/http/door.ts';
import { dataFolder } from './broker-door.ts';
import { type Command, type Environment, type Terminal, UsageError } from './cli.ts';

const GIVEN_ROLES = ROLES.filter((role) => role !== 'local');

export const accessFile = (environment: Environment): AccessFile =>
  new AccessFile(environment.ACCESS_FILE || join(dataFolder(environment), ACCESS_FILE));

export const user: Command = async ([verb, ...words], environment, terminal) => {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { role: { type: 'string' }, 'password-stdin': { type: 'boolean', default: false } },
  });
  const file = accessFile(environment);
  if (verb === 'list') return list(file, terminal);
  const name = positionals[0] ?? '';
  if (!USER_NAME.test(name) || isService(name as Party))
    throw new UsageError(`expected a user name of letters, digits and . _ - @ that is no service's, got '${name}'`);
  switch (verb) {
    case 'add':
      return add(file, name, values.role, await readPassword(values['password-stdin'], terminal), terminal);
    case 'remove':
      return remove(file, name, terminal);
    case 'password': {
      const given = await readPassword(values['password-stdin'], terminal);
      return password(file, dataFolder(environment), name, given, terminal);
    }
    case 'token':
      return token(file, name, terminal);
    default:
      throw new UsageError(`expected add, list, remove, password or token, got '${verb ?? ''}'`);
  }
};

async function readPassword(fromInput: boolean, terminal: Terminal): Promise<string | undefined> {
  if (!fromInput) return undefined;
  let text = '';
  for await (const chunk of terminal.in) text += String(chunk);
  const given = cleanText(text);
  if (given.length < PASSWORD_LENGTH_MIN || given.length > PASSWORD_LENGTH_MAX)
    throw new UsageError(
      `expected a password of ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters, got ${given.length}`,
    );
  return given;
}

function list(file: AccessFile, terminal: Terminal): number {
  for (const [name, { role, tokens, created_at }] of Object.entries(file.read().users))
    terminal.out.write(`${name}\t${role}\t${tokens.length} token(s)\tsince ${created_at}\n`);
  return 0;
}

function existing(file: AccessFile, name: string): UserEntry {
  const { users } = file.read();
  const entry = Object.hasOwn(users, name) ? users[name] : undefined;
  if (!entry) throw new Error(`there is no user '${name}'`);
  return entry;
}

async function add(
  file: AccessFile,
  name: string,
  role: string | undefined,
  given: string | undefined,
  terminal: Terminal,
): Promise<number> {
  const known = GIVEN_ROLES.find((candidate) => candidate === role);
  if (!known) throw new UsageError(`--role: expected one of ${GIVEN_ROLES.join(', ')}, got '${role ?? ''}'`);
  if (Object.hasOwn(file.read().users, name)) throw new Error(`there is a user '${name}' already`);
  const secret = given ?? randomPassword();
  const entry = { role: known, password: await hashPassword(secret), tokens: [], created_at: new Date().toISOString() };
  file.update((before) => ({ ...before, users: { ...before.users, [name]: entry } }));
  terminal.out.write(given === undefined ? `user=${name}\npassword=${secret}\n` : `user=${name}\n`);
  return 0;
}

function remove(file: AccessFile, name: string, terminal: Terminal): number {
  existing(file, name);
  file.update((before) => ({
    ...before,
    users: Object.fromEntries(Object.entries(before.users).filter(([other]) => other !== name)),
  }));
  terminal.out.write(`removed ${name}\n`);
  return 0;
}

async function password(
  file: AccessFile,
  folder: string,
  name: string,
  given: string | undefined,
  terminal: Terminal,
): Promise<number> {
  const entry = existing(file, name);
  const secret = given ?? randomPassword();
  const hash = await hashPassword(secret);
  file.update((before) => ({ ...before, users: { ...before.users, [name]: { ...entry, password: hash } } }));
  noteNewPassword(folder, name, given === undefined ? secret : undefined);
  terminal.out.write(given === undefined ? `user=${name}\npassword=${secret}\n` : `user=${name}\n`);
  return 0;
}

function token(file: AccessFile, name: string, terminal: Terminal): number {
  const entry = existing(file, name);
  const secret = randomSecret('mm_');
  const tokens = [...entry.tokens, { digest: digestOf(secret), created_at: new Date().toISOString() }];
  file.update((before) => ({ ...before, users: { ...before.users, [name]: { ...entry, tokens } } }));
  terminal.out.write(`token=${secret}\n`);
  return 0;
}
