// Address ranges as owners write them, and addresses as sockets give them.
import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  anyHas,
  isLoopback,
  parseNetwork,
  parseNetworks,
  parseProxies,
  plainAddress,
} from '../../src/auth/networks.ts';

const hasAll = (network: string, addresses: readonly string[]): readonly boolean[] =>
  addresses.map((address) => parseNetwork(network).has(address));

suite('networks of the house', () => {
  test('a range has its addresses, and an IPv4 caller on an IPv6 socket is the same caller', () => {
    assert.deepEqual(
      hasAll('192.168.1.0/24', [
        '192.168.1.0',
        '192.168.1.255',
        '::ffff:192.168.1.7',
        '::ffff:c0a8:107',
        '192.168.2.1',
        '::1',
      ]),
      [true, true, true, true, false, false],
    );
    assert.deepEqual(hasAll('::1', ['::1', '127.0.0.1']), [true, false]);
    assert.deepEqual(hasAll('fd00::/8', ['fd12::1', 'fe80::1', '10.0.0.1']), [true, false, false]);
    assert.deepEqual(hasAll('192.0.2.7', ['192.0.2.7', '192.0.2.8']), [true, false]);
    assert.deepEqual(hasAll('::ffff:192.0.2.7', ['192.0.2.7', '::ffff:192.0.2.7']), [true, true]);
  });

  test('every address of a range is in it and the neighbours on both sides are not', () => {
    const octet = fc.nat(255);
    fc.assert(
      fc.property(octet, octet, fc.nat(255), fc.integer({ min: 1, max: 3 }), (b, c, d, bytes) => {
        const inside = [10, b, c, d];
        const range = [...inside.slice(0, bytes), ...Array.from({ length: 4 - bytes }, () => 0)].join('.');
        const outside = inside.with(bytes - 1, ((inside[bytes - 1] ?? 0) + 1) % 256).join('.');
        assert.deepEqual(hasAll(`${range}/${bytes * 8}`, [inside.join('.'), outside]), [true, false]);
      }),
    );
  });

  test('what is no address is in no network, and no text makes the question throw', () => {
    const everything = [parseNetwork('10.0.0.0/8'), ...parseProxies('0.0.0.0/0,::/0')];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.ipV4(),
          fc.ipV6(),
          fc.ipV6().map((ip) => `${ip}%eth0`),
        ),
        (text) => {
          const had = anyHas(everything, text);
          if (!/[.:]/u.test(text)) assert.equal(had, false);
          if (isIPv4(text)) assert.equal(had, true);
        },
      ),
    );
  });

  test('a list may have blanks, and none or nothing is an empty one', () => {
    assert.deepEqual(
      parseNetworks(' 10.0.0.0/8 , ::1 ,').map(({ text }) => text),
      ['10.0.0.0/8', '::1'],
    );
    assert.deepEqual([parseNetworks(''), parseNetworks(' none ')], [[], []]);
  });

  for (const wrong of [
    '',
    'house',
    '192.168.1',
    '192.168.1.0/',
    '192.168.1.0/33',
    '192.168.1.0/-1',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/1e1',
    '256.1.1.1',
  ])
    test(`'${wrong}' is refused with an example of what is expected, as a network and as a proxy`, () => {
      assert.throws(() => parseNetwork(wrong), /^Error: expected an address or range such as .*, got '/u);
      if (wrong !== '') assert.throws(() => parseProxies(wrong), /^Error: expected an address or range such as/u);
    });
});

suite('Docker’s bridges', () => {
  for (const range of [
    '172.17.0.1',
    '172.18.0.0/16',
    '172.31.255.255',
    '172.16.0.0/12',
    '172.16.0.0/15',
    '172.20.5.5/12',
    '0.0.0.0/0',
    '::ffff:172.18.0.1',
    '::ffff:0:0/96',
    '::/0',
  ])
    test(`${range} is refused with an explanation, since behind it stands everybody`, () =>
      assert.throws(() => parseNetwork(range), /behind Docker every caller from outside.*TRUSTED_PROXIES/u));

  for (const range of ['172.16.0.0/16', '172.32.0.0/16', '192.168.0.0/16', '10.0.0.0/8', '127.0.0.0/8', 'fd00::/8'])
    test(`${range} is a network of the house`, () => assert.equal(parseNetwork(range).text, range));

  test('a proxy may live there', () => {
    const proxies = parseProxies('172.16.0.0/12, 192.0.2.1');
    assert.deepEqual(
      ['172.18.0.5', '::ffff:172.18.0.5', '192.0.2.1', '192.0.2.2'].map((ip) => anyHas(proxies, ip)),
      [true, true, true, false],
    );
  });
});

suite('loopback', () => {
  for (const [address, expected] of [
    ['127.0.0.1', true],
    ['127.255.0.9', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['128.0.0.1', false],
    ['127.0.0.1.example.org', false],
    ['127.evil.org', false],
    ['', false],
  ] as const)
    test(`'${address}' ${expected ? 'is' : 'is not'} this machine`, () => assert.equal(isLoopback(address), expected));

  test('only a mapped IPv4 address is made plain', () => {
    assert.deepEqual(['::ffff:10.0.0.1', '::ffff:nine', 'fe80::1', '10.0.0.1'].map(plainAddress), [
      '10.0.0.1',
      '::ffff:nine',
      'fe80::1',
      '10.0.0.1',
    ]);
  });
});
