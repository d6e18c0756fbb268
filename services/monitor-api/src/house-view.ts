// Owns monitor-api's view of the house: last states, messages and service states, as the broker retains them.
import type { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { Received } from '@monitor-mesh/shared/bus/connection.ts';
import { type PayloadOf, TOPICS, type TopicKey } from '@monitor-mesh/shared/contract.ts';
import { decodePayload } from '@monitor-mesh/shared/decode.ts';
import { findTopic } from '@monitor-mesh/shared/topic-index.ts';

export type DeviceState = PayloadOf<typeof TOPICS.state>;
export type HouseMessage = PayloadOf<typeof TOPICS.message>;
export type ServiceStatus = PayloadOf<typeof TOPICS.status>;
export type RefusedCallers = PayloadOf<typeof TOPICS.refused_callers>;

export class HouseView {
  readonly devices = new Map<string, DeviceState>();
  readonly messages = new Map<string, HouseMessage>();
  readonly services = new Map<string, ServiceStatus>();
  /** By the service that refused them. */
  readonly refused = new Map<string, RefusedCallers>();

  /** Follows the retained topics of a bus. */
  follow(bus: Bus): void {
    this.#follow(bus, 'state', this.devices, (state) => state.id);
    this.#follow(bus, 'message', this.messages, (message) => message.name);
    const serviceOf = (_payload: unknown, { topic }: Received): string => findTopic(topic)?.parameters.service ?? topic;
    this.#follow(bus, 'status', this.services, serviceOf);
    this.#follow(bus, 'refused_callers', this.refused, serviceOf);
  }

  #follow<Key extends TopicKey>(
    bus: Bus,
    key: Key,
    into: Map<string, PayloadOf<(typeof TOPICS)[Key]>>,
    nameOf: (payload: PayloadOf<(typeof TOPICS)[Key]>, message: Received) => string,
  ): void {
    bus.subscribe(key, (message) => {
      if (message.payload.length === 0) return;
      const decoded = decodePayload(TOPICS[key], message.payload);
      if (decoded.ok) into.set(nameOf(decoded.value, message), decoded.value);
      else bus.reject(message.topic, decoded.reason);
    });
  }
}
