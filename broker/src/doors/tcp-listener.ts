// Owns the TCP door of the broker.
import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Caller } from '../access/connect-gate.ts';

export interface Listener {
  readonly port: number;
  close(): Promise<void>;
}

/** Bytes taken from the kernel at once. */
const READ_BYTES = 256 * 1024;
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/u;

/** The address of a peer, IPv4 without its IPv6 clothing. */
export const addressOf = (remote: string | undefined): string => (remote ?? '').replace(MAPPED, '');

/** Listens on a port. @throws the system's error (EADDRINUSE, EACCES) as it is */
export function listenOn(
  server: Pick<Server, 'once' | 'off' | 'listen' | 'address'>,
  host: string,
  port: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

export async function openTcpListener(
  { host, port }: { readonly host: string; readonly port: number },
  onConnection: (connection: Duplex, caller: Caller) => void,
): Promise<Listener> {
  // half-open: a client may end its side right behind its last publish and still wait for the acknowledgement
  const server = createServer(
    { noDelay: true, keepAlive: true, allowHalfOpen: true, highWaterMark: READ_BYTES },
    (socket) => onConnection(socket, { address: addressOf(socket.remoteAddress), transport: 'tcp' }),
  );
  const bound = await listenOn(server, host, port);
  return { port: bound, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
