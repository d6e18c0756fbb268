// Owns `mesh allow`: which callers of the old addresses were refused, and opening the door to a network.
import { setTimeout } from 'node:timers/promises';
import { parseNetwork } from '@monitor-mesh/shared/auth/networks.ts';
import { TOPICS } from '@monitor-mesh/shared/contract.ts';
import { decodePayload } from '@monitor-mesh/shared/decode.ts';
import { OPEN_APPS } from '@monitor-mesh/shared/http/variables.ts';
import { filterOf } from '@monitor-mesh/shared/topic.ts';
import { connectToBroker } from './broker-door.ts';
import { type Command, type Environment, type Terminal, UsageError } from './cli.ts';
import { accessFile } from './user-command.ts';

const RETAINED_MS = 300;
const DEFAULT_APPS = ['maj', 'messages', 'sse'];

export const allow: Command = async ([network, ...apps], environment, terminal) => {
  if (network === undefined) return show(environment, terminal);
  try {
    parseNetwork(network);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const unknown = apps.find((app) => !(OPEN_APPS as readonly string[]).includes(app));
  if (unknown !== undefined) throw new UsageError(`expected apps among ${OPEN_APPS.join(', ')}, got '${unknown}'`);
  const opened = { network, apps: apps.length > 0 ? [...apps] : DEFAULT_APPS };
  accessFile(environment).update((before) => ({
    ...before,
    networks: [...before.networks.filter((known) => known.network !== network), opened],
  }));
  terminal.out.write(`${network} may now use ${opened.apps.join(', ')} without a password\n`);
  return 0;
};

async function show(environment: Environment, terminal: Terminal): Promise<number> {
  for (const { network, apps } of accessFile(environment).read().networks)
    terminal.out.write(`open\t${network}\t${apps.join(' ')}\n`);
  const client = await connectToBroker(environment);
  try {
    client.on('message', (_topic, payload) => {
      const decoded = decodePayload(TOPICS.refused_callers, payload);
      if (!decoded.ok) return;
      for (const { address, app, count, last_at } of decoded.value.callers)
        terminal.out.write(`refused\t${address}\t${app}\t${count} time(s)\tlast ${last_at}\n`);
    });
    await client.subscribeAsync(filterOf(TOPICS.refused_callers.pattern), { qos: 1 });
    // Retained messages follow the SUBACK with nothing to mark their end.
    await setTimeout(RETAINED_MS);
  } finally {
    await client.endAsync();
  }
  return 0;
}
