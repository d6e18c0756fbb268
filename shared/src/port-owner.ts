// Owns the answer to "who holds this port?", where Linux lets us read it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';

function socketInodes(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readOr(table, '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/u);
      if (fields[1]?.endsWith(suffix) && fields[3] === LISTENING && fields[9]) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  return inodes;
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise; // another user's process, or no such table: the question stays open
  }
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false; // gone meanwhile, or not ours to look into
  }
}

/** `node (pid 4711)`, or `undefined` when it can't be read. */
export function portOwner(port: number): string | undefined {
  const inodes = socketInodes(port);
  if (inodes.size === 0) return undefined;
  let pids: readonly string[] = [];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/u.test(name));
  } catch {
    return undefined; // no /proc here
  }
  const pid = pids.find((candidate) => holds(candidate, inodes));
  return pid && `${readOr(`/proc/${pid}/comm`, 'a process').trim()} (pid ${pid})`;
}
