// Owns the run of broken packets against a broker, with a healthy client that must not notice.
import { connect, type Socket } from 'node:net';
import { connectAsync, type MqttClient } from 'mqtt';
import { startBrokerProcess } from './child.ts';
import { newFuzz, seeded } from './mutation.ts';

export interface FuzzOptions {
  readonly packets: number;
  readonly seed: number;
}

export interface FuzzReport {
  readonly packets: number;
  readonly connections: number;
  readonly round_trip_ms_max: number;
  readonly rss_mb: readonly [before: number, max: number];
}

const PER_CONNECTION = 40;
const AT_ONCE = 16;
const HEALTH_MS_MAX = 5_000;
/** A connection that the broker keeps open although it gets no more sense out of it is left after this. */
const PATIENCE_MS = 200;

/** One connection with broken packets; resolves with their number when the broker or we have enough. */
async function attack(
  port: number,
  random: () => number,
  number: number,
  last: (bytes: Buffer) => void,
): Promise<number> {
  const socket: Socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined); // being thrown out is what is expected
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.once('connect', () => resolve());
    socket.once('close', () => resolve());
  });
  const fuzz = newFuzz(random, number);
  if (random() < 0.8) socket.write(fuzz.hello());
  let sent = 0;
  while (sent < PER_CONNECTION && !socket.destroyed) {
    const packet = fuzz.next();
    last(packet);
    const cut = Math.floor(random() * packet.length);
    if (random() < 0.3) {
      socket.write(packet.subarray(0, cut));
      await new Promise(setImmediate);
      socket.write(packet.subarray(cut));
    } else socket.write(packet);
    sent += 1;
    if (random() < 0.1) await new Promise(setImmediate);
  }
  if (!socket.destroyed) {
    socket.end();
    const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    clearTimeout(patience);
  }
  return sent;
}

/** A QoS 1 message to itself and back, in ms. */
async function roundTrip(client: MqttClient): Promise<number> {
  const begin = performance.now();
  const back = new Promise<void>((resolve) => client.once('message', () => resolve()));
  client.publish('health', 'x', { qos: 1 });
  let late: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`no answer within ${HEALTH_MS_MAX} ms`)), HEALTH_MS_MAX);
  });
  try {
    await Promise.race([back, stalled]);
  } finally {
    clearTimeout(late);
  }
  return performance.now() - begin;
}

/** @throws Error with the last packets in hexadecimal when the broker crashed or stalled */
export async function runFuzz(
  { packets, seed }: FuzzOptions,
  onProgress?: (sent: number) => void,
): Promise<FuzzReport> {
  await using broker = await startBrokerProcess();
  const healthy = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId: 'healthy', reconnectPeriod: 0 });
  const lastPackets: Buffer[] = [];
  const random = seeded(seed);
  let sent = 0;
  let connections = 0;
  let worst = 0;
  try {
    await healthy.subscribeAsync('health', { qos: 1 });
    const before = broker.rssMb();
    let most = before;
    while (sent < packets) {
      const attacks = Array.from({ length: AT_ONCE }, () =>
        attack(broker.port, random, ++connections, (packet) => {
          lastPackets.push(packet);
          if (lastPackets.length > 50) lastPackets.shift();
        }),
      );
      for (const count of await Promise.all(attacks)) sent += count;
      worst = Math.max(worst, await roundTrip(healthy));
      if (connections % 1_600 === 0) onProgress?.(sent);
      most = Math.max(most, broker.rssMb());
    }
    return { packets: sent, connections, round_trip_ms_max: worst, rss_mb: [before, most] };
  } catch (cause) {
    const hex = lastPackets.map((packet) => packet.toString('hex')).join('\n');
    throw new Error(`seed ${seed}, after ${sent} packets (broker ended: ${broker.end ?? 'no'}):\n${hex}`, { cause });
  } finally {
    await healthy.endAsync(true);
  }
}
