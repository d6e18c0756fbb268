// Owns what the containers need before they start: a secret for each service, the list that knows them all, folders that
// belong to who writes in them. Running it again changes nothing.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AccessFile } from '@monitor-mesh/shared/auth/access-file.ts';
import { digestOf, randomSecret } from '@monitor-mesh/shared/auth/password.ts';
import { SERVICES, type ServiceName } from '@monitor-mesh/shared/contract.ts';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { ACCESS_FILE, newSessionKey } from '@monitor-mesh/shared/http/door.ts';
import { DATABASE_PASSWORDS, derivedIn, LOCKING_PASSWORDS, writeDerived } from './database-secrets.ts';
import { type Owner, own, readSecretFile, writeSecretFile } from './secret-file.ts';

export interface SetupOptions {
  /** Folder of the mounted volumes: `access`, `secrets/<name>`, `data/<name>`. What is not mounted is left out. */
  readonly volumes: string;
  /** Numbers of the services' users, by name. */
  readonly uids: ReadonlyMap<string, number>;
}

export interface SetupReport {
  /** `secrets/<name>/<file>` of what was not there before. */
  readonly made: readonly string[];
  readonly kept: number;
  /** What had another owner or mode than it must have. */
  readonly mended: readonly string[];
}

/** The group that all services share and that reads the list of users; the Dockerfile gives it this number. */
const MESH_GID = 10_000;
/** Users of other people's images, under which docker-compose.yml runs them. */
const FOREIGN: Readonly<Record<string, Owner>> = {
  mariadb: { uid: 999, gid: 999 },
  caddy: { uid: 10_080, gid: 10_080 },
};
/** With setgid, so that a list replaced by any hand stays readable to the group. */
const ACCESS_FOLDER_MODE = 0o2750;
const ACCESS_FILE_MODE = 0o640;
const SECRET_FOLDER_MODE = 0o500;
const DATA_FOLDER_MODE = 0o700;

/** Services that sign and check the sessions of browsers: they share one key. */
const SESSION_SERVICES: readonly string[] = ['monitor-api', 'sse-gateway'];

interface Secret {
  readonly name: string;
  readonly file: string;
  /** A database knows it too: made anew it opens nothing. */
  readonly of_database: boolean;
  readonly make: () => string;
}

/** Makes what is missing and puts owners right. @throws MeshError `secrets_lost` when a new secret would open nothing */
export function setUp(options: SetupOptions): SetupReport {
  const secrets = secretsOf(options);
  const pathOf = ({ name, file }: Secret): string => join(options.volumes, 'secrets', name, file);
  const missing = secrets.filter((secret) => readSecretFile(pathOf(secret)) === undefined);
  refuseLoss(options, missing);
  for (const secret of missing)
    writeSecretFile(pathOf(secret), secretFor(secret, secrets, pathOf), ownerOf(options, secret.name));
  const folder = join(options.volumes, 'secrets');
  const derived = derivedIn(folder);
  const changed = writeDerived(folder, (name) => ownerOf(options, name));
  const mended = mend(options, [...secrets, ...derived]);
  writeServiceDigests(options);
  const made = [...missing, ...changed].map(labelOf);
  return { made, kept: secrets.length + derived.length - made.length, mended };
}

type Labelled = Pick<Secret, 'name' | 'file'>;
const labelOf = ({ name, file }: Labelled): string => `secrets/${name}/${file}`;
const isMounted = ({ volumes }: SetupOptions, folder: string): boolean => existsSync(join(volumes, folder));

function secretsOf(options: SetupOptions): readonly Secret[] {
  const ofServices = SERVICES.flatMap((name): readonly Secret[] => [
    { name, file: 'mqtt-password', of_database: false, make: randomSecret },
    { name, file: 'session.key', of_database: false, make: newSessionKey },
  ]);
  const ofDatabase = DATABASE_PASSWORDS.map(
    (file): Secret => ({ name: 'mariadb', file, of_database: LOCKING_PASSWORDS.includes(file), make: randomSecret }),
  );
  return [...ofServices, ...ofDatabase].filter(({ name }) => isMounted(options, `secrets/${name}`));
}

/** A session key that a sister service already has is its own too; anything else is new. */
function secretFor(secret: Secret, secrets: readonly Secret[], pathOf: (secret: Secret) => string): string {
  if (secret.file !== 'session.key' || !SESSION_SERVICES.includes(secret.name)) return secret.make();
  const sisters = secrets.filter(({ name, file }) => file === secret.file && SESSION_SERVICES.includes(name));
  return sisters.map((sister) => readSecretFile(pathOf(sister))).find((key) => key !== undefined) ?? secret.make();
}

function refuseLoss({ volumes }: SetupOptions, missing: readonly Secret[]): void {
  const lost = missing.filter(({ name, of_database }) => of_database && isFilled(join(volumes, 'data', name)));
  if (lost.length === 0) return;
  throw new MeshError(
    'secrets_lost',
    `expected ${lost.map(labelOf).join(' and ')}, found none although the database holds data that was written with them: restore the volume of secrets from a backup, or remove the database's volume to begin anew`,
  );
}

const isFilled = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0;

function ownerOf({ uids }: SetupOptions, name: string): Owner {
  const foreign = FOREIGN[name];
  if (foreign) return foreign;
  const uid = uids.get(name);
  if (uid === undefined) throw new MeshError('user_unknown', `expected a user '${name}' in this image, found none`);
  return { uid, gid: MESH_GID };
}

/** Puts owners and modes right; returns what was not. A folder is mended after what is in it: then it may be closed. */
function mend(options: SetupOptions, secrets: readonly Labelled[]): readonly string[] {
  const entries = [
    ...secrets.map((secret) => ({ path: labelOf(secret), owner: ownerOf(options, secret.name), mode: 0o400 })),
    ...foldersOf(options, 'secrets').map(({ path, owner }) => ({ path, owner, mode: SECRET_FOLDER_MODE })),
    ...foldersOf(options, 'data').map(({ path, owner }) => ({ path, owner, mode: DATA_FOLDER_MODE })),
  ];
  return entries
    .filter(({ path, owner, mode }) => own(join(options.volumes, path), owner, mode))
    .map(({ path }) => path);
}

function foldersOf(
  options: SetupOptions,
  kind: 'secrets' | 'data',
): readonly { readonly path: string; readonly owner: Owner }[] {
  if (!isMounted(options, kind)) return [];
  return readdirSync(join(options.volumes, kind)).map((name) => ({
    path: `${kind}/${name}`,
    owner: ownerOf(options, name),
  }));
}

/** Tells the list of users what each service's secret looks like; the secrets themselves stay where they are. */
function writeServiceDigests(options: SetupOptions): void {
  if (!isMounted(options, 'access')) return;
  const folder = join(options.volumes, 'access');
  const owner = ownerOf(options, 'broker');
  const file = new AccessFile(join(folder, ACCESS_FILE));
  const digests = Object.fromEntries(
    SERVICES.flatMap((service: ServiceName) => {
      const secret = readSecretFile(join(options.volumes, 'secrets', service, 'mqtt-password'));
      return secret === undefined ? [] : [[service, digestOf(secret)] as const];
    }),
  );
  const known = file.read().services;
  if (Object.entries(digests).some(([service, digest]) => known[service] !== digest))
    file.update((before) => ({ ...before, services: { ...before.services, ...digests } }));
  if (existsSync(file.path)) own(file.path, owner, ACCESS_FILE_MODE);
  own(folder, owner, ACCESS_FOLDER_MODE);
}
