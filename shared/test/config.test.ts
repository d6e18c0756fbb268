// Configuration from the environment, as compose, systemd and people's editors write it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { parseNetworks } from '../src/auth/networks.ts';
import {
  ConfigError,
  choice,
  cleanText,
  configTable,
  flag,
  integer,
  list,
  parsed,
  port,
  readConfig,
  text,
} from '../src/config.ts';

const SHAPE = {
  BROKER_URL: text('Where the broker is'),
  TIMEOUT_MS: integer('Longest wait in ms', 500, 100, 60_000),
  HTTP_PORT: port('Port of the server', 8080),
  LANG: choice('Language', 'fr', ['fr', 'en']),
  LEGACY: flag('Old addresses answer', true),
  APPS: list('Apps', 'maj', 'apps', (entry) => (entry === 'maj' || entry === 'sse' ? entry : undefined)),
  PASSWORD: parsed(
    'Secret',
    'a default secret',
    'eight characters',
    (value) => {
      if (value.length < 8) throw new Error('expected eight characters');
      return value;
    },
    { secret: true },
  ),
} as const;

function faultsOf(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(SHAPE, environment);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, 'config_invalid');
    return error.faults;
  }
  return [];
}

function fileOf(t: TestContext, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'secret');
  writeFileSync(path, content);
  return path;
}

suite('values', () => {
  test('every kind of variable becomes a value of its type, and what is absent has its default', () => {
    assert.deepEqual(readConfig(SHAPE, { BROKER_URL: 'mqtt://x', TIMEOUT_MS: '100', APPS: ' maj , sse ,' }), {
      BROKER_URL: 'mqtt://x',
      TIMEOUT_MS: 100,
      HTTP_PORT: 8080,
      LANG: 'fr',
      LEGACY: true,
      APPS: ['maj', 'sse'],
      PASSWORD: 'a default secret',
    });
  });

  test('an empty or blank variable counts as absent, as compose writes one that is not set', () => {
    const config = readConfig(SHAPE, {
      BROKER_URL: 'x',
      TIMEOUT_MS: '',
      LANG: '  ',
      PASSWORD: '\r\n',
      PASSWORD_FILE: '',
    });
    assert.deepEqual([config.TIMEOUT_MS, config.LANG, config.PASSWORD], [500, 'fr', 'a default secret']);
    assert.match(faultsOf({ BROKER_URL: ' ' }).join(), /^BROKER_URL: expected text, got nothing/u);
  });

  test('a byte order mark, carriage returns and outer blanks are no part of a file’s value', () => {
    assert.equal(cleanText('\uFEFFone\r\ntwo\r\n\r\n '), 'one\ntwo');
  });

  test('a secret file from Windows is read without its mark and line end, and the variable itself comes first', (t) => {
    const path = fileOf(t, '\uFEFFcorrect horse\r\n');
    assert.equal(readConfig(SHAPE, { BROKER_URL: 'x', PASSWORD_FILE: path }).PASSWORD, 'correct horse');
    assert.equal(
      readConfig(SHAPE, { BROKER_URL: 'x', PASSWORD_FILE: path, PASSWORD: 'in plain sight' }).PASSWORD,
      'in plain sight',
    );
    assert.equal(readConfig(SHAPE, { BROKER_URL: 'x', PASSWORD: '', PASSWORD_FILE: path }).PASSWORD, 'correct horse');
  });

  test('an empty file counts as absent', (t) => {
    assert.match(
      faultsOf({ BROKER_URL_FILE: fileOf(t, '\uFEFF\r\n') }).join(),
      /^BROKER_URL: expected text, got nothing/u,
    );
  });
});

suite('faults', () => {
  test('all of them are told at once, each with variable, expectation and value', () => {
    assert.deepEqual(faultsOf({ TIMEOUT_MS: '5s', HTTP_PORT: '65536', LANG: 'de', LEGACY: 'yes', APPS: 'maj,mail' }), [
      'BROKER_URL: expected text, got nothing (Where the broker is)',
      "TIMEOUT_MS: expected a whole number between 100 and 60000, got '5s'",
      "HTTP_PORT: expected a whole number between 0 and 65535, got '65536'",
      "LANG: expected one of fr, en, got 'de'",
      "LEGACY: expected true or false, got 'yes'",
      "APPS: expected a comma separated list of apps, got 'maj,mail'",
    ]);
  });

  for (const wrong of ['99', '60001', '1e3', '0x80', '1 000', '100.0', '+100', 'Infinity', '9'.repeat(16)])
    test(`${wrong} is no whole number between 100 and 60000`, () =>
      assert.equal(faultsOf({ BROKER_URL: 'x', TIMEOUT_MS: wrong }).length, 1));

  test('a secret that is wrong is not repeated', () => {
    assert.deepEqual(faultsOf({ BROKER_URL: 'x', PASSWORD: 'hunter2' }), [
      'PASSWORD: expected eight characters, got a value that is kept secret',
    ]);
  });

  test('a secret file that can not be read is a fault of its variable, beside the others', (t) => {
    const missing = `${fileOf(t, '')}.missing`;
    assert.deepEqual(faultsOf({ PASSWORD_FILE: missing }), [
      'BROKER_URL: expected text, got nothing (Where the broker is)',
      `PASSWORD_FILE: expected a file that can be read, got '${missing}' (ENOENT)`,
    ]);
  });

  test('networks of Docker are a fault with the reason', () => {
    const shape = { OPEN: parsed('Open', '', 'networks', parseNetworks) };
    assert.throws(() => readConfig(shape, { OPEN: '192.168.1.0/24,172.18.0.0/16' }), /OPEN: .*behind Docker/u);
  });
});

suite('the table at start', () => {
  test('names every variable with its value and origin, and masks secrets, given or default', (t) => {
    const path = fileOf(t, 'from a file');
    for (const secret of [{}, { PASSWORD: 'correct horse' }, { PASSWORD_FILE: path }]) {
      const table = configTable(SHAPE, { BROKER_URL: 'mqtt://x', ...secret });
      assert.equal(table.split('\n').length, Object.keys(SHAPE).length);
      assert.match(table, /^ {2}BROKER_URL +mqtt:\/\/x +set$/mu);
      assert.match(table, /^ {2}TIMEOUT_MS +500 +default$/mu);
      assert.match(table, /^ {2}PASSWORD +\[masked\] +(set|default)$/mu);
      assert.doesNotMatch(table, /secret|horse|from a file/u);
    }
  });
});
