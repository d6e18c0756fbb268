// Owns what the engine asks at each packet, and performs what the decisions of the other files say.
import { type Identity, maySubscribe, type Verdict } from '@monitor-mesh/shared/access.ts';
import type { Party } from '@monitor-mesh/shared/contract.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { Counter } from '@monitor-mesh/shared/metrics.ts';
import type { ConnectGate } from './connect-gate.ts';
import { Delivery } from './delivery.ts';
import { durableFilters } from './durable-sessions.ts';
import type { Engine, EngineClient, EngineHooks, EnginePacket, EngineSubscription } from './engine.ts';
import { hasForbiddenText, isInternal, SINK_TOPIC } from './internal-topics.ts';
import { PacketGuard } from './packet-guard.ts';
import { decidePublish, stamp } from './publish-decision.ts';
import type { Refusals } from './refusals.ts';
import type { SessionLedger } from './session-ledger.ts';
import type { Traffic } from './sys-topics.ts';
import type { TopicRules } from './topic-rules.ts';

export interface HookParts {
  readonly log: Log;
  readonly gate: ConnectGate;
  readonly ledger: SessionLedger;
  readonly rules: TopicRules;
  readonly refusals: Refusals;
  readonly traffic: Traffic;
  readonly received: Counter;
  readonly sent: Counter;
  readonly unsent_bytes_max: number;
  readonly now: () => number;
  /** The engine exists only after its hooks. */
  readonly engine: () => Engine;
}

const NOTHING = Buffer.alloc(0);
const refuse = (reason: string): Verdict => ({ allowed: false, reason });

/** Turns a packet into one that is acknowledged as its sender expects and reaches nobody. */
function sink(packet: EnginePacket): void {
  packet.topic = SINK_TOPIC;
  packet.payload = NOTHING;
  packet.retain = false;
  delete packet.properties;
  delete packet.messageExpiry;
}

export class Hooks implements EngineHooks {
  readonly #parts: HookParts;
  readonly #deliveries = new WeakMap<EngineClient, Delivery>();

  constructor(parts: HookParts) {
    this.#parts = parts;
  }

  readonly preConnect: EngineHooks['preConnect'] = (client, _, done) => {
    const { gate, rules, refusals, now, engine } = this.#parts;
    let role: Party | undefined; // known only after authentication, and the same from then on
    const delivery = new Delivery(client, {
      engine_id: engine().id,
      counter: engine().counter,
      mayRead: (topic) => {
        role ??= gate.identityOf(client)?.role;
        return role !== undefined && !isInternal(topic) && rules.of(role, topic).readable;
      },
      keepsUp: () => this.#keepsUp(client),
      onExpired: (topic) => refusals.onExpired(topic),
      now,
    });
    this.#deliveries.set(client, delivery);
    done(null, true);
  };

  readonly authenticate: EngineHooks['authenticate'] = (client, username, password, done) => {
    const answer = async (): Promise<void> => {
      const refusal = await this.#parts.gate.onConnect(client, username, password);
      if (!refusal) this.#checkWill(client);
      done(refusal, refusal === null);
    };
    answer().catch((error: unknown) => client.conn.destroy(error instanceof Error ? error : undefined));
  };

  readonly authorizePublish: EngineHooks['authorizePublish'] = (client, packet, done) => {
    const { gate, rules, refusals, traffic, received, now } = this.#parts;
    if (client === null) {
      // the will of a client whose broker died: it was allowed when it was stored
      carry(packet, stamp(packet, rules.of('broker', packet.topic), now()));
      done(null);
      return;
    }
    const who = gate.identityOf(client);
    if (!who) {
      done(new Error('expected an identity before the first publish'));
      return;
    }
    traffic.received++;
    received.inc();
    const decision = decidePublish(packet, rules.of(who.role, packet.topic), now());
    if (decision.kind === 'refuse') {
      refusals.onDenied(client.id ?? '', decision.topic, decision.reason);
      this.#dropDenied(client, packet, decision.reason, done);
      return;
    }
    packet.retain = decision.retain;
    carry(packet, decision);
    if (decision.promised && packet.qos === 0) this.#publishPromised(client, packet, done);
    else done(null);
  };

