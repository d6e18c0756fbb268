// Owns the TLS door of the broker.
import type { Duplex } from 'node:stream';
import { createServer } from 'node:tls';
import { MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';
import type { Caller } from '../access/connect-gate.ts';
import { addressOf, type Listener, listenOn } from './tcp-listener.ts';

export interface TlsListenerOptions {
  readonly host: string;
  readonly port: number;
  /** PEM, the whole chain. */
  readonly cert: string;
  readonly key: string;
  /** PEM of the authority whose certificates clients must show; nobody is asked for one without it. */
  readonly client_ca?: string;
}

/** A handshake that takes longer is a stranger who holds a socket. */
const HANDSHAKE_MS_MAX = 10_000;

/** @throws MeshError `tls_unusable` for a certificate or key that can not be used; the system's error for the port */
export async function openTlsListener(
  { host, port, cert, key, client_ca }: TlsListenerOptions,
  onConnection: (connection: Duplex, caller: Caller) => void,
): Promise<Listener> {
  const server = createTlsServer({ cert, key, client_ca });
  server.on('secureConnection', (socket) =>
    onConnection(socket, { address: addressOf(socket.remoteAddress), transport: 'tcp' }),
  );
  const bound = await listenOn(server, host, port);
  return { port: bound, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

function createTlsServer({
  cert,
  key,
  client_ca,
}: Pick<TlsListenerOptions, 'cert' | 'key'> & { client_ca: string | undefined }) {
  try {
    return createServer({
      cert,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS_MAX,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      ...(client_ca === undefined ? {} : { ca: client_ca, requestCert: true, rejectUnauthorized: true }),
    });
  } catch (error) {
    throw new MeshError('tls_unusable', `expected a certificate and its key in PEM: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
