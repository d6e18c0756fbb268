// Owns sse-gateway's shell: messages in, events out to every screen, the last state of each device back to the broker.
import { Bus, type PublishOutcome } from '@monitor-mesh/shared/bus/bus.ts';
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import { TOPICS, type TopicKey } from '@monitor-mesh/shared/contract.ts';
import { type Change, decodePayload } from '@monitor-mesh/shared/decode.ts';
import { MeshError, reasonOf } from '@monitor-mesh/shared/errors.ts';
import { publishRefusedCallers } from '@monitor-mesh/shared/http/refused-report.ts';
import { followRevocations } from '@monitor-mesh/shared/http/revocations.ts';
import {
  defineService,
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
} from '@monitor-mesh/shared/service.ts';
import type { FastifyInstance } from 'fastify';
import { DEVICES_MAX } from './board.ts';
import { SSE_GATEWAY_VARIABLES } from './config.ts';
import { addFactRoute } from './fact-route.ts';
import { type ChangeEvent, Hub } from './hub.ts';
import { addPage } from './page.ts';
import { decideChanges, RecentMids } from './projection.ts';
import { addStreamRoutes } from './stream-routes.ts';
import { Streams } from './streams.ts';

type Config = ConfigOf<typeof SSE_GATEWAY_VARIABLES>;

const HEARTBEAT_MS = 15_000;
/** A stream whose user has lost its right ends within a second: this, and half a second that the access file's content may be old. */
const REVIEW_MS = 250;
/** Longest wait at a stop for viewers to take what is theirs: the whole stop has eight seconds. */
const DRAIN_MS_MAX = 2_000;
/** Batches whose states are on their way to the broker while newer events are already shown. */
const OVERLAP = 64;
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
  #review: NodeJS.Timeout | undefined;
  #accessFault = '';
  #readiness: Readiness = { ready: false, reason: 'the broker is not connected' };

  constructor(context: ServiceContext, config: Config) {
    this.#context = context;
    this.#config = config;
    this.#hub = new Hub(context.now().toString(36), context.now);
    const viewers = context.metrics.gauge('sse_viewers', 'Event streams open now');
    this.#streams = new Streams({
      viewers_max: config.SSE_VIEWERS_MAX,
      viewers_per_user_max: config.SSE_VIEWERS_PER_USER_MAX,
      access: () => context.door.authenticator.file.read(),
      now: context.now,
      leave: (viewer) => this.#hub.leave(viewer),
      onCount: (count) => viewers.set(count),
    });
    this.#events = context.metrics.counter('sse_events_total', 'Changes shown to viewers');
  }

  routes(app: FastifyInstance): void {
    addPage(app, this.#config.HOUSE_LANG, this.#config.HOUSE_LABEL);
    addStreamRoutes(app, this.#hub, this.#streams);
    addFactRoute(app, (change, mid, timeout_ms) => this.#publishFact(change, mid, timeout_ms));
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
    this.#review = setInterval(() => this.#reviewStreams(), REVIEW_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#consumer?.close();
    await this.#streams.drain(() => this.#hub.farewell(), DRAIN_MS_MAX);
    clearInterval(this.#review);
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

  /** A file that cannot be read changes nobody's standing; it is told once, not four times a second. */
  #reviewStreams(): void {
    try {
      this.#streams.review();
      this.#accessFault = '';
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#accessFault) this.#context.log.warn({ reason }, 'streams not reviewed');
      this.#accessFault = reason;
    }
  }

  async #publishFact(change: Change, mid: string, timeout_ms: number): Promise<PublishOutcome> {
    const outcome = await this.#bus?.publish('maj', {}, { ...change, source: 'fact' }, { mid, timeout_ms });
    return outcome ?? { kind: 'unwritten', mid, reason: 'the service is not started' };
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