  readonly authorizeSubscribe: EngineHooks['authorizeSubscribe'] = (client, subscription, done) => {
    const who = this.#parts.gate.identityOf(client);
    const verdict = who ? this.#judgeSubscription(client, who, subscription) : refuse('expected an identity');
    if (!verdict.allowed) {
      this.#parts.log.info(
        { client: client.id, topic: subscription.topic, reason: verdict.reason },
        'subscription refused',
      );
      subscription.qos = 0; // Aedes stores every subscription of the packet when one is granted; with QoS 0 nothing is queued
    }
    // answered only after all of the packet were judged, for the same reason
    queueMicrotask(() => done(null, verdict.allowed ? subscription : null));
  };

  readonly authorizeForward: EngineHooks['authorizeForward'] = (client, packet) => {
    const forwarded = this.#deliveries.get(client)?.replay(packet) ?? null;
    if (forwarded) {
      this.#parts.traffic.sent++;
      this.#parts.sent.inc();
    }
    return forwarded;
  };

  /** The queue of a client is out. */
  onReady(client: EngineClient): void {
    this.#deliveries.get(client)?.onReplayed();
  }

  /** MQTT 5 has an answer for a refusal. An older client would be disconnected, come back and send the same again. */
  #dropDenied(client: EngineClient, packet: EnginePacket, reason: string, done: (error?: Error | null) => void): void {
    if (client.version === 5) {
      done(new Error(reason));
      return;
    }
    sink(packet);
    done(null);
  }

  /** Aedes queues only QoS 1 and 2. The copy waits its turn behind the QoS 1 messages that are being acknowledged. */
  #publishPromised(client: EngineClient, packet: EnginePacket, done: (error?: Error | null) => void): void {
    const { topic, payload, retain, properties, messageExpiry } = packet;
    const copy: EnginePacket = { cmd: 'publish', topic, payload, qos: 1, retain };
    carry(copy, { properties, expires_at_ms: messageExpiry });
    setImmediate(() =>
      this.#parts.engine().publish(copy, client, (error) => {
        sink(packet);
        done(error);
      }),
    );
  }

  #checkWill(client: EngineClient): void {
    const { gate, rules, refusals, now } = this.#parts;
    const who = gate.identityOf(client);
    const will = client._will;
    if (!who || !will) return;
    const decision = decidePublish(will, rules.of(who.role, will.topic), now());
    if (decision.kind === 'carry') return;
    client._will = undefined;
    refusals.onDenied(client.id ?? '', decision.topic, `last will: ${decision.reason}`);
  }

  #judgeSubscription(client: EngineClient, who: Identity, { topic, qos }: EngineSubscription): Verdict {
    if (hasForbiddenText(topic)) return refuse('expected a filter of well-formed text without U+0000');
    if (isInternal(topic)) return refuse(`'${topic}' exists only inside the broker`);
    if (qos === 0 && this.#parts.ledger.isDurable(client.id ?? '') && durableFilters(who.role).includes(topic))
      return refuse(`messages of '${topic}' are promised to this session: subscribe with QoS 1`);
    return maySubscribe(who, topic);
  }

  #keepsUp(client: EngineClient): boolean {
    const { conn } = client;
    if (!(conn instanceof PacketGuard) || conn.unsent_bytes <= this.#parts.unsent_bytes_max) return true;
    if (!conn.destroyed) {
      this.#parts.log.warn(
        { client: client.id, unsent_bytes: conn.unsent_bytes },
        'client does not take what it is sent: cut',
      );
      conn.destroy(new Error('the client does not take what it is sent'));
    }
    return false;
  }
}

/** Puts identity and age limit on a packet. */
function carry(
  packet: EnginePacket,
  { properties, expires_at_ms }: Pick<ReturnType<typeof stamp>, 'properties' | 'expires_at_ms'>,
): void {
  if (properties) packet.properties = properties;
  if (expires_at_ms !== undefined) packet.messageExpiry = expires_at_ms;
}
