// Owns the judgement of a request's origin: from which address, from which page, under which name. Pure.
import { isIP } from 'node:net';
import { anyHas, isLoopback, type Network, plainAddress } from './networks.ts';

/** What a request says of itself; header values as received. */
export interface RequestFacts {
  readonly socketAddress: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

const FORWARDING = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'via'];

const one = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];

/**
 * The caller's address, or `undefined` when it can't be known: a forwarding header that no configured proxy set.
 * Behind a proxy the last entry of X-Forwarded-For counts, the one that our proxy itself wrote.
 */
export function callerAddress(facts: RequestFacts, proxies: readonly Network[]): string | undefined {
  const direct = plainAddress(facts.socketAddress);
  const forwarded = FORWARDING.some((header) => facts.headers[header] !== undefined);
  if (!anyHas(proxies, direct)) return forwarded ? undefined : direct;
  const last = one(facts.headers['x-forwarded-for'])?.split(',').at(-1)?.trim() ?? '';
  return isIP(last) === 0 ? undefined : plainAddress(last);
}

/**
 * Whether the request comes from a page of another origin: another port of the same machine counts as another.
 *
 * @param ownOrigins origins of other pages of the house (`http://192.0.2.9`), which are not foreign
 */
export function isForeignPage(facts: RequestFacts, ownOrigins: readonly string[]): boolean {
  const origin = one(facts.headers.origin);
  if (origin !== undefined && ownOrigins.includes(origin)) return false;
  const site = one(facts.headers['sec-fetch-site']);
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && !sameHost(origin, one(facts.headers.host));
}

/** Whether a browser sends it without saying from which page, as it does over plain HTTP: trust in the address is then no protection. */
export function isUnexplainedBrowser(facts: RequestFacts): boolean {
  const browser = one(facts.headers['user-agent'])?.includes('Mozilla/') ?? false;
  return browser && facts.headers['sec-fetch-site'] === undefined && facts.headers.origin === undefined;
}

function sameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
}

/**
 * Whether a Host header names this machine as people at home do. A name with dots that its owner did not configure may
 * be a stranger's domain that resolves to our address (DNS rebinding).
 */
export function isHostAllowed(host: string | undefined, configured: readonly string[]): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false;
  const name = new URL(`http://${host}`).hostname.toLowerCase();
  const bare = name.replace(/^\[|\]$/gu, '');
  if (isIP(bare) !== 0 || isLoopback(bare)) return true;
  if (configured.includes(name)) return true;
  return !name.includes('.') || /\.(local|lan|home|internal|home\.arpa|localhost)$/u.test(name);
}
