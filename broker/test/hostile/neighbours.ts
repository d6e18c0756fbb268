// Owns the run of healthy clients beside bad neighbours: one that is frozen, one that reads a byte a second, and one that
// comes back to a long queue.
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { connectAsync, type MqttClient } from 'mqtt';
import { generate, type Packet } from 'mqtt-packet';
import { publishAll } from '../../../bench/db/publisher.ts';
import { type Hop, type Latencies, measure } from '../../../bench/latency.ts';
import { startBrokerProcess } from './child.ts';

export interface NeighboursOptions {
  readonly folder: string;
  readonly queued: number;
  readonly seconds: number;
}

export interface NeighboursReport {
  readonly alone: Latencies;
  readonly beside: Latencies;
  /** Of the queue that waited. */
  readonly drained: number;
}

const RATE_HZ = 200;
const FLOOD_EVERY_MS = 5;
const FLOOD_MESSAGES = 20;
const FLOOD_BYTES = 1_000;

async function healthyHop(url: string): Promise<Hop> {
  const [publisher, subscriber] = await Promise.all([connectAsync(url), connectAsync(url)]);
  await subscriber.subscribeAsync('healthy', { qos: 1 });
  let arrived: (n: number) => void = () => undefined;
  subscriber.on('message', (_topic, payload) => arrived(Number(payload)));
  return {
    name: 'healthy',
    send: (n) => publisher.publish('healthy', String(n), { qos: 1 }),
    onArrival: (callback) => {
      arrived = callback;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([publisher.endAsync(true), subscriber.endAsync(true)]);
    },
  };
}

/** Subscribes to the flood and then reads `bytes` a second, or nothing. */
function badReader(port: number, clientId: string, bytes: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined); // it is cut, as it should be
  socket.pause();
  const hello = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true, keepalive: 0 };
  const wish = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'flood', qos: 1 }] };
  for (const packet of [hello, wish]) socket.write(generate(packet as unknown as Packet));
  if (bytes > 0) {
    const timer = setInterval(() => socket.read(bytes), 1_000);
    socket.once('close', () => clearInterval(timer));
  }
  return socket;
}

async function fillQueue(url: string, port: number, queued: number): Promise<void> {
  const owner = await connectAsync(url, { clientId: 'long-away', clean: false });
  await owner.subscribeAsync('backlog', { qos: 1 });
  await owner.endAsync();
  await publishAll(
    port,
    'backlog',
    Array.from({ length: queued }, (_, index) => String(index).padEnd(100)),
  );
}

export async function runNeighbours({ folder, queued, seconds }: NeighboursOptions): Promise<NeighboursReport> {
  await using broker = await startBrokerProcess(folder);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  await fillQueue(url, broker.port, queued);
  await using hop = await healthyHop(url);
  await measure(hop, RATE_HZ, RATE_HZ);
  const alone = await measure(hop, RATE_HZ, RATE_HZ * seconds);
  const sockets = [badReader(broker.port, 'frozen', 0), badReader(broker.port, 'slow', 1)];
  const flooder: MqttClient = await connectAsync(url);
  const flood = setInterval(() => {
    for (let index = 0; index < FLOOD_MESSAGES; index++)
      flooder.publish('flood', Buffer.alloc(FLOOD_BYTES), { qos: 0 });
  }, FLOOD_EVERY_MS);
  const owner = spawn(process.execPath, [fileURLToPath(new URL('./long-away.ts', import.meta.url)), url], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const drained = new Promise<number>((resolve) => owner.stdout.once('data', (text) => resolve(Number(text))));
  try {
    const beside = await measure(hop, RATE_HZ, RATE_HZ * seconds);
    owner.kill();
    return { alone, beside, drained: await drained };
  } finally {
    owner.kill();
    clearInterval(flood);
    for (const socket of sockets) socket.destroy();
    await flooder.endAsync(true);
  }
}
