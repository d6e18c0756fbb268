// Owns address ranges: which callers are on a network that its owner named.
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

export interface Network {
  /** As it was written: `192.168.1.0/24`, `::1`. */
  readonly text: string;
  has(address: string): boolean;
}

/** Docker gives its bridges 172.17.0.0/16 to 172.31.0.0/16: behind them every outside caller wears the gateway's address. */
const DOCKER_FIRST = '172.17.0.0';
const DOCKER_BRIDGES = new BlockList();
DOCKER_BRIDGES.addRange(DOCKER_FIRST, '172.31.255.255', 'ipv4');

/** An IPv4 address that arrived over an IPv6 socket, as IPv4. */
export const plainAddress = (address: string): string =>
  address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;

/** One address or CIDR range of any kind. */
function parseRange(text: string): { readonly network: Network; readonly block: BlockList } {
  const [written = '', bits, ...rest] = text.split('/');
  const base = plainAddress(written);
  const family = isIPv4(base) ? 'ipv4' : isIPv6(base) ? 'ipv6' : undefined;
  const widest = family === 'ipv4' ? 32 : 128;
  const prefix = bits === undefined ? widest : /^\d{1,3}$/u.test(bits) ? Number(bits) : Number.NaN;
  if (family === undefined || rest.length > 0 || !(prefix >= 0 && prefix <= widest))
    throw new Error(`expected an address or range such as 192.168.1.0/24 or ::1, got '${text}'`);
  const block = new BlockList();
  block.addSubnet(base, prefix, family);
  const has = (address: string): boolean => {
    const plain = plainAddress(address);
    const version = isIP(plain);
    return version !== 0 && block.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
  return { network: { text, has }, block };
}

/**
 * One address or CIDR range of the house; one that takes in Docker's bridges, such as 172.16.0.0/12, is refused.
 *
 * @throws Error whose message says what was expected
 */
export function parseNetwork(text: string): Network {
  const { network, block } = parseRange(text);
  const base = plainAddress(text.split('/')[0] ?? '');
  // Ranges are aligned: one that reaches into Docker's either begins there or holds its first address.
  if ((isIPv4(base) && DOCKER_BRIDGES.check(base)) || block.check(DOCKER_FIRST))
    throw new Error(
      `expected a network of the house, got '${text}': behind Docker every caller from outside wears an address of 172.17.0.0 to 172.31.255.255, so naming it would open the door to all. Name the callers' own network, and TRUSTED_PROXIES for the proxy in front`,
    );
  return network;
}

/** A comma separated list of networks, or `none`; blanks around entries are ignored. */
export const parseNetworks = (text: string): readonly Network[] =>
  (text.trim() === 'none' ? '' : text)
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(parseNetwork);

/** A proxy's address as an owner names it: Docker's ranges are welcome here, since it is the proxy that lives there. */
export const parseProxies = (text: string): readonly Network[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => parseRange(entry).network);

export const isLoopback = (address: string): boolean => {
  const plain = plainAddress(address);
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
};

export const anyHas = (networks: readonly Network[], address: string): boolean =>
  networks.some((network) => network.has(address));
