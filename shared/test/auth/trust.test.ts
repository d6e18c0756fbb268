// Where a request comes from, judged on what no stranger can choose.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseProxies } from '../../src/auth/networks.ts';
import {
  callerAddress,
  isForeignPage,
  isHostAllowed,
  isUnexplainedBrowser,
  type RequestFacts,
} from '../../src/auth/trust.ts';

const from = (socketAddress: string, headers: RequestFacts['headers'] = {}): RequestFacts => ({
  socketAddress,
  headers,
});
const PROXIES = parseProxies('172.18.0.0/16');
const FORWARDING = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'via'];

suite('the caller’s address', () => {
  test('is the socket’s when nothing stands between', () => {
    assert.equal(callerAddress(from('::ffff:192.168.1.7'), PROXIES), '192.168.1.7');
    assert.equal(callerAddress(from('::1'), []), '::1');
  });

  test('is unknown when a forwarding header comes from anybody but the configured proxy', () => {
    for (const header of FORWARDING)
      for (const value of ['127.0.0.1', '', ['127.0.0.1']])
        assert.equal(callerAddress(from('192.168.1.7', { [header]: value }), PROXIES), undefined, header);
  });

  test('is the entry that the proxy itself wrote, whatever the caller put in front of it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.ipV4(), fc.string({ unit: fc.constantFrom(',', ' ', '1', '.', ':') }))),
        (forged) => {
          const header = [...forged, '203.0.113.9'].join(', ');
          assert.equal(callerAddress(from('172.18.0.2', { 'x-forwarded-for': header }), PROXIES), '203.0.113.9');
        },
      ),
    );
  });

  test('is unknown when the proxy says nothing or nothing that is an address', () => {
    for (const headers of [
      {},
      { 'x-forwarded-for': '' },
      { 'x-forwarded-for': '127.0.0.1, unknown' },
      { forwarded: 'for=127.0.0.1' },
    ])
      assert.equal(callerAddress(from('172.18.0.2', headers), PROXIES), undefined);
  });

  test('no request makes it loopback unless the socket is, or our proxy says so', () => {
    const value = fc.constantFrom('127.0.0.1', '::1', 'for=127.0.0.1', 'localhost');
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...FORWARDING), value), (headers) => {
        const address = callerAddress(from('198.51.100.4', headers), PROXIES);
        assert.ok(address === undefined || address === '198.51.100.4');
      }),
    );
  });
});

suite('pages of other sites', () => {
  for (const [what, headers, foreign] of [
    ['no browser at all', { host: 'house:8080' }, false],
    [
      'a page of this server',
      { host: 'house:8080', origin: 'http://house:8080', 'sec-fetch-site': 'same-origin' },
      false,
    ],
    ['a page of this server in an old browser', { host: 'House:8080', origin: 'http://house:8080' }, false],
    ['an address typed by hand', { host: 'house', 'sec-fetch-site': 'none' }, false],
    ['another site', { host: 'house', 'sec-fetch-site': 'cross-site' }, true],
    [
      'another port of this machine',
      { host: 'house:8080', origin: 'http://house:3000', 'sec-fetch-site': 'same-site' },
      true,
    ],
    ['another port in an old browser', { host: 'house:8080', origin: 'http://house:3000' }, true],
    ['another site in an old browser', { host: 'house', origin: 'https://evil.example' }, true],
    ['a sandboxed frame', { host: 'house', origin: 'null' }, true],
    ['an Origin that is no URL', { host: 'house', origin: 'house' }, true],
    ['an Origin without a Host', { origin: 'http://house' }, true],
    ['a Sec-Fetch-Site of the future', { host: 'house', 'sec-fetch-site': 'neighbour' }, true],
    [
      'a page that the owner named',
      { host: 'house', origin: 'http://192.0.2.9', 'sec-fetch-site': 'cross-site' },
      false,
    ],
  ] as const)
    test(`${what} ${foreign ? 'is' : 'is not'} foreign`, () =>
      assert.equal(isForeignPage(from('::1', headers), ['http://192.0.2.9']), foreign));

  test('a browser that says from no page is told apart from a script and from one that does', () => {
    const browser = { 'user-agent': 'Mozilla/5.0 (X11)' };
    assert.equal(isUnexplainedBrowser(from('::1', browser)), true);
    assert.equal(isUnexplainedBrowser(from('::1', { ...browser, origin: 'http://house' })), false);
    assert.equal(isUnexplainedBrowser(from('::1', { ...browser, 'sec-fetch-site': 'same-origin' })), false);
    assert.equal(isUnexplainedBrowser(from('::1', { 'user-agent': 'curl/8.5' })), false);
  });
});

suite('the Host header', () => {
  for (const host of [
    'house',
    'house:8080',
    'localhost',
    '192.168.1.5:8080',
    '[fd00::5]:8080',
    'mesh.local',
    'MESH.LAN',
    'nas.home.arpa',
    'maison.example.org',
    'maison.example.org:443',
  ])
    test(`'${host}' names this house`, () => assert.equal(isHostAllowed(host, ['maison.example.org']), true));

  for (const host of [
    undefined,
    '',
    'evil.example',
    'maison.example.org.evil.example',
    '127.evil.example',
    '127.0.0.1.evil.example',
    'house@evil.example',
    'evil.example/x.local',
    'evil.example#.local',
    'xlocal.evil',
    'a b',
    'local.',
  ])
    test(`'${host}' may be a stranger’s name for our address`, () =>
      assert.equal(isHostAllowed(host, ['maison.example.org']), false));

  test('no text makes the question throw', () => {
    const text = fc.string({ unit: fc.constantFrom(...'a0.:[]@/\\#%?☃\0 \ud83d') });
    fc.assert(fc.property(text, (host) => void isHostAllowed(host, [])));
  });
});
