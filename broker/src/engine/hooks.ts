// Owns what the engine asks at each packet of its own, and performs what the decisions of the other files say.
import { type Identity, maySubscribe, type Verdict } from '@monitor-mesh/shared/access.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import type { ConnectGate } from '../access/connect-gate.ts';
import { decidePublish } from '../access/publish-decision.ts';
import type { Refusals } from '../access/refusals.ts';
import type { TopicRules } from '../access/topic-rules.ts';
import { PacketGuard } from '../doors/packet-guard.ts';
import { hasForbiddenText, isInternal } from '../internal-topics.ts';
import type { Limits } from '../limits.ts';
import { offeredOf } from '../messages/engine-message.ts';
import type { MessagePlane } from '../messages/message-plane.ts';
import { durableFilters } from '../sessions/durable-sessions.ts';
import type { SessionLedger } from '../sessions/session-ledger.ts';
import type { EngineClient, EngineHooks, EnginePacket, EngineSubscription } from './engine.ts';

export interface HookParts {
  readonly log: Log;
  readonly gate: ConnectGate;
  readonly ledger: SessionLedger;
  readonly plane: MessagePlane;
  readonly rules: TopicRules;
  readonly refusals: Refusals;
  readonly limits: Limits;
  readonly now: () => number;
}

const refuse = (reason: string): Verdict => ({ allowed: false, reason });

export class Hooks implements EngineHooks {
  readonly #parts: HookParts;

  constructor(parts: HookParts) {
    this.#parts = parts;
  }

  /** The only messages that the engine itself delivers are retained ones at a subscription. */
  readonly preConnect: EngineHooks['preConnect'] = (client, packet, done) => {
    const { plane, gate, limits } = this.#parts;
    client.topicAliasMaximum = packet.properties?.topicAliasMaximum ?? 0;
    const { protocolVersion, keepalive } = packet;
    // MQTT 5.0 §3.2.2.3.14; nobody within the process needs it
    if (protocolVersion === 5 && gate.isCaller(client) && (keepalive === 0 || keepalive > limits.keepalive_s_max))
      client._serverKeepAlive = limits.keepalive_s_max;
    const deliver = (message: EnginePacket, delivered: () => void): void =>
      plane.deliverRetained(client, message.topic, subscriptionIdOf(message), delivered);
    client.deliver0 = deliver;
    client.deliverQoS = deliver;
    done(null, true);
  };

  readonly authenticate: EngineHooks['authenticate'] = (client, username, password, done) => {
    const answer = async (): Promise<void> => {
      const refusal = await this.#parts.gate.onConnect(client, username, password);
      if (!refusal) this.#onAccepted(client);
      done(refusal, refusal === null);
    };
    answer().catch((error: unknown) => client.conn.destroy(error instanceof Error ? error : undefined));
  };

  /** Only last wills come this way, and they were judged when their client connected. */
  readonly authorizePublish: EngineHooks['authorizePublish'] = (_client, _packet, done) => done(null);

  readonly authorizeSubscribe: EngineHooks['authorizeSubscribe'] = (client, subscription, done) => {
    const { gate, plane, log } = this.#parts;
    const who = gate.identityOf(client);
    const verdict = who ? this.#judgeSubscription(client, who, subscription) : refuse('expected an identity');
    const session = plane.session(client.id ?? '');
    if (verdict.allowed && session) plane.subscribe(session, subscription);
    else {
      // a session that is resumed by somebody who may less than before
      if (session) plane.unsubscribe(session, [subscription.topic]);
      const reason = verdict.allowed ? 'no session' : verdict.reason;
      log.info({ client: client.id, topic: subscription.topic, reason }, 'subscription refused');
    }
    done(null, verdict.allowed ? subscription : null);
  };

  readonly authorizeForward: EngineHooks['authorizeForward'] = (_client, packet) => packet;

  #onAccepted(client: EngineClient): void {
    const session = this.#parts.plane.session(client.id ?? '');
    if (client.conn instanceof PacketGuard) client.conn.resumes = session?.isStored === true && !client._cleanStart;
    this.#checkWill(client);
  }

  #checkWill(client: EngineClient): void {
    const { gate, rules, refusals, now } = this.#parts;
    const who = gate.identityOf(client);
    const will = client._will;
    if (!who || !will) return;
    const decision = hasForbiddenText(will.topic)
      ? ({ kind: 'refuse', topic: '', reason: 'expected a topic of well-formed text without U+0000' } as const)
      : decidePublish(offeredOf(will), rules.of(who.role, will.topic), now());
    if (decision.kind === 'carry') {
      will.retain = decision.retain;
      return;
    }
    client._will = undefined;
    refusals.onDenied(client.id ?? '', decision.topic, `last will: ${decision.reason}`);
  }

  #judgeSubscription(client: EngineClient, who: Identity, { topic, qos }: EngineSubscription): Verdict {
    const { ledger, plane, limits } = this.#parts;
    if (hasForbiddenText(topic)) return refuse('expected a filter of well-formed text without U+0000');
    if (isInternal(topic)) return refuse(`'${topic}' exists only inside the broker`);
    if (qos === 0 && ledger.isDurable(client.id ?? '') && durableFilters(who.role).includes(topic))
      return refuse(`messages of '${topic}' are promised to this session: subscribe with QoS 1`);
    const subscriptions = plane.session(client.id ?? '')?.subscriptions;
    if (subscriptions && subscriptions.size >= limits.subscriptions_max && !subscriptions.has(topic))
      return refuse(`expected at most ${limits.subscriptions_max} subscriptions of one client`);
    return maySubscribe(who, topic);
  }
}

function subscriptionIdOf(packet: EnginePacket): number | undefined {
  const id = packet.properties?.subscriptionIdentifier;
  return typeof id === 'number' ? id : undefined;
}
