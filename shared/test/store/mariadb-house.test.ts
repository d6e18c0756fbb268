// The house's own MariaDB, which the PHP site reads: its tables as that site made them, and what befalls a server.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, suite, type TestContext, test } from 'node:test';
import { openMariadbReader, openMariadbStore } from '../../src/store/mariadb/store.ts';
import { change, changes, delivery, message, record } from './deliveries.ts';
import { mariadbBench } from './mariadb-bench.ts';
import { MariadbServer, noMariadb } from './mariadb-server.ts';

/** As the PHP site creates them: narrow texts, no keys, instants that any edit moves. */
const OLD_TABLES = `
  CREATE TABLE sse (num INT(1) NOT NULL, id VARCHAR(20) NOT NULL, state VARCHAR(5) NOT NULL, date TEXT NOT NULL) CHARACTER SET utf8mb4;
  INSERT INTO sse VALUES (0, '0', '', '');
  CREATE TABLE messages (num INT(11) PRIMARY KEY AUTO_INCREMENT, nom VARCHAR(20) NOT NULL, id1_html VARCHAR(20) NOT NULL,
    contenu TEXT NOT NULL, maj INT(1) NULL, last_update TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP) CHARACTER SET utf8mb3;
  INSERT INTO messages (nom, id1_html, contenu, maj) VALUES ('message1', 'lastseen1', 'ancien', 0);
  CREATE TABLE temp_cave (num INT(4) PRIMARY KEY AUTO_INCREMENT, date TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    valeur VARCHAR(4) NOT NULL) CHARACTER SET utf8mb3;
  INSERT INTO temp_cave (date, valeur) VALUES ('2026-10-04 10:00:00', '16.5');`;

