// The long run: `node broker/test/chaos/main.ts [--rounds N] [--seed N]`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './run.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const first = Number(values.seed);
for (let round = 0; round < Number(values.rounds); round++) {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  const seed = first + round;
  try {
    const { violations, figures } = await runChaos({
      folder,
      seed,
      publishers: 4,
      count: 10_000,
      broker_kills: 10,
      writer_kills: 5,
      durable: true,
      drain_ms: 60_000,
    });
    const shown = Object.entries(figures).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`);
    process.stdout.write(`seed ${seed}: ${shown.join(', ')}; ${violations.length} violation(s)\n`);
    for (const violation of violations.slice(0, 20)) process.stdout.write(`  ${violation}\n`);
    if (violations.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
