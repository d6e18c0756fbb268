// Owns `mesh import-legacy`: the old site's database and phone list become the mesh's.
import {
  chmodSync,
  createReadStream,
  mkdirSync,
  type ReadStream,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { createGunzip } from 'node:zlib';
import { cleanText, parsed, readConfig, text } from '@monitor-mesh/shared/config.ts';
import { codeOf } from '@monitor-mesh/shared/errors.ts';
import { HOUSE_VARIABLES } from '@monitor-mesh/shared/house.ts';
import { type DatabaseTarget, openStore, parseDatabaseUrl } from '@monitor-mesh/shared/store/open-store.ts';
import { dataFolder } from './broker-door.ts';
import { type Command, type Environment, type Terminal, UsageError } from './cli.ts';
import { type ConnectContent, readConnect } from './import-connect.ts';
import { dumpSource } from './import-dump.ts';
import { liveSource, placeOfDatabase } from './import-live.ts';
import { reportOf } from './import-report.ts';
import { importAll } from './import-run.ts';
import type { Source } from './import-source.ts';

const PIECE_BYTES = 1024 * 1024;
const OPTIONS = {
  connect: { type: 'string' },
  database: { type: 'string' },
  dispositifs: { type: 'string', default: 'dispositifs' },
} as const satisfies ParseArgsConfig['options'];

interface Setting {
  readonly target: DatabaseTarget;
  readonly zone: string;
  readonly dispositifs: string;
}

export const importLegacy: Command = async (words, environment, terminal) => {
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options: OPTIONS });
  const [from, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`expected one dump or database, got also '${more.join(' ')}'`);
  if (from === undefined && values.connect === undefined)
    throw new UsageError('expected a dump (dump.sql, or - for standard input) or mysql://user@host/database');
  // First what can be wrong with little cost.
  const content = values.connect === undefined ? undefined : readConnect(readText(values.connect));
  if (from !== undefined) {
    const { DATABASE_URL: target, HOUSE_TZ: zone } = configOf(environment, values.database);
    await importFrom(from, { target, zone, dispositifs: values.dispositifs }, environment, terminal);
  }
  if (content) keepSecrets(content, join(dataFolder(environment), 'secrets'), terminal);
  return 0;
};

function configOf(environment: Environment, database: string | undefined) {
  const fallback = `sqlite:${join(dataFolder(environment), 'monitor.sqlite')}`;
  const variable = parsed('Where the house is remembered', fallback, 'sqlite:PATH or mysql://…', parseDatabaseUrl, {
    secret: true,
  });
  const shape = { DATABASE_URL: variable, HOUSE_TZ: HOUSE_VARIABLES.HOUSE_TZ };
  const { DATABASE_URL_FILE: _, ...rest } = environment;
  return readConfig(shape, database === undefined ? environment : { ...rest, DATABASE_URL: database });
}

async function importFrom(from: string, setting: Setting, environment: Environment, terminal: Terminal): Promise<void> {
  const { target, zone, dispositifs } = setting;
  await using open = sourceOf(from, environment, terminal);
  const in_place = await isOneDatabase(open.url, target);
  if (in_place)
    terminal.out.write('this is the database of the mesh: its tables stay as they are, their curves are added\n');
  await using store = await openStore(target, { say: (said) => void terminal.error.write(`${said}\n`) });
  const account = await importAll({ source: open.source, store, zone, dispositifs, in_place, now: Date.now });
  terminal.out.write(reportOf(account));
}

const isOneDatabase = async (url: string | undefined, target: DatabaseTarget): Promise<boolean> =>
  url !== undefined &&
  target.kind === 'mariadb' &&
  (await placeOfDatabase(url)) === (await placeOfDatabase(target.url));

interface OpenSource extends AsyncDisposable {
  readonly source: Source;
  /** Of a running database. */
  readonly url: string | undefined;
}

function sourceOf(from: string, environment: Environment, terminal: Terminal): OpenSource {
  if (/^(?:mysql|mariadb):\/\//u.test(from)) {
    const url = withPassword(from, environment);
    const source = liveSource(url);
    return { source, url, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
  }
  let file: ReadStream | undefined;
  // Opened when it is read: a fault before that would have nobody to tell.
  const open = (): NodeJS.ReadableStream => {
    if (from === '-') return terminal.in;
    const opened = createReadStream(from, { highWaterMark: PIECE_BYTES });
    file = opened;
    return from.endsWith('.gz') ? unzipped(opened) : opened;
  };
  return {
    source: dumpSource(bytesOf(open, from)),
    url: undefined,
    [Symbol.asyncDispose]: async () => {
      file?.destroy();
    },
  };
}

/** A fault of the file comes out where its content would. */
const unzipped = (file: NodeJS.ReadableStream): NodeJS.ReadableStream =>
  pipeline(file, createGunzip({ chunkSize: PIECE_BYTES }), () => undefined);

async function* bytesOf(open: () => NodeJS.ReadableStream, from: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of open()) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
  } catch (error) {
    throw new Error(`expected a dump that can be read, got '${from}' (${codeOf(error) ?? 'error'})`);
  }
}

/** A password on a command line is seen by everybody on the machine: `IMPORT_PASSWORD` or the file of that name brings it. */
function withPassword(from: string, environment: Environment): string {
  const url = URL.parse(from);
  if (url === null || url.hostname === '' || url.pathname.length < 2)
    throw new UsageError('expected mysql://user@host/database');
  const { IMPORT_PASSWORD } = readConfig({ IMPORT_PASSWORD: text('Password of the old database', '') }, environment);
  if (url.password === '' && IMPORT_PASSWORD !== '') url.password = encodeURIComponent(IMPORT_PASSWORD);
  return url.href;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`--connect: expected a file that can be read, got '${path}' (${codeOf(error) ?? 'error'})`);
  }
}

/** Files that their owner alone reads; what they hold is never printed. */
function keepSecrets({ secrets, faults, left }: ConnectContent, folder: string, terminal: Terminal): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [name, value] of secrets) {
    const path = join(folder, name);
    const isKnown = cleanText(readIfThere(path)) === value;
    if (!isKnown) {
      writeFileSync(`${path}.new`, `${value}\n`, { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
    }
    chmodSync(path, 0o600);
    terminal.out.write(`${isKnown ? 'known' : 'kept'}: ${path}\n`);
  }
  for (const fault of faults) terminal.out.write(`not taken: connect.py: ${fault}\n`);
  if (left.length > 0) terminal.out.write(`left in connect.py: ${left.join(', ')}\n`);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}
