import { after, before, suite } from 'node:test';
import { mariadbBench } from './mariadb-bench.ts';
import { MariadbServer, noMariadb } from './mariadb-server.ts';
import { storeSuite } from './store-suite.ts';

suite('MariaDB', { skip: noMariadb }, () => {
  let server: MariadbServer;
  before(async () => {
    server = await MariadbServer.start(['--sql-mode=', '--default-time-zone=+02:00']);
  });
  after(() => server?.[Symbol.asyncDispose]());

  storeSuite('a store on MariaDB', (t) => mariadbBench(server, t));
});
