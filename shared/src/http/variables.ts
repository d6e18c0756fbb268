// Owns the variables that every process with an HTTP door reads.

import { parseNetworks, parseProxies } from '../auth/networks.ts';
import { list, parsed, port, text } from '../config.ts';

const isOrigin = (entry: string): string | undefined =>
  URL.canParse(entry) && new URL(entry).origin === entry.toLowerCase() ? entry.toLowerCase() : undefined;

/** What callers from `API_OPEN_NETWORKS` may do without a password; `envoi_sms` only when it is named. */
export const OPEN_APPS = ['maj', 'messages', 'sse', 'metrics', 'envoi_sms'] as const;
export type OpenApp = (typeof OPEN_APPS)[number];

export const HTTP_VARIABLES = {
  HTTP_HOST: text('Address the HTTP server listens on; 0.0.0.0 for every interface', '127.0.0.1'),
  HTTP_PORT: port('Port of the HTTP server', 8080),
  HTTP_ALLOWED_HOSTS: list(
    'Host names with dots under which the site is reached; addresses, names without dots, .local and .lan are always known',
    '',
    'host names',
    (entry) => entry.toLowerCase(),
  ),
  ALLOWED_ORIGINS: list(
    'Origins of other pages of the house that may use HTTP and WebSocket',
    '',
    'origins such as http://192.0.2.9',
    isOrigin,
  ),
  API_OPEN_NETWORKS: parsed(
    'Networks whose callers may use the old addresses without a password',
    '127.0.0.0/8,::1',
    'a comma separated list of networks, or none',
    parseNetworks,
  ),
  API_OPEN_APPS: list(
    'What those callers may do; envoi_sms only when it is named',
    'maj,messages,sse,metrics',
    OPEN_APPS.join(' '),
    (entry) => OPEN_APPS.find((app) => app === entry),
  ),
  TRUSTED_PROXIES: parsed(
    'Addresses of the proxy whose X-Forwarded-For is believed',
    '',
    'a comma separated list of addresses',
    parseProxies,
  ),
} as const;
