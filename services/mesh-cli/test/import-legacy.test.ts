// The old site's database and phone list become the mesh's, once, with an account of what was taken.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { runCli } from '@monitor-mesh/mesh-cli/cli.ts';
import { MariadbServer, noMariadb } from '../../../shared/test/store/mariadb-server.ts';

/** As mysqldump writes: instants of TIMESTAMP columns in UTC, quotes and line ends escaped, several rows to a statement. */
const DUMP = `-- MariaDB dump 10.19
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
DROP TABLE IF EXISTS \`dispositifs\`;
CREATE TABLE \`dispositifs\` (
  \`num\` int(11) NOT NULL AUTO_INCREMENT,
  \`nom_appareil\` varchar(25) NOT NULL DEFAULT ' ',
  \`nom_objet\` varchar(40) NOT NULL DEFAULT '',
  \`idx\` varchar(4) DEFAULT NULL,
  \`ID\` varchar(50) NOT NULL DEFAULT '',
  \`idm\` varchar(5) DEFAULT NULL,
  \`Actif\` varchar(1) NOT NULL DEFAULT '1',
  \`materiel\` text NOT NULL DEFAULT '',
  \`maj_js\` varchar(20) NOT NULL DEFAULT '',
  \`F()\` int(2) DEFAULT NULL,
  PRIMARY KEY (\`num\`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;
INSERT INTO \`dispositifs\` VALUES (1,'lampe d\\'entrée','lampe_entree',NULL,'0xaa','16','6','zigbee:state:hs','onoff',NULL),(2,'alarme','alarme_absence','41','','65','2','','onoff',1);
CREATE TABLE \`text_image\` (\`num\` int(3) NOT NULL, \`texte\` varchar(30) NOT NULL, \`image\` varchar(30) NOT NULL, \`icone\` text NOT NULL);
INSERT INTO \`text_image\` (\`num\`, \`texte\`, \`image\`, \`icone\`) VALUES (1,'pluie','images/met_pluie.svg','');
CREATE TABLE \`messages\` (\`num\` int(11) NOT NULL, \`nom\` varchar(20) NOT NULL, \`id1_html\` varchar(20) NOT NULL, \`contenu\` text NOT NULL, \`maj\` int(1) DEFAULT NULL, \`last_update\` timestamp NOT NULL);
INSERT INTO \`messages\` VALUES (1,'message1','lastseen1','deux\\nlignes; <br> et ''quotes''',1,'2026-10-05 07:02:03');
CREATE TABLE \`energie\` (\`num\` int(4) NOT NULL, \`date\` timestamp NOT NULL, \`conso\` varchar(10) NOT NULL, \`pmax\` varchar(10) NOT NULL);
INSERT INTO \`energie\` VALUES (1,'2026-10-05 07:02:03','58.9','11.8'),(2,'2026-10-06 07:02:03','47,0','?');
CREATE TABLE \`temp_cave\` (\`num\` int(4) NOT NULL, \`date\` timestamp NOT NULL, \`valeur\` varchar(4) NOT NULL);
INSERT INTO \`temp_cave\` VALUES (1,'2026-10-05 08:00:00','17.0'),(2,'2026-10-05 09:00:00','-9.6');
CREATE TABLE \`2fa_token\` (\`num\` int(3) NOT NULL, \`token\` varchar(20) NOT NULL);
INSERT INTO \`2fa_token\` VALUES (1,'JBSWY3DPEHPK3PXP');
`;
const CONNECT = `#!/usr/bin/env python3
login_free='${Buffer.from('12345678').toString('base64')}'
pass_free="${Buffer.from('a-free-key').toString('base64')}"
tel=['06 39 98 00 01','+33639980002','']
ip_domoticz='192.0.2.7:8086'
`;

interface Run {
  readonly code: number;
  readonly said: string;
}
async function run(folder: string, ...words: readonly string[]): Promise<Run> {
  let said = '';
  const out = new PassThrough();
  out.on('data', (chunk) => (said += String(chunk)));
  const code = await runCli(
    ['import-legacy', ...words],
    { DATA_DIR: folder, HOUSE_TZ: 'Europe/Paris' },
    out,
    out,
    new PassThrough(),
  );
  return { code, said };
}
function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'import-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'dump.sql'), DUMP);
  writeFileSync(join(folder, 'connect.py'), CONNECT);
  return folder;
}
const rowsIn = (folder: string, sql: string): readonly object[] => {
  using db = new DatabaseSync(join(folder, 'monitor.sqlite'), { readOnly: true });
  return db
    .prepare(sql)
    .all()
    .map((row) => ({ ...row }));
};

