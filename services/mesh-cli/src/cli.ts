// Owns the mesh command line: which command a line asks for, and what its exit code says.
import { reasonOf } from '@monitor-mesh/shared/errors.ts';
import { allow } from './allow-command.ts';
import { credentials } from './credentials-command.ts';
import { importLegacy } from './import-command.ts';
import { publish } from './publish-command.ts';
import { tail } from './tail-command.ts';
import { user } from './user-command.ts';

export interface Terminal {
  readonly out: NodeJS.WritableStream;
  readonly error: NodeJS.WritableStream;
  readonly in: NodeJS.ReadableStream;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A command: its words, the environment, the terminal; resolves with the exit code. */
export type Command = (words: readonly string[], environment: Environment, terminal: Terminal) => Promise<number>;

/** A line that does not say what a command needs; the exit code is 64 (EX_USAGE). */
export class UsageError extends Error {}

const EXIT_USAGE = 64;
const EXIT_FAULT = 1;

const COMMANDS: Readonly<Record<string, Command>> = {
  publish,
  tail,
  user,
  credentials,
  allow,
  'import-legacy': importLegacy,
};

const HELP = `mesh: the command line of monitor-mesh

  mesh publish TOPIC KEY VALUE [KEY VALUE …]   publish {"KEY": "VALUE", …} and wait for the broker
  mesh publish TOPIC --message TEXT            publish TEXT as it is      [--qos 0|1] [--retain]
  mesh tail [FILTER]                           print what is published (default #), until Ctrl-C
  mesh user add NAME --role ROLE               new user; prints a password   [--password-stdin]
  mesh user list | remove NAME | password NAME | token NAME
  mesh credentials                             the first user's name, password and token
  mesh allow                                   callers that were refused, networks that were opened
  mesh allow NETWORK [APP …]                   open the old addresses to a network (default maj messages sse)
  mesh import-legacy DUMP.SQL | mysql://…      take over the old site's database
                            [--connect connect.py] [--database URL] [--dispositifs TABLE]

The broker is MQTT_URL (default mqtt://127.0.0.1:1883), its files are in DATA_DIR (default ./data).
`;

/** Runs one command line; never throws. */
export async function runCli(
  [name, ...words]: readonly string[],
  environment: Environment,
  out: NodeJS.WritableStream,
  error: NodeJS.WritableStream,
  input: NodeJS.ReadableStream,
): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help') {
    out.write(HELP);
    return name === undefined ? EXIT_USAGE : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (!command) throw new UsageError(`expected one of ${Object.keys(COMMANDS).join(', ')}, got '${name}'`);
    return await command(words, environment, { out, error, in: input });
  } catch (fault) {
    error.write(`mesh: ${reasonOf(fault)}\n`);
    return fault instanceof UsageError || isParseFault(fault) ? EXIT_USAGE : EXIT_FAULT;
  }
}

const isParseFault = (fault: unknown): boolean =>
  fault instanceof Error &&
  'code' in fault &&
  typeof fault.code === 'string' &&
  fault.code.startsWith('ERR_PARSE_ARGS');
