// Owns the proof, seen from outside the process, that no answer leaves before its message would survive a power cut.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { acknowledgedTooEarly, acksTo, parseTrace, safeSince } from './system-trace.ts';
import { BareClient, hasStrace, startTraced } from './traced-broker.ts';

const DATABASE = 'broker.lmdb';
const ALONE = 20;
const WINDOW = 50;
const WINDOWS = 4;

interface Findings {
  readonly acks: number;
  readonly early: readonly number[];
}

/** Publishes one at a time and in windows, QoS 1 and 2, and compares the answers with what reached the disk. */
async function publishTraced(t: TestContext, durability: 'fsync' | 'memory'): Promise<Findings> {
  const broker = await startTraced(t, durability);
  const client = await BareClient.connect(t, broker.port);
  for (const qos of [1, 2] as const) {
    for (let sent = 0; sent < ALONE; sent++) await client.publish(1, qos);
    for (let sent = 0; sent < WINDOWS; sent++) await client.publish(WINDOW, qos);
  }
  const { port, marks } = client;
  client.end();
  const calls = parseTrace(await broker.stop());
  const acks = acksTo(calls, port);
  const safe = safeSince(calls, DATABASE, marks);
  const syncs = calls.filter(({ name }) => name === 'fdatasync' || name === 'fsync').length;
  t.diagnostic(`${calls.length} system calls, ${syncs} syncs, ${acks.length} answers, ${safe.size} messages safe`);
  assert.deepEqual(
    acks.map(({ packet_id }) => packet_id).sort((one, other) => one - other),
    [...marks.keys()],
  );
  return { acks: acks.length, early: acknowledgedTooEarly(acks, safe) };
}

const MISSING = !hasStrace() && 'strace is not installed (apt-get install strace)';

test('no PUBACK and no PUBREC leaves before its message is on the disk', { skip: MISSING }, async (t) => {
  const { acks, early } = await publishTraced(t, 'fsync');
  assert.equal(acks, 2 * (ALONE + WINDOWS * WINDOW));
  assert.deepEqual(early, []);
});

test('a broker that keeps nothing on the disk is found out', { skip: MISSING }, async (t) => {
  const { acks, early } = await publishTraced(t, 'memory');
  assert.equal(acks, 2 * (ALONE + WINDOWS * WINDOW));
  assert.equal(early.length, acks);
});

const hex = (bytes: Buffer | string): string => `"${Buffer.from(bytes).toString('hex').replaceAll(/../gu, '\\x$&')}"`;
const FILE = '/data/broker.lmdb';
const OPEN = [
  `7 10:00:00.000001 openat(AT_FDCWD</>, ${hex(FILE)}, O_RDWR|O_CREAT, 0664) = 22<${FILE}>`,
  `7 10:00:00.000002 openat(AT_FDCWD</>, ${hex(FILE)}, O_WRONLY|O_DSYNC|O_CLOEXEC) = 23<${FILE}>`,
];
const DATA = `8 10:00:00.000003 pwrite64(22<${FILE}>, ${hex('…mark-1…')}, 9, 8192) = 9`;
const SYNC = `8 10:00:00.000004 fdatasync(22<${FILE}>) = 0`;
const META = `8 10:00:00.000005 pwrite64(23<${FILE}>, ${hex('meta')}, 4, 40) = 4`;
const ACK = `7 10:00:00.000006 write(30<TCP:[127.0.0.1:1883->127.0.0.1:4000]>, ${hex(Buffer.from([0x40, 2, 0, 1]))}, 4) = 4`;

function earlyIn(...lines: readonly string[]): readonly number[] {
  const calls = parseTrace([...OPEN, ...lines].join('\n'));
  const acks = acksTo(calls, 4000);
  assert.equal(acks.length, 1);
  return acknowledgedTooEarly(acks, safeSince(calls, DATABASE, new Map([[1, 'mark-1']])));
}

test('an answer behind data, sync and meta page is in order, and before any of them is too early', () => {
  assert.deepEqual(earlyIn(DATA, SYNC, META, ACK), []);
  assert.deepEqual(earlyIn(DATA, SYNC, ACK, META), [1]);
  assert.deepEqual(earlyIn(DATA, ACK, SYNC, META), [1]);
  assert.deepEqual(earlyIn(ACK, DATA, SYNC, META), [1]);
  assert.deepEqual(earlyIn(SYNC, DATA, META, ACK), [1]);
  assert.deepEqual(earlyIn(DATA, META, SYNC, ACK), [1]);
  assert.deepEqual(earlyIn(SYNC, META, ACK), [1]);
  assert.deepEqual(earlyIn(DATA, SYNC.replace('= 0', '= -1 EIO (Input/output error)'), META, ACK), [1]);
});

test('a sync that has only begun makes nothing safe, nor one that began before the data was written', () => {
  const begins = `8 10:00:00.000004 fdatasync(22<${FILE}> <unfinished ...>`;
  const ends = '8 10:00:00.000009 <... fdatasync resumed>) = 0';
  assert.deepEqual(earlyIn(DATA, begins, ends, META, ACK), []);
  assert.deepEqual(earlyIn(DATA, begins, ACK, ends, META), [1]);
  assert.deepEqual(earlyIn(begins, DATA.replace(/^8/u, '9'), ends, META, ACK), [1]);
  const metaBegins = META.replace(/\) = 4$/u, ' <unfinished ...>');
  assert.deepEqual(earlyIn(DATA, SYNC, metaBegins, ACK, '8 10:00:00.000009 <... pwrite64 resumed>) = 4'), [1]);
});
