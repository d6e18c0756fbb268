// Owns the life of a process: one HTTP server, one registry, one readiness; services start in order and stop in reverse.
import type { FastifyInstance } from 'fastify';
import type { BrokerTarget } from './bus/connection.ts';
import type { ServiceName } from './contract.ts';
import { codeOf, MeshError, reasonOf } from './errors.ts';
import type { Door } from './http/door.ts';
import { createHttpServer, type ReadinessReport } from './http/server.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { portOwner } from './port-owner.ts';
import type { Readiness, Service, ServiceContext, ServiceModule } from './service.ts';

export interface HostOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly door: Door;
  readonly modules: readonly ServiceModule[];
  /** Values of every module's variables, by name. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly target: (service: ServiceName) => BrokerTarget;
  /** Services without which the process has no point; another one's fault is shown and the rest runs on. */
  readonly required?: readonly ServiceName[];
  readonly now?: () => number;
}

/** Longest drain of one service at a stop, in ms: compose kills after ten seconds. */
const STOP_MS_MAX = 8_000;

interface Member {
  readonly name: ServiceName;
  readonly service: Service;
  fault: string | undefined;
}

export class Host implements AsyncDisposable {
  readonly #options: HostOptions;
  readonly #members: readonly Member[];
  #app: FastifyInstance | undefined;
  #stopping = false;
  #port = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#members = options.modules.map((module) => ({
      name: module.name,
      service: module.create(this.#contextOf(module.name), options.config as never),
      fault: undefined,
    }));
  }

  /** The port that HTTP listens on, also when 0 was asked for. */
  get httpPort(): number {
    return this.#port;
  }

  /** Opens the HTTP door, then starts the services in order. */
  async start(): Promise<void> {
    const { log, metrics, door, http } = this.#options;
    this.#app = await createHttpServer({ log, metrics, gate: door.gate, readiness: () => this.readiness() });
    for (const member of this.#members) await member.service.routes?.(this.#app);
    await this.#app.ready();
    await listen(this.#app, http);
    const address = this.#app.server.address();
    this.#port = address !== null && typeof address === 'object' ? address.port : http.port;
    for (const member of this.#members) await this.#startMember(member);
  }

  /** Whether every service is ready, and why not. */
  readiness(): ReadinessReport {
    const services = Object.fromEntries(this.#members.map((member) => [member.name, this.#readinessOf(member)]));
    return { ready: !this.#stopping && Object.values(services).every(({ ready }) => ready), services };
  }

  /** Not ready at once, then the services in reverse, each under a deadline, then the HTTP door. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const member of [...this.#members].reverse()) {
      try {
        await withDeadline(member.service.stop(), STOP_MS_MAX, `${member.name} did not stop within ${STOP_MS_MAX} ms`);
      } catch (error) {
        this.#options.log.error({ reason: reasonOf(error), service: member.name }, 'service did not stop cleanly');
      }
    }
    await this.#app?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #contextOf(name: ServiceName): ServiceContext {
    const { log, metrics, version, target, now, door } = this.#options;
    return { version, metrics, door, now: now ?? Date.now, log: log.child({ service: name }), target: target(name) };
  }

  async #startMember(member: Member): Promise<void> {
    try {
      await member.service.start();
    } catch (error) {
      if (this.#options.required?.includes(member.name)) throw error;
      member.fault = reasonOf(error);
      this.#options.log.error({ err: error, service: member.name }, 'service failed to start, the others run on');
    }
  }

  #readinessOf(member: Member): Readiness {
    return member.fault === undefined
      ? member.service.readiness()
      : { ready: false, reason: `failed to start: ${member.fault}` };
  }
}

async function listen(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw portFault(error, { host, port, variable: 'HTTP_PORT' });
  }
}

/** The fault of a listener, as the one line a person needs: which port, whose it is, which variable to change. */
export function portFault(
  error: unknown,
  at: { readonly host: string; readonly port: number; readonly variable: string },
): unknown {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') {
    const owner = portOwner(at.port);
    return new MeshError(
      'port_in_use',
      `port ${at.port} on ${at.host} is in use${owner ? ` by ${owner}` : ''}: stop that or set ${at.variable} to another port`,
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return new MeshError(
      'port_unusable',
      `cannot listen on port ${at.port} of ${at.host} (${code}): set ${at.variable} or its HOST`,
      { cause: error },
    );
  return error;
}

async function withDeadline(work: Promise<void>, ms: number, message: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  try {
    await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
