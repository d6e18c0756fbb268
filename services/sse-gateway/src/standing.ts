// Owns the question whether whoever opened a stream would still be let in: it may be open for weeks. Pure.
import type { AccessContent } from '@monitor-mesh/shared/auth/access-file.ts';
import { digestOf } from '@monitor-mesh/shared/auth/password.ts';
import { passwordStamp, type Session } from '@monitor-mesh/shared/auth/session-cookie.ts';
import type { Party } from '@monitor-mesh/shared/contract.ts';

/** By what a stream was let in. A secret itself is not kept. */
export type Standing =
  | { readonly kind: 'session'; readonly user: string; readonly role: Party; readonly session: Session }
  | { readonly kind: 'token'; readonly user: string; readonly role: Party; readonly digest: string }
  | { readonly kind: 'password'; readonly user: string; readonly role: Party; readonly stamp: string }
  /** Without credentials, from an open network. */
  | { readonly kind: 'neighbour' };

/** What the gate found in a request. */
export interface Admitted {
  readonly user: string;
  readonly role: Party;
  readonly session: Session | undefined;
  readonly authorization: string | undefined;
}

/** The standing of a request that the gate let in just now, with the access file as it was then. */
export function standingOf({ user, role, session, authorization }: Admitted, access: AccessContent): Standing {
  if (session) return { kind: 'session', user, role, session };
  const entry = entryOf(access, user);
  if (!entry || authorization === undefined) return { kind: 'neighbour' };
  const digest = digestOf(secretOf(authorization));
  return entry.tokens.some((token) => token.digest === digest)
    ? { kind: 'token', user, role, digest }
    : { kind: 'password', user, role, stamp: passwordStamp(entry.password) };
}

/** Whether it would be let in again, with the same rights. Revoked sessions come by another way, at once. */
export function stillStands(standing: Standing, access: AccessContent, nowMs: number): boolean {
  if (standing.kind === 'neighbour') return true;
  const entry = entryOf(access, standing.user);
  if (entry?.role !== standing.role) return false;
  switch (standing.kind) {
    case 'session':
      return standing.session.until_ms > nowMs && passwordStamp(entry.password) === standing.session.stamp;
    case 'token':
      return entry.tokens.some(({ digest }) => digest === standing.digest);
    case 'password':
      return passwordStamp(entry.password) === standing.stamp;
    default:
      return standing satisfies never;
  }
}

const entryOf = ({ users }: AccessContent, user: string) => (Object.hasOwn(users, user) ? users[user] : undefined);

/** The token or password in an Authorization header: a token may also stand where a password does. */
function secretOf(authorization: string): string {
  const [scheme = '', value = ''] = authorization.split(/\s+/u);
  if (scheme.toLowerCase() === 'bearer') return value;
  const [, ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return password.join(':');
}
