// Owns the WebSocket door of the broker: sub-protocol and Origin are judged before the upgrade.
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type { Caller } from '../access/connect-gate.ts';
import { addressOf, type Listener, listenOn } from './tcp-listener.ts';

/** `mqtt` by MQTT 3.1.1 and 5.0 [MQTT-6.0.0-3]; `mqttv3.1` is what Paho offered before. */
const PROTOCOLS = ['mqtt', 'mqttv3.1'];
/** A frame is buffered whole before the guard sees it: the largest packet there may be, and its header. */
const FRAME_BYTES_MAX = 17 * 1024 * 1024;
const UNSUPPORTED_DATA = 1003;

export interface WebSocketListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly allowedOrigins: readonly string[];
}

function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  const body = `${reason}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.on('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

export interface Upgrade {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly protocols?: string | undefined;
}

/**
 * Why an upgrade is refused, or `undefined`. Browsers always send their Origin; other programs need none, but Paho for
 * Python sends `https://` and the Host. No page has that origin: this port does not speak TLS.
 */
export function upgradeFault(
  { origin, host, protocols }: Upgrade,
  allowedOrigins: readonly string[],
): { readonly status: number; readonly reason: string } | undefined {
  if (origin !== undefined && origin !== `https://${host}` && !allowedOrigins.includes(origin))
    return { status: 403, reason: 'this Origin is not among ALLOWED_ORIGINS' };
  const offered = (protocols ?? '').split(',').map((protocol) => protocol.trim());
  if (!offered.some((protocol) => PROTOCOLS.includes(protocol)))
    return { status: 400, reason: "expected the sub-protocol 'mqtt'" };
  return undefined;
}

export async function openWebSocketListener(
  { host, port, allowedOrigins }: WebSocketListenerOptions,
  onConnection: (connection: Duplex, caller: Caller) => void,
): Promise<Listener> {
  const upgrades = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: (offered) => PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
  });
  const server = createServer((_, response) => {
    response
      .writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' })
      .end('expected a WebSocket\n');
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { origin, host, 'sec-websocket-protocol': protocols } = request.headers;
    const fault = upgradeFault({ origin, host, protocols }, allowedOrigins);
    if (fault) {
      refuseUpgrade(socket, fault.status, fault.reason);
      return;
    }
    request.socket.setNoDelay(true);
    const caller: Caller = { address: addressOf(request.socket.remoteAddress), transport: 'ws' };
    upgrades.handleUpgrade(request, socket, head, (webSocket) => onConnection(streamOf(webSocket), caller));
  });
  const bound = await listenOn(server, host, port);
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve()); // WebSockets end with their connections, in the broker
        server.closeAllConnections();
      }),
  };
}

function streamOf(webSocket: WebSocket): Duplex {
  webSocket.on('message', (_, isBinary) => {
    if (!isBinary) webSocket.close(UNSUPPORTED_DATA, 'expected binary frames'); // [MQTT-6.0.0-1]
  });
  return createWebSocketStream(webSocket);
}
