// Owns a broker's process as a test sees it: its port, its memory, whether it still runs.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface BrokerProcess extends AsyncDisposable {
  readonly port: number;
  rssMb(): number;
  /** How it ended; `undefined` while it runs. */
  readonly end: string | undefined;
}

export async function startBrokerProcess(folder?: string): Promise<BrokerProcess> {
  const script = fileURLToPath(new URL('./broker-process.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=4', script, ...(folder === undefined ? [] : [folder])],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let end: string | undefined;
  const ended = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      end = String(signal ?? code);
      resolve();
    }),
  );
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (text) => resolve(Number(text)));
    child.once('exit', () => reject(new Error('the broker did not start')));
  });
  return {
    port,
    get end() {
      return end;
    },
    rssMb: () => Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
    },
  };
}
