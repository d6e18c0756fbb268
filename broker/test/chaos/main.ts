// The long run: `node broker/test/chaos/main.ts [--rounds N] [--seed N] [--store memory]`. Exit code 1 when a promise was broken.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { RULES } from './story.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    store: { type: 'string', default: 'lmdb' },
    keep: { type: 'boolean', default: false },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
const print = (text: string): void => void process.stdout.write(text);
print(`seed ${values.seed}, folder ${folder}\n`);
const begin = performance.now();
const { faults, figures } = await runChaos({
  folder,
  seed: Number(values.seed),
  rounds: Number(values.rounds),
  store: values.store === 'memory' ? 'memory' : 'lmdb',
  drain_ms: 60_000,
  onRound: print,
});
print(`\nafter ${Math.round((performance.now() - begin) / 1000)} s\n`);
for (const [name, value] of Object.entries(figures)) print(`  ${name.padEnd(24)}${String(value).padStart(10)}\n`);
print('\nbroken promises\n');
for (const rule of RULES) print(`  ${rule.padEnd(24)}${String(faults.get(rule)?.count ?? 0).padStart(10)}\n`);
for (const [rule, { examples }] of faults) for (const example of examples) print(`${rule}: ${example}\n`);
if (!values.keep) rmSync(folder, { recursive: true, force: true });
process.exit(faults.size > 0 ? 1 : 0);
