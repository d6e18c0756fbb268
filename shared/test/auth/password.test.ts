// How secrets are kept, and that nothing but the secret itself opens them.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  digestOf,
  hashPassword,
  matchesDigest,
  randomPassword,
  randomSecret,
  verifyPassword,
} from '../../src/auth/password.ts';

suite('passwords', () => {
  test('the right one is known again, however the keyboard composes its accents; another is not', async () => {
    const hash = await hashPassword('café-crème 😀');
    assert.match(hash, /^scrypt\$32768\$8\$1\$[\w-]{22}\$[\w-]{43}$/u);
    assert.equal(await verifyPassword('cafe\u0301-cre\u0300me 😀', hash), true);
    assert.equal(await verifyPassword('cafe-creme 😀', hash), false);
    assert.equal(await verifyPassword('', hash), false);
  });

  test('the same password twice has two hashes', async () => {
    const [one, other] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')]);
    assert.notEqual(one, other);
  });

  test('a hash that is damaged belongs to no password, and costs no memory to refuse', async () => {
    const [, ...rest] = (await hashPassword('correct horse')).split('$');
    for (const damaged of [
      '',
      'correct horse',
      'scrypt',
      'scrypt$$$$$',
      'scrypt$0$0$0$$',
      'scrypt$3$8$1$c2FsdA$a2V5',
      'scrypt$1073741824$8$1$c2FsdA$a2V5',
      'scrypt$32768$-8$1$c2FsdA$a2V5',
      'scrypt$32768$8$1e9$c2FsdA$a2V5',
      ['bcrypt', ...rest].join('$'),
      ['scrypt', ...rest.slice(0, 4), ''].join('$'),
      ['scrypt', ...rest.slice(0, 4), 'c2hvcnQ'].join('$'),
    ])
      assert.equal(await verifyPassword('correct horse', damaged), false, damaged);
  });

  test('a password made for a person has four groups of five letters and digits that do not look alike', () => {
    for (let turn = 0; turn < 100; turn++)
      assert.match(randomPassword(), /^[a-km-np-z2-9]{5}(-[a-km-np-z2-9]{5}){3}$/u);
  });
});

suite('random secrets', () => {
  test('carry their prefix and 192 bits, and never come twice', () => {
    const secrets = Array.from({ length: 1_000 }, () => randomSecret('mm_'));
    for (const secret of secrets) assert.match(secret, /^mm_[\w-]{32}$/u);
    assert.equal(new Set(secrets).size, secrets.length);
  });

  test('a digest belongs to its own secret only, and a text that is no digest to none', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (secret, other) => {
        assert.equal(matchesDigest(secret, digestOf(secret)), true);
        assert.equal(matchesDigest(other, digestOf(secret)), other === secret);
        assert.equal(matchesDigest(secret, other), false);
      }),
    );
  });
});