const HOUSE = [
  { num: 1, nom_appareil: "lampe d'entrée", ID: '0xaa', param: 'zigbee:state:hs', F: null },
  { num: 2, nom_appareil: 'alarme', ID: '', param: '', F: '1' },
];
function assertTaken(folder: string): void {
  assert.deepEqual(rowsIn(folder, 'SELECT num, nom_appareil, ID, param, F FROM dispositifs ORDER BY num'), HOUSE);
  assert.deepEqual(rowsIn(folder, 'SELECT texte, image FROM text_image'), [
    { texte: 'pluie', image: 'images/met_pluie.svg' },
  ]);
  assert.deepEqual(rowsIn(folder, 'SELECT name, text, unread, at_ms FROM message'), [
    { name: 'message1', text: "deux\nlignes; <br> et 'quotes'", unread: 1, at_ms: Date.UTC(2026, 9, 5, 7, 2, 3) },
  ]);
  // 07:02:03 in UTC is 09:02:03 on the clock of the house.
  assert.deepEqual(rowsIn(folder, 'SELECT date, conso, pmax FROM energie ORDER BY date'), [
    { date: '2026-10-05 09:02:03', conso: 58.9, pmax: 11.8 },
    { date: '2026-10-06 09:02:03', conso: 47, pmax: null },
  ]);
  assert.deepEqual(
    rowsIn(
      folder,
      "SELECT ts_ms, value FROM reading JOIN series ON id = series_id WHERE name = 'temp_cave' ORDER BY ts_ms",
    ),
    [
      { ts_ms: Date.UTC(2026, 9, 5, 8), value: 17 },
      { ts_ms: Date.UTC(2026, 9, 5, 9), value: -9.6 },
    ],
  );
}

test('a dump is taken whole, with an account, and a second time changes nothing', async (t) => {
  const folder = newFolder(t);
  const first = await run(folder, join(folder, 'dump.sql'));
  assert.equal(first.code, 0, first.said);
  assertTaken(folder);
  assert.match(first.said, /^energie +2 +2 +0 +1$/mu);
  assert.match(first.said, /not taken: energie: pmax: expected a number: 1, the first '\?'/u);
  assert.match(first.said, /left, the mesh has no use for them: 2fa_token \(1\)/u);
  assert.doesNotMatch(first.said, /JBSWY3DPEHPK3PXP/u);

  const before = rowsIn(folder, 'SELECT * FROM inbox ORDER BY mid');
  const second = await run(folder, join(folder, 'dump.sql'));
  assert.match(second.said, /^energie +2 +0 +2 +1$/mu);
  assert.deepEqual(rowsIn(folder, 'SELECT * FROM inbox ORDER BY mid'), before);
  assertTaken(folder);
});

test('a dump with CRLF and a byte order mark is the same dump', async (t) => {
  const folder = newFolder(t);
  writeFileSync(join(folder, 'windows.sql'), `\uFEFF${DUMP.replaceAll('\n', '\r\n')}`);
  assert.equal((await run(folder, join(folder, 'windows.sql'))).code, 0);
  assertTaken(folder);
});

test('phones and the log-in of Free Mobile go to files that their owner alone reads, and nowhere else', async (t) => {
  const folder = newFolder(t);
  const { code, said } = await run(folder, '--connect', join(folder, 'connect.py'));
  assert.equal(code, 0, said);
  const secret = (name: string): string => readFileSync(join(folder, 'secrets', name), 'utf8').trim();
  assert.equal(secret('sms_contacts'), '0639980001,+33639980002');
  assert.equal(secret('free_mobile_user'), '12345678');
  assert.equal(secret('free_mobile_password'), 'a-free-key');
  assert.equal(statSync(join(folder, 'secrets/sms_contacts')).mode & 0o777, 0o600);
  assert.doesNotMatch(said, /0639980001|12345678|a-free-key/u);
  assert.match(said, /left in connect.py: ip_domoticz/u);
});

test('what cannot be read is told by its name, and nothing is written', async (t) => {
  const folder = newFolder(t);
  const missing = await run(folder, join(folder, 'none.sql'));
  assert.equal(missing.code, 1);
  assert.match(missing.said, /expected a dump that can be read, got '.*none.sql' \(ENOENT\)/u);
  assert.equal((await run(folder)).code, 64);
  assert.equal((await run(folder, 'a.sql', 'b.sql')).code, 64);
});

test('a running MariaDB is read as it is', { skip: noMariadb }, async (t) => {
  const folder = newFolder(t);
  const server = await MariadbServer.start(['--default-time-zone=+02:00']);
  t.after(() => server[Symbol.asyncDispose]());
  await server.sql('CREATE DATABASE monitor CHARACTER SET utf8mb4');
  await server.sql(DUMP, 'monitor');
  const { code, said } = await run(folder, server.url('monitor'));
  assert.equal(code, 0, said);
  assertTaken(folder);
  assert.doesNotMatch(said, /mesh-password/u);
  assert.match((await run(folder, server.url('monitor'))).said, /^temp_cave +2 +0 +2 +0$/mu);
});
