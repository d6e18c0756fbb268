// Owns the one HTTP server of a process: its limits, headers, answers to errors, health and metrics.
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, LogController } from 'fastify';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type GateOptions, installGate } from './gate.ts';

/** A body larger than this is refused with 413: the largest legitimate one is a recipe's text. */
const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;

export interface ReadinessReport {
  readonly ready: boolean;
  readonly services: Readonly<Record<string, { readonly ready: boolean; readonly reason?: string }>>;
}

export interface HttpServerOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly gate: GateOptions;
  readonly readiness: () => ReadinessReport;
}

/** A server with the gate, `/health/live`, `/health/ready` and `/metrics`; services add their routes before it listens. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.log.child({}, { level: 'warn' }) as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    // An unknown field is refused, not dropped: somebody meant something by it.
    ajv: { customOptions: { removeAdditional: false, allowUnionTypes: true } },
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 512 },
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null,
      },
    },
    // Plain HTTP on the house's own network is a supported way in.
    strictTransportSecurity: false,
    crossOriginResourcePolicy: false,
  });
  await app.register(formbody);
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) options.log.error({ err: error }, 'request failed');
    void reply
      .code(status)
      .send(
        status >= 500
          ? { error: 'internal', message: 'internal error' }
          : { error: codeName(error), message: error.message },
      );
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ error: 'not_found', message: `there is nothing at ${request.method} ${request.url.split('?')[0]}` }),
  );
  await installGate(app, options.gate);
  addHealth(app, options);
  return app;
}

/** Names of answers that callers may decide on: the house's own, whatever the framework calls its errors. */
const CODE_NAMES: Readonly<Record<number, string>> = {
  404: 'not_found',
  413: 'too_large',
  415: 'media_type_unknown',
  429: 'too_many_requests',
};

const codeName = (error: FastifyError): string =>
  error.validation ? 'input_invalid' : (CODE_NAMES[error.statusCode ?? 0] ?? 'request_invalid');

function addHealth(app: FastifyInstance, options: HttpServerOptions): void {
  app.get('/health/live', { config: { access: { kind: 'public' } } }, async () => ({ live: true }));
  app.get('/health/ready', { config: { access: { kind: 'public' } } }, async (_request, reply) => {
    const report = options.readiness();
    return reply.code(report.ready ? 200 : 503).send(report);
  });
  app.get(
    '/metrics',
    { config: { access: { kind: 'open', app: 'metrics', roles: ['admin', 'homeassistant'], writes: false } } },
    async (_request, reply) => {
      const text = await options.metrics.registry.metrics();
      return reply.type(options.metrics.registry.contentType).send(text);
    },
  );
}