suite("the house's own MariaDB", { skip: noMariadb }, () => {
  let server: MariadbServer;
  before(async () => {
    server = await MariadbServer.start(['--default-time-zone=+02:00']);
  });
  after(() => server?.[Symbol.asyncDispose]());

  const oldHouse = async (t: TestContext, options = {}) => {
    const bench = await mariadbBench(server, t, options);
    await server.sql(OLD_TABLES, bench.database);
    return bench;
  };
  const wide = [
    delivery('m1', change({ id: 'input_boolean.mes_alarme_absence', state: 'Group On' })),
    delivery('m2', message({ text: 'pluie \u{1F327}' })),
    delivery('m3', record({ table: 'temp_cave', date: '2026-10-05 10:00:00', values: { valeur: '-10.0' } })),
  ];

  test('its narrow tables are widened after saying so, keep their rows, and take what the mesh writes', async (t) => {
    const said: string[] = [];
    const bench = await oldHouse(t, { say: (text: string) => said.push(text) });
    await using store = await bench.open();

    assert.deepEqual(await store.apply(wide), { applied: 3, duplicates: 0 });

    assert.ok(
      said.some((text) => /^sse.state is widened from varchar\(5\)/u.test(text)),
      said.join('\n'),
    );
    assert.deepEqual(await bench.rows('SELECT id, state FROM sse'), [
      { id: 'input_boolean.mes_alarme_absence', state: 'Group On' },
    ]);
    assert.deepEqual(await bench.rows('SELECT nom, id1_html, contenu, maj, last_update FROM messages'), [
      {
        nom: 'message1',
        id1_html: 'lastseen1',
        contenu: 'pluie \u{1F327}',
        maj: 1,
        last_update: '2026-10-05 12:16:36',
      },
    ]);
    // TIMESTAMP columns mean the server's own zone, +02:00 here; this look is in UTC.
    assert.deepEqual(await bench.rows('SELECT date, valeur FROM temp_cave ORDER BY date'), [
      { date: '2026-10-04 10:00:00', valeur: '16.5' },
      { date: '2026-10-05 08:00:00', valeur: '-10.0' },
    ]);

    said.length = 0;
    await using again = await bench.open();
    await again.ping();
    assert.deepEqual(said, []);
  });

  test('where they may not be widened the mesh keeps its own rows and leaves the mirror alone', async (t) => {
    const said: string[] = [];
    const bench = await oldHouse(t, { may_widen: false, say: (text: string) => said.push(text) });
    await using store = await bench.open();

    assert.deepEqual(await store.apply(wide.slice(0, 2)), { applied: 2, duplicates: 0 });

    assert.ok(
      said.some((text) => /^sse.state is varchar\(5\).* stays so/u.test(text)),
      said.join('\n'),
    );
    assert.deepEqual(await bench.rows('SELECT id FROM sse'), [{ id: '0' }]);
    assert.deepEqual(await bench.rows('SELECT state FROM device'), [{ state: 'Group On' }]);
    await assert.rejects(store.apply(wide.slice(2)), { code: 'store_refused' });
  });

  test('a wrong password, a database that is not there and a user without rights are told apart from a server that is away', async (t) => {
    const bench = await mariadbBench(server, t);
    const denied = { code: 'store_denied', retryable: true };
    const isSilent = (error: unknown): boolean => !String(error).includes('hunter2');
    for (const url of [server.url(bench.database, { password: 'hunter2' }), server.url('nowhere')]) {
      await assert.rejects(openMariadbStore({ url }), denied);
      await assert.rejects(openMariadbStore({ url }), isSilent);
    }
    await server.sql("CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 'reader-password'");
    await server.sql(`GRANT SELECT ON ${bench.database}.* TO reader@'%'`);
    const reader = server.url(bench.database, { user: 'reader', password: 'reader-password' });
    await assert.rejects(openMariadbStore({ url: reader }), denied);
    await assert.rejects(openMariadbStore({ url: 'mysql://mesh:x@127.0.0.1:1/x' }), {
      code: 'store_unavailable',
      retryable: true,
    });
  });

  test('a reader needs no more than SELECT, and waits until the writer has made the tables', async (t) => {
    const bench = await mariadbBench(server, t);
    await server.sql("CREATE USER IF NOT EXISTS viewer@'%' IDENTIFIED BY 'viewer-password'");
    await server.sql(`GRANT SELECT ON ${bench.database}.* TO viewer@'%'`);
    const url = server.url(bench.database, { user: 'viewer', password: 'viewer-password' });
    await assert.rejects(openMariadbReader({ url }), { code: 'store_unavailable', retryable: true });

    await using store = await bench.open();
    await store.apply(changes(1));
    await using reader = await openMariadbReader({ url });
    assert.equal((await reader.events({ limit: 10 })).length, 1);
  });

  test('a connection that an administrator kills is made anew, and nothing is lost or doubled', async (t) => {
    const bench = await mariadbBench(server, t);
    await using store = await bench.open();
    for (let round = 0; round < 5; round += 1) {
      const batch = changes(20, round * 20);
      const writing = store.apply(batch).catch((error: unknown) => error);
      const [row] = await server.sql(
        `SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '${bench.database}' LIMIT 1`,
      );
      if (row) await server.sql(`KILL ${row.ID}`).catch(() => undefined);
      await writing;
      await store.ping().catch(() => undefined);
      const { applied, duplicates } = await store.apply(batch);
      assert.equal(applied + duplicates, 20);
    }
    assert.deepEqual(await bench.rows('SELECT COUNT(*) AS n, COUNT(DISTINCT mid) AS mids FROM device_event'), [
      { n: 100, mids: 100 },
    ]);
  });

  test('a server that is read-only says so, and takes the same rows when it is not any longer', async (t) => {
    const bench = await mariadbBench(server, t);
    // Whoever has all rights on the server may write to a read-only one.
    await server.sql(
      `CREATE USER IF NOT EXISTS plain@'%' IDENTIFIED BY 'plain-password'; GRANT ALL ON ${bench.database}.* TO plain@'%'`,
    );
    await using store = await openMariadbStore({
      url: server.url(bench.database, { user: 'plain', password: 'plain-password' }),
    });
    await server.sql('SET GLOBAL read_only = ON');
    try {
      await assert.rejects(store.apply(changes(3)), { code: 'store_readonly', retryable: true });
    } finally {
      await server.sql('SET GLOBAL read_only = OFF');
    }
    assert.deepEqual(await store.apply(changes(3)), { applied: 3, duplicates: 0 });
  });

  test('a row that another connection holds is waited for, then told as locked', { timeout: 30_000 }, async (t) => {
    const bench = await mariadbBench(server, t);
    await using store = await bench.open();
    await store.apply(changes(1));
    await using other = await MariadbLock.on(
      server,
      bench.database,
      "SELECT * FROM device WHERE id = 'device-0' FOR UPDATE",
    );
    await assert.rejects(store.apply([delivery('m9', change({ id: 'device-0' }))]), {
      code: 'store_locked',
      retryable: true,
    });
    await other.release();
    assert.deepEqual(await store.apply([delivery('m9', change({ id: 'device-0' }))]), { applied: 1, duplicates: 0 });
  });
});

