// The long run: `node broker/test/hostile/main.ts [--packets N] [--seed N]`, broken packets and then bad neighbours.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runFuzz } from './fuzz.ts';
import { runNeighbours } from './neighbours.ts';

const { values } = parseArgs({
  options: {
    packets: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const seed = Number(values.seed);
process.stdout.write(`seed ${seed}\n`);
const begin = performance.now();
const report = await runFuzz({ packets: Number(values.packets), seed }, (sent) =>
  process.stdout.write(`${sent} packets\n`),
);
const [before, most] = report.rss_mb.map((mb) => mb.toFixed(0));
process.stdout.write(
  `${report.packets} broken packets over ${report.connections} connections in ${((performance.now() - begin) / 1000).toFixed(0)} s: ` +
    `no crash, longest round trip of a healthy client ${report.round_trip_ms_max.toFixed(0)} ms, RSS ${before} → ${most} MB at most\n`,
);

const QUEUED = 100_000;
const folder = mkdtempSync(join(tmpdir(), 'neighbours-'));
try {
  const { alone, beside, drained } = await runNeighbours({ folder, queued: QUEUED, seconds: 10 });
  process.stdout.write(
    `healthy clients at 200/s, QoS 1: p50 ${alone.p50_ms.toFixed(2)} ms, p99 ${alone.p99_ms.toFixed(2)} ms alone; ` +
      `p50 ${beside.p50_ms.toFixed(2)} ms, p99 ${beside.p99_ms.toFixed(2)} ms beside one that is frozen, one that reads 1 byte/s ` +
      `and one with ${QUEUED} queued messages (${drained} caught up)\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
