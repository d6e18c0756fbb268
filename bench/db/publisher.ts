// Owns a publisher that is never the bottleneck: QoS 1 over one socket with a window, packets made beforehand.
import { connect } from 'node:net';
import { generate } from 'mqtt-packet';

const WINDOW = 1_000;
const PACKET_IDS = 60_000;
const ACK_BYTES = 4;

/** Publishes payloads of one topic; resolves when every one was acknowledged. */
export async function publishAll(
  port: number,
  topic: string,
  payloads: readonly string[],
  token?: string,
): Promise<void> {
  const login = token === undefined ? {} : { username: 'admin', password: Buffer.from(token) };
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const packets = payloads.map((payload, index) =>
    generate({
      cmd: 'publish',
      topic,
      payload,
      qos: 1,
      retain: false,
      dup: false,
      messageId: 1 + (index % PACKET_IDS),
    }),
  );
  let sent = 0;
  /** Bytes of answers: one CONNACK, then PUBACKs, four bytes each. */
  let answered = 0;
  await new Promise<void>((resolve, reject) => {
    const acknowledged = (): number => Math.floor(answered / ACK_BYTES) - 1;
    const pump = (): void => {
      const upTo = Math.min(packets.length, acknowledged() + WINDOW);
      if (sent < upTo) socket.write(Buffer.concat(packets.slice(sent, upTo)));
      sent = Math.max(sent, upTo);
    };
    socket.on('data', (chunk) => {
      answered += chunk.length;
      if (acknowledged() === packets.length) resolve();
      else pump();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the broker closed the connection')));
    socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clientId: 'bench',
        clean: true,
        keepalive: 0,
        ...login,
      }),
    );
  });
  socket.removeAllListeners('close');
  socket.end();
}
