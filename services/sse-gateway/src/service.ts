// Owns sse-gateway's shell: messages in, events out to every screen, the last state of each device back to the broker.
import { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import { TOPICS, type TopicKey } from '@monitor-mesh/shared/contract.ts';
import { decodePayload } from '@monitor-mesh/shared/decode.ts';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { publishRefusedCallers } from '@monitor-mesh/shared/http/refused-report.ts';
import { followRevocations } from '@monitor-mesh/shared/http/revocations.ts';
import {
  defineService,
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
} from '@monitor-mesh/shared/service.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DEVICES_MAX } from './board.ts';
import { SSE_GATEWAY_VARIABLES } from './config.ts';
import { parseWish } from './filter.ts';
import { type ChangeEvent, Hub } from './hub.ts';
import { addPage } from './page.ts';
import { decideChanges, RecentMids } from './projection.ts';
import { Streams } from './streams.ts';

type Config = ConfigOf<typeof SSE_GATEWAY_VARIABLES>;

const HEARTBEAT_MS = 15_000;
/** Batches whose states are on their way to the broker while newer events are already shown. */
const OVERLAP = 64;
const LEGACY_PATHS = ['/monitor/include/serveur_sse.php', '/include/serveur_sse.php'];
/** The old site's text for a subscriber that died. */
const LAST_WILL = 'client mqtt déconnecté';

const KEYS = Object.keys(TOPICS) as readonly TopicKey[];
/** Topics that screens follow as they are; changes and device states have their own way. */
const TOLD: readonly TopicKey[] = KEYS.filter((key) => {
  const { to, durable } = TOPICS[key];
  return (
    (to as readonly string[]).includes('sse-gateway') &&
    !(durable as readonly string[]).includes('sse-gateway') &&
    key !== 'state' &&
    key !== 'sessions'
  );
});

export const sseGateway = defineService({
  name: 'sse-gateway',
  variables: SSE_GATEWAY_VARIABLES,
  create: (context, config) => new SseGateway(context, config),
});

class SseGateway implements Service {
  readonly #context: ServiceContext;
  readonly #config: Config;
  readonly #hub: Hub;
  readonly #streams: Streams;
  readonly #mids = new RecentMids();
  readonly #events;
  #bus: Bus | undefined;
  #consumer: DurableConsumer | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #readiness: Readiness = { ready: false, reason: 'the broker is not connected' };

  constructor(context: ServiceContext, config: Config) {
    this.#context = context;
    this.#config = config;
    this.#hub = new Hub(context.now().toString(36), context.now);
    this.#streams = new Streams(
      { viewers_max: config.SSE_VIEWERS_MAX, viewers_per_user_max: config.SSE_VIEWERS_PER_USER_MAX },
      (viewer) => this.#hub.leave(viewer),
    );
    this.#events = context.metrics.counter('sse_events_total', 'Changes shown to viewers');
    const viewers = context.metrics.gauge('sse_viewers', 'Event streams open now');
    this.#streams.watch((count) => viewers.set(count));
  }

  routes(app: FastifyInstance): void {
    addPage(app, this.#config.HOUSE_LANG, this.#config.HOUSE_LABEL);
    app.get(
      '/events',
      { config: { access: { kind: 'roles', roles: ['admin', 'homeassistant', 'dashboard'] } } },
      (request, reply) => {
        const wish = parseWish(request.query as Record<string, unknown>);
        if ('fault' in wish) return reply.code(400).send({ error: 'input_invalid', message: wish.fault });
        const audience = {
          role: request.identity?.role ?? 'device',
          wish,
          last_event_id: lastEventId(request),
        } as const;
        return this.#streams.begin(request, reply, {}, (sink) => this.#hub.join(sink, audience));
      },
    );
    for (const path of LEGACY_PATHS)
      app.get(
        path,
        {
          config: {
            access: {
              kind: 'open',
              app: 'sse',
              roles: ['admin', 'homeassistant', 'dashboard', 'device', 'domoticz'],
              writes: false,
            },
          },
        },
        (request, reply) =>
          this.#streams.begin(request, reply, { 'access-control-allow-origin': '*' }, (sink) =>
            this.#hub.joinLegacy(sink, lastEventId(request)),
          ),
      );
  }

  async start(): Promise<void> {
    const { target, log, metrics, version, now, door } = this.#context;
    const bus = new Bus({ service: 'sse-gateway', version, target, log, metrics, now });
    this.#bus = bus;
    bus.subscribe('state', (message) => this.#onState(message));
    for (const key of TOLD) bus.subscribe(key, (message) => this.#onTold(key, message));
    followRevocations(bus, door.revoked);
    door.revoked.watch((session) => this.#streams.revoke(session));
    publishRefusedCallers(bus, 'sse-gateway', door.refused, (app) => app === 'sse');
    this.#consumer = new DurableConsumer({
      service: 'sse-gateway',
      target,
      log,
      now,
      overlap: OVERLAP,
      last_will: LAST_WILL,
      handle: (batch) => this.#onChanges(batch),
      onState: (taking, reason) => this.#onConsumer(taking, reason),
    });
    this.#heartbeat = setInterval(() => this.#hub.beat(), HEARTBEAT_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#consumer?.close();
    this.#hub.closeAll();
    await this.#bus?.close();
  }

  readiness(): Readiness {
    return this.#readiness;
  }

  #onConsumer(taking: boolean, reason?: string): void {
    this.#hub.link(taking);
    this.#readiness = taking ? READY : { ready: false, reason: reason ?? 'not connected' };
    this.#bus?.setState(taking ? 'ready' : 'degraded', taking ? undefined : reason);
  }

  /** Shows a batch at once; it is acknowledged when the broker keeps the new states. */
  async #onChanges(batch: readonly Received[]): Promise<void> {
    const kept: Promise<void>[] = [];
    for (const message of batch) {
      const isNew = this.#mids.isNew(message.mid);
      const decided = decideChanges(message, this.#config.HOUSE_TZ);
      if (!decided.ok) {
        if (isNew) this.#bus?.reject(message.topic, decided.reason);
        continue;
      }
      for (const change of decided.value) {
        if (isNew) this.#show(change);
        kept.push(this.#keep(change));
      }
    }
    await Promise.all(kept);
  }

  #show(change: ChangeEvent): void {
    if (this.#hub.change(change)) this.#events.inc();
    else this.#bus?.reject(change.topic, `expected at most ${DEVICES_MAX} devices`);
  }

  /** Has the broker keep what the board shows now: a message that comes again must not bring an older state back. */
  async #keep({ id, mid }: ChangeEvent): Promise<void> {
    const device = this.#hub.board.device(id);
    if (!device) return;
    const outcome = await this.#bus?.publish('state', { id }, device, { mid });
    if (outcome?.kind !== 'acknowledged')
      throw new MeshError('state_not_kept', `the broker did not keep the state: ${outcome?.kind ?? 'stopping'}`, {
        retryable: true,
      });
  }

  #onState(message: Received): void {
    if (message.payload.length === 0) return;
    const decoded = decodePayload(TOPICS.state, message.payload);
    if (decoded.ok) this.#hub.recall(decoded.value);
    else this.#bus?.reject(message.topic, decoded.reason);
  }

  #onTold(key: TopicKey, message: Received): void {
    const definition = TOPICS[key];
    if (message.payload.length === 0 && definition.retain)
      return this.#hub.tell(message.topic, undefined, message.mid, true);
    const decoded = decodePayload(definition, message.payload);
    if (decoded.ok) this.#hub.tell(message.topic, decoded.value, message.mid, definition.retain);
    else this.#bus?.reject(message.topic, decoded.reason);
  }
}

/** EventSource sends the header when it reconnects; a page that starts over can send the query. */
function lastEventId(request: FastifyRequest): string | undefined {
  const header = request.headers['last-event-id'];
  const query = (request.query as Readonly<Record<string, unknown>>).lastEventId;
  return typeof header === 'string' ? header : typeof query === 'string' ? query : undefined;
}
