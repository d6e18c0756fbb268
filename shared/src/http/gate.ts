// Owns the gate in front of every HTTP route: closed unless a route says who may pass. Used by every service with routes.
import cookie from '@fastify/cookie';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../access.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import { anyHas, type Network, parseNetwork } from '../auth/networks.ts';
import { COOKIE_NAME, openSession, passwordStamp, type Session } from '../auth/session-cookie.ts';
import { callerAddress, isForeignPage, isHostAllowed, isUnexplainedBrowser, type RequestFacts } from '../auth/trust.ts';
import type { Party } from '../contract.ts';
import type { OpenApp } from './variables.ts';

/** Who may use a route. Without one, nobody: a forgotten declaration is a closed door. */
export type RouteAccess =
  | { readonly kind: 'public' }
  | { readonly kind: 'roles'; readonly roles: readonly Party[] }
  /** As `roles`, and callers of open networks for this app. `writes` keeps pages in browsers out of that trust. */
  | { readonly kind: 'open'; readonly app: OpenApp; readonly roles: readonly Party[]; readonly writes: boolean };

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: RouteAccess | ((request: FastifyRequest) => RouteAccess);
  }
  interface FastifyRequest {
    identity: Identity | undefined;
    session: Session | undefined;
  }
}

export interface RefusedCaller {
  readonly address: string;
  readonly app: string;
}

export interface GateOptions {
  readonly authenticator: Authenticator;
  readonly session_key: Buffer;
  readonly allowed_hosts: readonly string[];
  readonly own_origins: readonly string[];
  readonly open_networks: readonly Network[];
  readonly open_apps: readonly OpenApp[];
  readonly proxies: readonly Network[];
  readonly isRevoked: (session: string) => boolean;
  readonly onRefused?: (caller: RefusedCaller) => void;
  readonly now?: () => number;
}

/** Who callers of open networks are to the contract. */
const NEIGHBOUR: Identity = Object.freeze({ user: 'open-network', role: 'device' });

interface Found {
  readonly identity?: Identity;
  readonly session?: Session;
  /** Credentials were sent and are wrong: nothing else may let this request in. */
  readonly refused?: string;
}

const factsOf = (request: FastifyRequest): RequestFacts => ({
  socketAddress: request.socket.remoteAddress ?? '',
  headers: request.headers,
});

/** Puts the gate in front of every route that is registered after it. */
export async function installGate(app: FastifyInstance, options: GateOptions): Promise<void> {
  await app.register(cookie);
  app.decorateRequest('identity', undefined);
  app.decorateRequest('session', undefined);
  app.addHook('onRequest', async (request, reply) => {
    if (!isHostAllowed(request.headers.host, options.allowed_hosts))
      return reply.code(421).send({
        error: 'host_unknown',
        message: `expected a host of this house, got '${request.headers.host ?? ''}'; name it in HTTP_ALLOWED_HOSTS`,
      });
    const declared = request.routeOptions.config.access;
    const access = typeof declared === 'function' ? declared(request) : declared;
    if (access?.kind === 'public' || request.is404) return;
    return judge(request, reply, access, options);
  });
}

type Guarded = Exclude<RouteAccess, { readonly kind: 'public' }>;

async function judge(
  request: FastifyRequest,
  reply: FastifyReply,
  access: Guarded | undefined,
  options: GateOptions,
): Promise<unknown> {
  const facts = factsOf(request);
  const foreign = isForeignPage(facts, options.own_origins);
  const found = await credentialsOf(request, facts, foreign, options);
  if (found.refused !== undefined) return deny(reply, 401, found.refused);
  if (found.identity && access) {
    if (!access.roles.includes(found.identity.role))
      return deny(reply, 403, `role '${found.identity.role}' may not do this`);
    request.identity = found.identity;
    request.session = found.session;
    return undefined;
  }
  if (access?.kind === 'open') {
    if (!foreign && isNeighbour(access, facts, options)) {
      request.identity = NEIGHBOUR;
      return undefined;
    }
    options.onRefused?.({ address: callerAddress(facts, options.proxies) ?? facts.socketAddress, app: access.app });
  }
  return deny(reply, 401, foreign ? 'a page of another site may not do this' : 'log in, or send a token');
}

function isNeighbour(access: Guarded & { kind: 'open' }, facts: RequestFacts, options: GateOptions): boolean {
  if (access.writes && isUnexplainedBrowser(facts)) return false;
  const address = callerAddress(facts, options.proxies);
  if (address === undefined) return false;
  if (options.open_apps.includes(access.app) && anyHas(options.open_networks, address)) return true;
  return options.authenticator.file
    .read()
    .networks.some(({ network, apps }) => apps.includes(access.app) && parseNetwork(network).has(address));
}

async function credentialsOf(
  request: FastifyRequest,
  facts: RequestFacts,
  foreign: boolean,
  options: GateOptions,
): Promise<Found> {
  const header = request.headers.authorization;
  if (header !== undefined)
    return fromHeader(header, callerAddress(facts, options.proxies) ?? facts.socketAddress, options);
  const value = request.cookies[COOKIE_NAME];
  return value === undefined || foreign ? {} : fromCookie(value, options);
}

async function fromHeader(header: string, address: string, options: GateOptions): Promise<Found> {
  const [scheme = '', value = ''] = header.split(/\s+/u);
  if (scheme.toLowerCase() === 'bearer') {
    const identity = options.authenticator.token(value);
    return identity ? { identity } : { refused: 'unknown token' };
  }
  if (scheme.toLowerCase() !== 'basic') return { refused: `expected Bearer or Basic, got '${scheme}'` };
  const [name = '', ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  const answer = await options.authenticator.password(name, password.join(':'), address);
  return 'refused' in answer ? { refused: answer.refused } : { identity: answer };
}

function fromCookie(value: string, options: GateOptions): Found {
  const session = openSession(value, options.session_key, (options.now ?? Date.now)());
  if (!session || options.isRevoked(session.session)) return {};
  const { users } = options.authenticator.file.read();
  const entry = Object.hasOwn(users, session.user) ? users[session.user] : undefined;
  if (!entry || passwordStamp(entry.password) !== session.stamp) return {};
  return { identity: { user: session.user, role: entry.role }, session };
}

function deny(reply: FastifyReply, code: 401 | 403, message: string): FastifyReply {
  return reply.code(code).send({ error: code === 401 ? 'not_authenticated' : 'not_allowed', message });
}
