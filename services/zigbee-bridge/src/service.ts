// Owns zigbee-bridge's shell: what Zigbee2MQTT says becomes changes of the house, the house's commands become its.
import { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import type { ConfigOf } from '@monitor-mesh/shared/config.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { decodeJson } from '@monitor-mesh/shared/decode.ts';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import { derivedMid } from '@monitor-mesh/shared/mid.ts';
import {
  defineService,
  READY,
  type Readiness,
  type Service,
  type ServiceContext,
} from '@monitor-mesh/shared/service.ts';
import { decideOrder, decodeCommand } from './command.ts';
import { ZIGBEE_BRIDGE_VARIABLES } from './config.ts';
import { decideMessage, type Effect } from './core.ts';
import { type Mapping, mergeMappings, NO_MAPPING, readMapping } from './mapping.ts';
import { PendingCommands, type Reply } from './pending.ts';

type Config = ConfigOf<typeof ZIGBEE_BRIDGE_VARIABLES>;

/** How long the retained mapping may take to come after the broker answered; a house without one waits no longer. */
const MAPPING_MS_MAX = 500;
const SOURCE = 'zigbee2mqtt';
/** As zigbee/cmd itself: Zigbee2MQTT may be away, and a lamp is not switched long after somebody asked. */
const SET_AGE_S_MAX = 15;

export const zigbeeBridge = defineService({
  name: 'zigbee-bridge',
  variables: ZIGBEE_BRIDGE_VARIABLES,
  create: (context, config) => new ZigbeeBridge(context, config),
});

class ZigbeeBridge implements Service {
  readonly #context: ServiceContext;
  readonly #config: Config;
  readonly #pending: PendingCommands;
  readonly #messages;
  #bus: Bus | undefined;
  #consumer: DurableConsumer | undefined;
  #mapping: Mapping;
  #last: ReadonlyMap<string, string> = new Map();
  #onMapping: (() => void) | undefined;
  #readiness: Readiness = { ready: false, reason: 'the broker is not connected' };
  #stopping = false;

  constructor(context: ServiceContext, config: Config) {
    this.#context = context;
    this.#config = config;
    this.#mapping = config.ZIGBEE_MAPPING_FILE;
    this.#pending = new PendingCommands(config.ZIGBEE_REPLY_TIMEOUT_MS, (reply) => this.#reply(reply));
    this.#messages = context.metrics.counter(
      'zigbee_messages_total',
      'Messages of Zigbee2MQTT by what became of them',
      ['outcome'],
    );
  }

  async start(): Promise<void> {
    const { target, log, metrics, version, now } = this.#context;
    this.#bus = new Bus({ service: 'zigbee-bridge', version, target, log, metrics, now });
    this.#bus.subscribe('zigbee_devices', (message) => this.#onDevices(message));
    void this.#consume(this.#bus);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#onMapping?.();
    await this.#consumer?.close();
    this.#pending.close();
    await this.#bus?.close();
  }

  readiness(): Readiness {
    return this.#readiness;
  }

  /** Takes messages once the mapping is known, so that no device is shown under two ids. */
  async #consume(bus: Bus): Promise<void> {
    await bus.untilConnected();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, MAPPING_MS_MAX);
      this.#onMapping = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.#stopping) return;
    const { target, log, now } = this.#context;
    this.#consumer = new DurableConsumer({
      service: 'zigbee-bridge',
      target,
      log,
      now,
      peers: [`${this.#config.ZIGBEE_BASE_TOPIC}/#`],
      handle: (batch) => this.#onBatch(batch),
      onState: (taking, reason) => this.#onState(taking, reason),
    });
  }

  #onDevices(message: Received): void {
    const raw = decodeJson(message.payload);
    const devices = raw.ok ? (raw.value as { readonly devices?: unknown } | null)?.devices : undefined;
    // An empty retained message takes the mapping away.
    const { mapping, faults } =
      message.payload.length === 0 ? { mapping: NO_MAPPING, faults: [] } : readMapping(devices);
    for (const fault of faults) this.#bus?.reject(message.topic, fault);
    this.#mapping = mergeMappings(this.#config.ZIGBEE_MAPPING_FILE, mapping);
    this.#context.log.info({ devices: this.#mapping.size }, 'mapping of Zigbee devices read');
    this.#onMapping?.();
  }

  /** All of a batch is safe, or none of it is acknowledged and what is known of the devices stays as it was. */
  async #onBatch(batch: readonly Received[]): Promise<void> {
    const last = new Map(this.#last);
    const sent: Promise<void>[] = [];
    for (const message of batch) {
      if (message.topic === TOPICS.zigbee_cmd.pattern) sent.push(this.#onCommand(message));
      else sent.push(...this.#onMessage(message, last));
    }
    await Promise.all(sent);
    this.#last = last;
  }

  #onMessage(message: Received, last: Map<string, string>): readonly Promise<void>[] {
    const { ZIGBEE_BASE_TOPIC: base, ZIGBEE_UNMAPPED } = this.#config;
    const decision = decideMessage(message, { base, mapping: this.#mapping, unmapped: ZIGBEE_UNMAPPED === 'on' }, last);
    if (decision.kind === 'report') {
      this.#messages.inc({ outcome: decision.effects.length > 0 ? 'published' : 'nothing_new' });
      const sent = decision.effects.map((effect) => this.#perform(effect, message));
      for (const effect of decision.effects) if (effect.kind === 'maj') last.set(effect.id, effect.state);
      this.#pending.onReport(decision.name, decision.values);
      return sent;
    }
    this.#messages.inc({ outcome: decision.kind });
    if (decision.kind === 'refused') this.#bus?.reject(message.topic, decision.reason);
    return [];
  }

  async #perform(effect: Effect, { mid, retain }: Received): Promise<void> {
    if (effect.kind === 'z1m') {
      void this.#bus?.publish('z1m', {}, effect.payload); // QoS 0, as it was: nobody waits for it
      return;
    }
    const { id, state } = effect;
    // A kept value and the live message it was kept from are two: the one must not make the other a repetition.
    const part = retain ? `kept ${id}` : `maj ${id}`;
    const outcome = await this.#bus?.publish('maj', {}, { id, state, source: SOURCE }, { mid: derivedMid(mid, part) });
    if (outcome?.kind !== 'acknowledged')
      throw new MeshError('change_not_told', `the broker did not take the change: ${outcome?.kind ?? 'stopping'}`, {
        retryable: true,
      });
  }

  /** Sends a command on; its answer comes later. It never fails: a second attempt could switch a second time. */
  async #onCommand({ topic, payload, mid }: Received): Promise<void> {
    const decoded = decodeCommand(payload, mid);
    if (!decoded.ok) {
      this.#bus?.reject(topic, decoded.reason);
      if (decoded.id !== undefined) this.#pending.settle({ id: decoded.id, ok: false, error: decoded.reason });
      return;
    }
    const { id } = decoded.value;
    if (this.#pending.isKnown(id)) return;
    const order = decideOrder(decoded.value, this.#mapping, this.#config.ZIGBEE_UNMAPPED === 'on');
    if (!order.ok) return this.#pending.settle({ id, ok: false, error: order.reason });
    this.#pending.expect(id, order.value);
    const outcome = await this.#bus?.publishForeign(
      `${this.#config.ZIGBEE_BASE_TOPIC}/${order.value.name}/set`,
      Buffer.from(JSON.stringify(order.value.payload)),
      { mid: derivedMid(mid, 'set'), max_age_s: SET_AGE_S_MAX },
    );
    if (outcome?.kind !== 'acknowledged')
      this.#pending.settle({ id, ok: false, error: `the command was not sent: ${outcome?.kind ?? 'stopping'}` });
  }

  #reply(reply: Reply): void {
    void this.#bus?.publish('zigbee_reply', {}, reply);
  }

  #onState(taking: boolean, reason = 'not connected'): void {
    this.#readiness = taking ? READY : { ready: false, reason };
    this.#bus?.setState(taking ? 'ready' : 'degraded', taking ? undefined : reason);
  }
}
