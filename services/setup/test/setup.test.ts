import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readUids, runSetup } from '@monitor-mesh/setup/run-setup.ts';
import { setUp } from '@monitor-mesh/setup/setup.ts';
import { AccessFile } from '@monitor-mesh/shared/auth/access-file.ts';
import { matchesDigest } from '@monitor-mesh/shared/auth/password.ts';
import { readSessionKey } from '@monitor-mesh/shared/http/door.ts';

const skip = process.getuid?.() === 0 ? false : 'giving files to other users needs root';
const uids = new Map([
  ['broker', 10_001],
  ['monitor-api', 10_002],
  ['sse-gateway', 10_003],
  ['db-writer', 10_004],
]);
const FOLDERS = [
  'access',
  ...['monitor-api', 'sse-gateway', 'db-writer', 'mariadb'].map((name) => `secrets/${name}`),
  ...['broker', 'mariadb', 'caddy'].map((name) => `data/${name}`),
];

function newVolumes(t: TestContext): string {
  const volumes = mkdtempSync(join(tmpdir(), 'setup-test-'));
  t.after(() => rmSync(volumes, { recursive: true, force: true }));
  for (const folder of FOLDERS) mkdirSync(join(volumes, folder), { recursive: true });
  return volumes;
}

const secretIn = (volumes: string, path: string): string => readFileSync(join(volumes, 'secrets', path), 'utf8').trim();
const modeOf = (volumes: string, path: string): string => {
  const { uid, gid, mode } = statSync(join(volumes, path));
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
};

test('each service gets a secret of its own that only it can read, and the list of users knows it', { skip }, (t) => {
  const volumes = newVolumes(t);
  setUp({ volumes, uids });
  const { services } = new AccessFile(join(volumes, 'access/access.json')).read();
  const secrets = ['monitor-api', 'sse-gateway', 'db-writer'].map((name) => secretIn(volumes, `${name}/mqtt-password`));
  assert.equal(new Set(secrets).size, 3);
  assert.ok(matchesDigest(secrets[2] ?? '', services['db-writer'] ?? ''));
  assert.equal(modeOf(volumes, 'secrets/db-writer/mqtt-password'), '10004:10000 400');
  assert.equal(modeOf(volumes, 'secrets/db-writer'), '10004:10000 500');
  assert.equal(modeOf(volumes, 'secrets/mariadb/root-password'), '999:999 400');
  assert.equal(modeOf(volumes, 'access'), '10001:10000 2750');
  assert.equal(modeOf(volumes, 'access/access.json'), '10001:10000 640');
  assert.equal(modeOf(volumes, 'data/caddy'), '10080:10080 700');
});

test('each service that uses the database gets its URL, the API as a user who only reads', { skip }, (t) => {
  const volumes = newVolumes(t);
  setUp({ volumes, uids });
  const [writer, reader] = ['monitor', 'reader'].map((user) => secretIn(volumes, `mariadb/${user}-password`));
  assert.equal(secretIn(volumes, 'db-writer/database-url'), `mysql://monitor:${writer}@mariadb:3306/monitor`);
  assert.equal(secretIn(volumes, 'monitor-api/database-url'), `mysql://reader:${reader}@mariadb:3306/monitor`);
  assert.match(secretIn(volumes, 'mariadb/reader.sql'), /GRANT SELECT ON monitor\.\* TO reader@'%';$/u);
  assert.equal(modeOf(volumes, 'secrets/db-writer/database-url'), '10004:10000 400');

  rmSync(join(volumes, 'secrets/mariadb/reader-password'));
  const { made } = setUp({ volumes, uids });
  assert.deepEqual(made, [
    'secrets/mariadb/reader-password',
    'secrets/monitor-api/database-url',
    'secrets/mariadb/reader.sql',
  ]);
});

test('services with browsers share one session key, any other has a key that opens nothing', { skip }, (t) => {
  const volumes = newVolumes(t);
  setUp({ volumes, uids });
  assert.equal(secretIn(volumes, 'monitor-api/session.key'), secretIn(volumes, 'sse-gateway/session.key'));
  assert.notEqual(secretIn(volumes, 'db-writer/session.key'), secretIn(volumes, 'sse-gateway/session.key'));
  assert.equal(readSessionKey(join(volumes, 'secrets/monitor-api/session.key')).length, 32);
});

test('a second run changes nothing, and a service that comes later joins the others', { skip }, (t) => {
  const volumes = newVolumes(t);
  const late = join(volumes, 'secrets/sse-gateway');
  rmSync(late, { recursive: true });
  setUp({ volumes, uids });
  const before = secretIn(volumes, 'monitor-api/session.key');
  mkdirSync(late);
  assert.deepEqual(setUp({ volumes, uids }).made, [
    'secrets/sse-gateway/mqtt-password',
    'secrets/sse-gateway/session.key',
  ]);
  assert.equal(secretIn(volumes, 'sse-gateway/session.key'), before);
  assert.deepEqual(setUp({ volumes, uids }), { made: [], kept: 12, mended: [] });
});

test('users that were added since stay, and wrong owners and modes are put right', { skip }, (t) => {
  const volumes = newVolumes(t);
  setUp({ volumes, uids });
  const file = new AccessFile(join(volumes, 'access/access.json'));
  const alice = { role: 'device' as const, password: 'x', tokens: [], created_at: '2026-10-05T07:02:03.000Z' };
  file.update((before) => ({ ...before, users: { alice } }));
  assert.deepEqual(setUp({ volumes, uids }).mended, []);
  assert.equal(modeOf(volumes, 'access/access.json'), '10001:10000 640');
  assert.ok(new AccessFile(file.path).read().users.alice);
});

test('lost secrets of a database that holds data are refused, nothing is made, and the exit code is 78', {
  skip,
}, (t) => {
  const volumes = newVolumes(t);
  setUp({ volumes, uids });
  writeFileSync(join(volumes, 'data/mariadb/ibdata1'), '');
  rmSync(join(volumes, 'secrets/mariadb/root-password'));
  rmSync(join(volumes, 'secrets/db-writer/mqtt-password'));
  const passwd = join(volumes, 'passwd');
  writeFileSync(passwd, [...uids].map(([name, uid]) => `${name}:x:${uid}:10000::/:/bin/false`).join('\n'));
  let said = '';
  const error = { write: (text: string) => (said += text) };
  assert.equal(runSetup({ SETUP_VOLUMES: volumes }, { write: () => true }, error, passwd), 78);
  assert.match(said, /expected secrets\/mariadb\/root-password, found none although the database holds data/);
  assert.throws(() => secretIn(volumes, 'db-writer/mqtt-password'));
});

test('numbers of users are read from a passwd file by name', () => {
  assert.equal(readUids('root:x:0:0:root:/root:/bin/bash\nbroker:x:10001:10000::/:/x\n\n').get('broker'), 10_001);
});
