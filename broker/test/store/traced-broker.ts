// Owns a broker in a process of its own under strace, and a bare client that publishes to it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { generate } from 'mqtt-packet';
import { ignore, PASSWORD, within } from '../rig.ts';
import { temporaryFolder } from './bench.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const USER = 'tester';
const CALLS = 'openat,fdatasync,fsync,msync,pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,recvfrom,read';
const START_MS = 60_000;
/** Longer than anything that is written at once. */
const STRING_BYTES = 4 * 1024 * 1024;

export const hasStrace = (): boolean => spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface TracedBroker {
  readonly port: number;
  /** Stops the broker in order and gives what strace saw. */
  stop(): Promise<string>;
}

export async function startTraced(t: TestContext, durability: 'fsync' | 'memory'): Promise<TracedBroker> {
  const folder = temporaryFolder(t);
  const trace = join(folder, 'trace');
  const [port, wsPort, httpPort] = [await freePort(), await freePort(), await freePort()];
  const env = {
    PATH: process.env.PATH,
    DATA_DIR: join(folder, 'data'),
    DURABILITY: durability,
    MQTT_PORT: `${port}`,
    MQTT_WS_PORT: `${wsPort}`,
    HTTP_PORT: `${httpPort}`,
    LOG_LEVEL: 'warn',
  };
  const mesh = join(ROOT, 'services/mesh-cli/bin/mesh.ts');
  const added = spawnSync(process.execPath, [mesh, 'user', 'add', USER, '--role', 'device', '--password-stdin'], {
    env,
    input: PASSWORD,
    encoding: 'utf8',
  });
  if (added.status !== 0) throw new Error(`mesh user add: ${added.stderr}`);
  const command = [process.execPath, join(ROOT, 'broker/src/main.ts')];
  const options = ['-f', '-tt', '-yy', '-xx', '-s', `${STRING_BYTES}`, '-o', trace, '-e', `trace=${CALLS}`];
  const strace = spawn('strace', [...options, '--', ...command], { env, stdio: 'ignore' });
  t.after(() => endAll(strace));
  await reached(port, AbortSignal.timeout(START_MS));
  return {
    port,
    async stop() {
      const closed = once(strace, 'close');
      for (const pid of childrenOf(strace)) process.kill(pid, 'SIGTERM');
      await within(closed, 'end of the traced broker', 30_000);
      return readFileSync(trace, 'latin1');
    },
  };
}

const childrenOf = ({ pid }: ChildProcess): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** What a failed test leaves running. */
function endAll(strace: ChildProcess): void {
  if (strace.exitCode !== null || strace.signalCode !== null) return;
  try {
    for (const pid of childrenOf(strace)) process.kill(pid, 'SIGKILL');
  } finally {
    strace.kill('SIGKILL');
  }
}

async function reached(port: number, deadline: AbortSignal): Promise<void> {
  while (!deadline.aborted) {
    const socket = connect(port, '127.0.0.1').on('error', ignore);
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('close', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
    await pause(50);
  }
  throw new Error(`the traced broker did not start within ${START_MS} ms`);
}

/** A client of MQTT 3.1.1 on a bare socket; each of its messages has a packet identifier of its own. */
export class BareClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, () => void>();
  #last = 0;
  /** What is found in the payload of each message. */
  readonly marks = new Map<number, string>();

  static async connect(t: TestContext, port: number): Promise<BareClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }).on('error', ignore);
    t.after(() => socket.destroy());
    const login = { clientId: 'bare', clean: true, keepalive: 0, username: USER, password: Buffer.from(PASSWORD) };
    socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, ...login }));
    const [connack] = (await within(once(socket, 'data'), 'CONNACK')) as [Buffer];
    if (connack.readUInt32BE(0) !== 0x20020000)
      throw new Error(`expected to be let in, got ${connack.toString('hex')}`);
    return new BareClient(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= 4; rest = rest.subarray(4)) this.#onAck(rest[0] ?? 0, rest.readUInt16BE(2));
    });
  }

  get port(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Publishes so many messages in one write; resolves when the last of them is through. */
  async publish(count: number, qos: 1 | 2): Promise<void> {
    const packets: Buffer[] = [];
    const answers: Promise<void>[] = [];
    for (let sent = 0; sent < count; sent++) {
      const messageId = ++this.#last;
      const mark = `message-${String(messageId).padStart(6, '0')}`;
      const payload = JSON.stringify({ id: mark, state: 'On' });
      packets.push(
        generate({ cmd: 'publish', topic: 'monitor/maj', payload, qos, messageId, retain: false, dup: false }),
      );
      this.marks.set(messageId, mark);
      answers.push(new Promise((resolve) => this.#waiting.set(messageId, resolve)));
    }
    this.#socket.write(Buffer.concat(packets));
    await within(Promise.all(answers), `answers to ${count} messages`, 30_000);
  }

  #onAck(type: number, messageId: number): void {
    if (type === 0x50) this.#socket.write(generate({ cmd: 'pubrel', messageId }));
    else this.#waiting.get(messageId)?.();
  }

  end(): void {
    this.#socket.destroy();
  }
}
