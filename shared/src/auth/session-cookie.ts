// Owns the browser's session: a signed cookie that every service with the setup key can check alone.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { decodeJson } from '../decode.ts';
import { newMid } from '../mid.ts';
import { digestOf } from './password.ts';

export const COOKIE_NAME = 'mesh_session';
/** A wall tablet stays logged in for a month; a stolen cookie ends with the password's change or the log-out. */
export const SESSION_S = 30 * 24 * 3_600;

const claims = z.strictObject({ session: z.string(), user: z.string(), until_ms: z.number(), stamp: z.string() });
export type Session = z.output<typeof claims>;

const signature = (body: string, key: Buffer): Buffer => createHmac('sha256', key).update(body).digest();

/** Ties a session to the password it was opened with: a new password ends every session. */
export const passwordStamp = (passwordHash: string): string => digestOf(passwordHash).slice(0, 12);

export function newSession(user: string, passwordHash: string, nowMs: number): Session {
  return { session: newMid(), user, until_ms: nowMs + SESSION_S * 1000, stamp: passwordStamp(passwordHash) };
}

/** The cookie's value: `base64url(claims).base64url(HMAC-SHA256)`. */
export function sealSession(session: Session, key: Buffer): string {
  const body = Buffer.from(JSON.stringify(session)).toString('base64url');
  return `${body}.${signature(body, key).toString('base64url')}`;
}

/** The session of a cookie's value; `undefined` when it is forged, damaged or over. */
export function openSession(value: string, key: Buffer, nowMs: number): Session | undefined {
  const [body = '', mac = '', ...rest] = value.split('.');
  const got = Buffer.from(mac, 'base64url');
  const wanted = signature(body, key);
  if (rest.length > 0 || got.length !== wanted.length || !timingSafeEqual(got, wanted)) return undefined;
  const decoded = decodeJson(Buffer.from(body, 'base64url'));
  const session = claims.safeParse(decoded.ok ? decoded.value : undefined);
  return session.success && session.data.until_ms > nowMs ? session.data : undefined;
}
