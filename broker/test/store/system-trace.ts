// Owns reading what strace saw of a broker: what it wrote to its database and to one client, and in which order.
//
// What lmdb does for one commit (liblmdb/mdb.c, and seen with strace): the pages of the transaction go to the file with
// pwrite64 or writev, then fdatasync of the same descriptor, then the meta page of 128 bytes, which makes them count,
// with pwrite64 on a second descriptor that was opened with O_DSYNC: that write returns when it is on the disk. A
// commit is safe when the last of the three has returned; data alone, or data and fdatasync alone, are lost in a cut.

/** One system call. Its places are line numbers of the trace; it ends behind its start when others came between. */
export interface SystemCall {
  readonly name: string;
  /** Everything between the brackets. */
  readonly args: string;
  readonly from: number;
  readonly to: number;
  readonly result: number;
}

/** Lines of `strace -f -tt -yy -xx`: a process, a time, a call or a part of one. */
const LINE = /^(?<pid>\d+) +[\d:.]+ (?<what>.*)$/u;
const UNFINISHED = /^(?<name>\w+)\((?<args>.*) <unfinished \.\.\.>$/u;
const RESUMED = /^<\.\.\. (?<name>\w+) resumed>(?<args>.*)\) += (?<result>-?\d+)/u;
const WHOLE = /^(?<name>\w+)\((?<args>.*)\) += (?<result>-?\d+)/u;

/** What a descriptor stands for. */
const DESCRIPTOR = /<((?:\\x[0-9a-f]{2})+)>/gu;
const STRING = /"((?:\\x[0-9a-f]{2})*)"/gu;
const fromHex = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex');

export function parseTrace(text: string): readonly SystemCall[] {
  const calls: SystemCall[] = [];
  const begun = new Map<string, { readonly args: string; readonly from: number }>();
  for (const [at, line] of text.split('\n').entries()) {
    const { pid = '', what = '' } = LINE.exec(line)?.groups ?? {};
    const unfinished = UNFINISHED.exec(what)?.groups;
    if (unfinished) begun.set(pid, { args: unfinished.args ?? '', from: at });
    const ended = RESUMED.exec(what)?.groups;
    const groups = ended ?? WHOLE.exec(what)?.groups;
    if (unfinished || !groups) continue;
    const start = ended ? begun.get(pid) : undefined;
    if (ended && !start) continue;
    begun.delete(pid);
    const { name = '', args = '', result } = groups;
    const all = `${start?.args ?? ''}${args}`.replaceAll(DESCRIPTOR, (_, hex: string) => `<${fromHex(hex)}>`);
    calls.push({ name, args: all, from: start?.from ?? at, to: at, result: Number(result) });
  }
  return calls.sort((one, other) => one.from - other.from);
}

const bytesOf = ({ args }: SystemCall): Buffer =>
  Buffer.concat(Array.from(args.matchAll(STRING), ([, hex = '']) => fromHex(hex)));

const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'sendto', 'sendmsg']);
const SYNCS = new Set(['fsync', 'fdatasync']);

const descriptorOf = ({ args }: SystemCall): string => /^\d+/u.exec(args)?.[0] ?? '';

export interface Ack {
  readonly packet_id: number;
  /** Line of the write that carried it. */
  readonly at: number;
}

/** PUBACK and PUBREC that were written to the client of a port, in order. */
export function acksTo(calls: readonly SystemCall[], clientPort: number): readonly Ack[] {
  const acks: Ack[] = [];
  const isClient = new RegExp(`^\\d+<TCP[^>]*->[^>]*:${clientPort}\\]>`, 'u');
  for (const call of calls.filter(({ name, args }) => WRITES.has(name) && isClient.test(args))) {
    const bytes = bytesOf(call);
    // CONNACK and every acknowledgement of MQTT 3.1.1 have four bytes, and none was ever cut.
    for (let at = 0; at < bytes.length; at += 4)
      if (bytes[at] === 0x40 || bytes[at] === 0x50) acks.push({ packet_id: bytes.readUInt16BE(at + 2), at: call.from });
  }
  return acks;
}

/** From which line on each message is safe in the database of a name; one that never was is not in it. */
export function safeSince(
  calls: readonly SystemCall[],
  database: string,
  marks: ReadonlyMap<number, string>,
): ReadonlyMap<number, number> {
  const own = calls.filter(({ args }) => args.includes(`/${database}>`));
  const synchronous = new Set<string>();
  for (const call of calls.filter(({ name, args }) => name === 'openat' && args.includes('O_DSYNC')))
    if (bytesOf(call).toString().endsWith(`/${database}`)) synchronous.add(`${call.result}`);
  const succeeded = own.filter(({ result }) => result >= 0);
  const isMeta = (call: SystemCall): boolean => WRITES.has(call.name) && synchronous.has(descriptorOf(call));
  const metas = succeeded.filter(isMeta);
  const syncs = succeeded.filter(({ name }) => SYNCS.has(name));
  const writes = succeeded.filter((call) => WRITES.has(call.name) && !isMeta(call));
  const texts = writes.map((call) => ({ call, text: bytesOf(call).toString('latin1') }));
  const since = new Map<number, number>();
  for (const [id, mark] of marks) {
    const written = texts.find(({ text }) => text.includes(mark))?.call;
    const synced = written && syncs.find(({ from }) => from > written.to);
    const counted = synced && metas.find(({ from }) => from > synced.to);
    if (counted) since.set(id, counted.to);
  }
  return since;
}

/** Packet identifiers that were acknowledged before their message was safe. */
export function acknowledgedTooEarly(acks: readonly Ack[], safe: ReadonlyMap<number, number>): readonly number[] {
  return acks
    .filter(({ packet_id, at }) => at < (safe.get(packet_id) ?? Number.POSITIVE_INFINITY))
    .map((ack) => ack.packet_id);
}
