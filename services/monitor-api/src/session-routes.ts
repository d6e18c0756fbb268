// Owns logging in and out in a browser.

import rateLimit from '@fastify/rate-limit';
import { anyHas } from '@monitor-mesh/shared/auth/networks.ts';
import { COOKIE_NAME, newSession, SESSION_S, sealSession } from '@monitor-mesh/shared/auth/session-cookie.ts';
import { callerAddress, isForeignPage } from '@monitor-mesh/shared/auth/trust.ts';
import type { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import { ROLES } from '@monitor-mesh/shared/contract.ts';
import type { Door } from '@monitor-mesh/shared/http/door.ts';
import { revokeSession } from '@monitor-mesh/shared/http/revocations.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Log-ins tried from one address in a minute, right or wrong; each costs a slow hash. */
const LOGINS_PER_MINUTE = 20;

const LOGIN_BODY = {
  type: 'object',
  additionalProperties: false,
  properties: { user: { type: 'string', maxLength: 64 }, password: { type: 'string', maxLength: 256 } },
  required: ['user', 'password'],
};

interface Options {
  readonly door: Door;
  readonly bus: () => Bus;
  readonly now: () => number;
}

const factsOf = (request: FastifyRequest) => ({
  socketAddress: request.socket.remoteAddress ?? '',
  headers: request.headers,
});

/** Whether the browser speaks HTTPS, to us or to the proxy in front of us. */
function isSecure(request: FastifyRequest, door: Door): boolean {
  if (request.protocol === 'https') return true;
  return (
    anyHas(door.gate.proxies, request.socket.remoteAddress ?? '') && request.headers['x-forwarded-proto'] === 'https'
  );
}

export async function addSessionRoutes(app: FastifyInstance, { door, bus, now }: Options): Promise<void> {
  const address = (request: FastifyRequest): string => callerAddress(factsOf(request), door.gate.proxies) ?? request.ip;
  await app.register(async (scope) => {
    await scope.register(rateLimit, { max: LOGINS_PER_MINUTE, timeWindow: '1 minute', keyGenerator: address });
    scope.post<{ Body: { user: string; password: string } }>(
      '/api/v1/login',
      {
        config: { access: { kind: 'public' } },
        schema: { tags: ['session'], summary: 'Log in; the answer sets a cookie', body: LOGIN_BODY },
      },
      async (request, reply) => {
        if (isForeignPage(factsOf(request), []))
          return reply.code(403).send({ error: 'not_allowed', message: 'a page of another site may not log in here' });
        const { user, password } = request.body;
        const answer = await door.authenticator.password(user, password, address(request));
        if ('refused' in answer) return reply.code(401).send({ error: 'not_authenticated', message: answer.refused });
        const { users } = door.authenticator.file.read();
        const entry = Object.hasOwn(users, user) ? users[user] : undefined;
        if (!entry) return reply.code(401).send({ error: 'not_authenticated', message: 'services do not log in here' });
        const session = newSession(user, entry.password, now());
        return reply
          .setCookie(COOKIE_NAME, sealSession(session, door.session_key), {
            path: '/',
            httpOnly: true,
            sameSite: 'strict',
            secure: isSecure(request, door),
            maxAge: SESSION_S,
          })
          .send({ user, role: entry.role });
      },
    );
  });
  const anybody = { access: { kind: 'roles', roles: ROLES } } as const;
  app.get(
    '/api/v1/session',
    { config: anybody, schema: { tags: ['session'], summary: 'Who am I?' } },
    async (request) => ({ user: request.identity?.user, role: request.identity?.role }),
  );
  app.post(
    '/api/v1/logout',
    { config: anybody, schema: { tags: ['session'], summary: 'Log out; the session ends on every screen' } },
    async (request, reply) => {
      if (request.session)
        await revokeSession(bus(), door.revoked, request.session.session, request.session.until_ms, now());
      return reply.clearCookie(COOKIE_NAME, { path: '/' }).send({ status: 'OK' });
    },
  );
}
