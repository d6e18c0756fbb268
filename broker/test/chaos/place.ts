// Owns where the processes of the chaos live: the broker's entry, its memory, a port.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

export const BROKER_ENTRY = fileURLToPath(new URL('./broker-entry.ts', import.meta.url));
/** As in the product. */
export const MEMORY_FLAGS: readonly string[] = ['--max-semi-space-size=4', '--max-old-space-size=256'];

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address !== 'object') throw new TypeError('expected an address');
  return address.port;
}
