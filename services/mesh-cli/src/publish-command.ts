// Owns `mesh publish`: one message, acknowledged by the broker before the command ends.
import { parseArgs } from 'node:util';
import { MID_PROPERTY, newMid } from '@monitor-mesh/shared/mid.ts';
import { connectToBroker } from './broker-door.ts';
import { type Command, UsageError } from './cli.ts';

/** The payload as the old mqtt.py wrote it: values are always strings, a blank after colon and comma. */
export function payloadOf(pairs: readonly string[]): string {
  if (pairs.length === 0 || pairs.length % 2 !== 0)
    throw new UsageError(`expected KEY VALUE pairs, got ${pairs.length} word(s)`);
  const fields: string[] = [];
  for (let index = 0; index < pairs.length; index += 2)
    fields.push(`${JSON.stringify(pairs[index])}: ${JSON.stringify(pairs[index + 1])}`);
  return `{${fields.join(', ')}}`;
}

export const publish: Command = async (words, environment, terminal) => {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      message: { type: 'string', short: 'm' },
      qos: { type: 'string', default: '1' },
      retain: { type: 'boolean', default: false },
    },
  });
  const [topic, ...pairs] = positionals;
  if (topic === undefined || topic === '') throw new UsageError('expected a topic');
  if (values.qos !== '0' && values.qos !== '1') throw new UsageError(`--qos: expected 0 or 1, got '${values.qos}'`);
  const payload = values.message ?? payloadOf(pairs);
  const client = await connectToBroker(environment);
  const mid = newMid();
  try {
    await client.publishAsync(topic, payload, {
      qos: values.qos === '0' ? 0 : 1,
      retain: values.retain,
      properties: { userProperties: { [MID_PROPERTY]: mid } },
    });
  } finally {
    await client.endAsync();
  }
  terminal.out.write(`${values.qos === '0' ? 'sent' : 'acknowledged'} ${mid}\n`);
  return 0;
};