suite('a MariaDB server of its own', { skip: noMariadb }, () => {
  test('one killed while it writes holds all that was acknowledged, whole batches, and each once', {
    timeout: 60_000,
  }, async (t) => {
    await using server = await MariadbServer.start();
    const bench = await mariadbBench(server, t);
    await using store = await bench.open();
    let acknowledged = 0;
    const killed = Promise.withResolvers<void>();
    for (let round = 0; ; round += 1) {
      if (round === 20) void server.down('SIGKILL').then(killed.resolve);
      try {
        await store.apply(changes(50, round * 50));
        acknowledged += 1;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'store_unavailable');
        break;
      }
    }
    await killed.promise;
    await server.up();

    const [row] = await bench.rows('SELECT COUNT(*) AS n FROM device_event');
    assert.equal(Number(row?.n) % 50, 0);
    assert.ok(Number(row?.n) >= acknowledged * 50);
    await store.apply(changes((acknowledged + 1) * 50));
    assert.deepEqual(await bench.rows('SELECT COUNT(*) AS n, COUNT(DISTINCT mid) AS mids FROM device_event'), [
      { n: (acknowledged + 1) * 50, mids: (acknowledged + 1) * 50 },
    ]);
  });

  test('a server that freezes is given up after the limit, and used again when it thaws', {
    timeout: 30_000,
  }, async (t) => {
    await using server = await MariadbServer.start();
    const { url } = await mariadbBench(server, t);
    await using store = await openMariadbStore({ url, statement_ms: 300 });
    process.kill(server.pid, 'SIGSTOP');
    while (!/\) T /u.test(readFileSync(`/proc/${server.pid}/stat`, 'utf8'))) await new Promise(setImmediate);
    await assert.rejects(store.apply(changes(3)), { code: 'store_unavailable', retryable: true });
    process.kill(server.pid, 'SIGCONT');
    const { applied, duplicates } = await store.apply(changes(3));
    assert.equal(applied + duplicates, 3);
  });

  test('a full disk is told as full, and the rows are taken when there is room again', {
    timeout: 60_000,
  }, async (t) => {
    const small = ['--innodb-file-per-table=0', '--innodb-data-file-path=ibdata1:12M;ibdata2:6M'];
    await using server = await MariadbServer.start(small);
    const bench = await mariadbBench(server, t);
    await using store = await bench.open();
    const large = (from: number) =>
      changes(100, from).map(({ mid }) => delivery(mid, change({ id: mid, state: 'x'.repeat(4_000) })));
    let full: unknown;
    let written = 0;
    while (full === undefined && written < 10_000) {
      await store.apply(large(written)).then(
        () => {
          written += 100;
        },
        (error: unknown) => {
          full = error;
        },
      );
    }
    assert.equal((full as { code?: string }).code, 'store_full');
    await server.sql('DELETE FROM device_event', bench.database);
    const [row] = await bench.rows('SELECT COUNT(*) AS n FROM inbox');
    assert.equal(row?.n, written);
  });
});

/** A transaction of another connection that holds what a statement locked. */
class MariadbLock implements AsyncDisposable {
  readonly #connection: Awaited<ReturnType<typeof import('mysql2/promise').createConnection>>;

  static async on(server: MariadbServer, database: string, sql: string): Promise<MariadbLock> {
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection({ uri: server.url(database) });
    await connection.query('START TRANSACTION');
    await connection.query(sql);
    return new MariadbLock(connection);
  }

  private constructor(connection: Awaited<ReturnType<typeof import('mysql2/promise').createConnection>>) {
    this.#connection = connection;
  }

  async release(): Promise<void> {
    await this.#connection.query('ROLLBACK');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.end();
  }
}
