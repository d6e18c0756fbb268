// The browser's session: what opens, and that nothing else does.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { newSession, openSession, passwordStamp, SESSION_S, sealSession } from '../../src/auth/session-cookie.ts';

const KEY = Buffer.alloc(32, 7);
const NOW_MS = Date.UTC(2026, 9, 5);
const session = newSession('alice', 'scrypt$hash', NOW_MS);
const sealed = sealSession(session, KEY);

/** A value whose signature is right, whatever its body holds. */
const signed = (body: string): string => `${body}.${createHmac('sha256', KEY).update(body).digest('base64url')}`;

/** Any UTF-16, halves of pairs included. */
const anyText = fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes));

suite('sessions', () => {
  test('a sealed session opens for a month and not a millisecond longer', () => {
    assert.deepEqual(openSession(sealed, KEY, NOW_MS), session);
    assert.deepEqual(openSession(sealed, KEY, NOW_MS + SESSION_S * 1000 - 1), session);
    assert.equal(openSession(sealed, KEY, NOW_MS + SESSION_S * 1000), undefined);
  });

  test('a new password has another stamp', () => {
    assert.equal(session.stamp, passwordStamp('scrypt$hash'));
    assert.notEqual(session.stamp, passwordStamp('scrypt$other'));
  });

  test('another key, another body, another signature or a part too many opens nothing', () => {
    const [body = '', mac = ''] = sealed.split('.');
    const stolen = Buffer.from(JSON.stringify({ ...session, user: 'admin' })).toString('base64url');
    for (const forged of [
      `${stolen}.${mac}`,
      body,
      `${body}.`,
      `.${mac}`,
      `${sealed}.`,
      `${sealed}.x`,
      `${mac}.${body}`,
      '',
    ])
      assert.equal(openSession(forged, KEY, NOW_MS), undefined, forged);
    assert.equal(openSession(sealed, Buffer.alloc(32, 8), NOW_MS), undefined);
  });

  test('any single change of any character of the body or of the signature’s whole bytes opens nothing', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 2), fc.constantFrom(...'Aa0_-.z'), (at, character) => {
        fc.pre(sealed[at] !== character);
        assert.equal(openSession(sealed.slice(0, at) + character + sealed.slice(at + 1), KEY, NOW_MS), undefined);
      }),
    );
  });

  test('no text makes it throw, signed or not, and none of them opens', () => {
    const text = fc.oneof(
      anyText,
      anyText.map(signed),
      fc.json().map((json) => signed(Buffer.from(json).toString('base64url'))),
      fc.uint8Array().map((bytes) => signed(Buffer.from(bytes).toString('base64url'))),
    );
    fc.assert(fc.property(text, (value) => assert.equal(openSession(value, KEY, NOW_MS), undefined)));
    assert.equal(openSession(signed(''), KEY, NOW_MS), undefined);
    assert.equal(openSession(signed(Buffer.from('{"session":').toString('base64url')), KEY, NOW_MS), undefined);
  });
});
