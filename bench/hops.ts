// Owns the hops that are compared: the mesh from HTTP to a screen, a bare HTTP answer, a bare broker hop.
import { spawn } from 'node:child_process';
import { Agent, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import type { MeshProcess } from '../e2e/mesh-process.ts';
import type { Hop } from './latency.ts';

const nobody = (): void => undefined;

function request(url: string, agent: Agent, headers: Readonly<Record<string, string>>, done: () => void): void {
  const call = get(url, { agent, headers }, (response) => {
    if (response.statusCode !== 200) throw new Error(`expected 200 of ${url}, got ${response.statusCode}`);
    response.resume();
    response.once('end', done);
  });
  call.setNoDelay(true);
}

/** `app=maj` in, an event on an open stream out. */
export async function meshHop({ url, login }: MeshProcess): Promise<Hop> {
  const headers = { authorization: `Bearer ${login.token}` };
  const agent = new Agent({ keepAlive: true });
  let arrived: (n: number) => void = nobody;
  let asked = 0;
  const stream = await new Promise<{ destroy(): unknown }>((resolve) => {
    const call = get(`${url}/api/v1/stream`, { headers }, (response) => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const n = /"topic":"monitor\/maj","payload":\{"id":"bench-\d+","state":"(\d+)"/u.exec(block)?.[1];
          if (n !== undefined) arrived(Number(n));
        }
      });
      resolve(call);
    });
    call.on('error', nobody); // the end of the run cuts the stream
  });
  return {
    name: 'maj → SSE',
    send: (n) => {
      asked += 1;
      request(`${url}/api/json.php?app=maj&id=bench-${n % 50}&state=${n}`, agent, headers, () => {
        asked -= 1;
      });
    },
    onArrival: (callback) => {
      arrived = callback;
    },
    [Symbol.asyncDispose]: async () => {
      while (asked > 0) await pause(1); // an event may overtake the answer to its own request
      stream.destroy();
      agent.destroy();
    },
  };
}

/** A peer's process and the port that it printed. */
async function startPeer(file: string): Promise<{ readonly port: number; readonly stop: () => void }> {
  const path = fileURLToPath(new URL(`peers/${file}`, import.meta.url));
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve) => child.stdout.once('data', (text) => resolve(Number(text))));
  return { port, stop: () => child.kill() };
}

/** A request in, its answer out. */
export async function fastifyHop(): Promise<Hop> {
  const { port, stop } = await startPeer('fastify.ts');
  const agent = new Agent({ keepAlive: true });
  let arrived: (n: number) => void = nobody;
  return {
    name: 'bare Fastify route',
    send: (n) => request(`http://127.0.0.1:${port}/maj?n=${n}`, agent, {}, () => arrived(n)),
    onArrival: (callback) => {
      arrived = callback;
    },
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      stop();
    },
  };
}

/** A QoS 1 publish in, the message at a subscriber out. */
export async function brokerHop(): Promise<Hop> {
  const { port, stop } = await startPeer('aedes.ts');
  const [publisher, subscriber] = await Promise.all([
    connectAsync(`mqtt://127.0.0.1:${port}`),
    connectAsync(`mqtt://127.0.0.1:${port}`),
  ]);
  await subscriber.subscribeAsync('bench', { qos: 1 });
  let arrived: (n: number) => void = nobody;
  subscriber.on('message', (_topic, payload) => arrived(Number(payload)));
  return {
    name: 'bare broker hop',
    send: (n) => publisher.publish('bench', String(n), { qos: 1 }),
    onArrival: (callback) => {
      arrived = callback;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([publisher.endAsync(true), subscriber.endAsync(true)]);
      stop();
    },
  };
}
