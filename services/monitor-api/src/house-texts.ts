// Owns the texts that older Domoticz scripts send over MQTT: each becomes the household's message `dz`.
import type { Bus } from '@monitor-mesh/shared/bus/bus.ts';
import type { BrokerTarget, Received } from '@monitor-mesh/shared/bus/connection.ts';
import { DurableConsumer } from '@monitor-mesh/shared/bus/durable-consumer.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { decodeHouseText, schemaFault } from '@monitor-mesh/shared/decode.ts';
import { MeshError } from '@monitor-mesh/shared/errors.ts';
import type { Log } from '@monitor-mesh/shared/log.ts';
import { derivedMid } from '@monitor-mesh/shared/mid.ts';
import type { HouseView } from './house-view.ts';
import { setMessage } from './legacy-routes.ts';

export interface HouseTextsOptions {
  readonly target: BrokerTarget;
  readonly log: Log;
  readonly bus: Bus;
  readonly view: HouseView;
  readonly now: () => number;
  readonly timeout_ms: number;
}

const NAME = 'dz';

/** Follows `monitor/dz`; a text is acknowledged when the broker keeps it as a message. */
export const followHouseTexts = (options: HouseTextsOptions): DurableConsumer =>
  new DurableConsumer({
    service: 'monitor-api',
    target: options.target,
    log: options.log,
    now: options.now,
    handle: async (batch) => {
      for (const message of batch) await show(message, options);
    },
  });

async function show(
  { topic, payload, mid }: Received,
  { bus, view, now, timeout_ms }: HouseTextsOptions,
): Promise<void> {
  const text = decodeHouseText(payload);
  if (text === undefined) return; // a change of a device: screens and database take it as it is
  const { error } = TOPICS.message.schema.shape.text.safeParse(text);
  if (error) return bus.reject(topic, `value: ${schemaFault(error, '…')}`);
  const sending = { mid: derivedMid(mid, NAME), timeout_ms };
  const outcome = await setMessage({ name: NAME, text, unread: text !== '' }, { bus: () => bus, view, now }, sending);
  if (outcome.kind !== 'acknowledged')
    throw new MeshError('message_not_kept', `the broker did not keep the message: ${outcome.kind}`, {
      retryable: true,
    });
}
