// Owns `mesh tail`: what is published, a line each, until Ctrl-C.
import { parseArgs } from 'node:util';
import { filterFault } from '@monitor-mesh/shared/topic.ts';
import { connectToBroker } from './broker-door.ts';
import { type Command, UsageError } from './cli.ts';

/** Longest payload shown on a line. */
const SHOWN_MAX = 500;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters would move the terminal's cursor
const CONTROL = /[\u0000-\u001f\u007f]/gu;

export const tail: Command = async (words, environment, terminal) => {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { count: { type: 'string', short: 'C' } },
  });
  const filter = positionals[0] ?? '#';
  const fault = filterFault(filter);
  if (fault) throw new UsageError(fault);
  const count = values.count === undefined ? Number.POSITIVE_INFINITY : Number(values.count);
  if (!(count >= 1)) throw new UsageError(`--count: expected a whole number from 1, got '${values.count}'`);
  const client = await connectToBroker(environment);
  let seen = 0;
  const ended = new Promise<number>((resolve) => {
    client.on('message', (topic, payload, packet) => {
      const text = payload.toString('utf8').replace(CONTROL, ' ');
      const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}… (${payload.length} bytes)` : text;
      terminal.out.write(`${new Date().toISOString()} ${packet.retain ? 'kept ' : ''}${topic} ${shown}\n`);
      seen += 1;
      if (seen >= count) resolve(0);
    });
    client.once('close', () => resolve(1));
    process.once('SIGINT', () => resolve(0));
  });
  await client.subscribeAsync(filter, { qos: 1 });
  const code = await ended;
  await client.endAsync(true);
  return code;
};
