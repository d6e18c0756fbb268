// Owns one run of chaos: publishers and subscribers under load, kills between the steps of the protocol, and the reckoning.
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { seeded } from '../hostile/mutation.ts';
import { DATABASE_TOPIC, type History, violationsOf } from './history.ts';
import { openHouse } from './house.ts';
import { Publisher, type Step } from './publisher.ts';
import { Subscriber } from './subscriber.ts';

export interface ChaosOptions {
  readonly folder: string;
  readonly seed: number;
  readonly publishers: number;
  /** Messages of each publisher. */
  readonly count: number;
  readonly broker_kills: number;
  readonly writer_kills: number;
  readonly durable: boolean;
  /** How long everything may take to arrive after the last kill. */
  readonly drain_ms: number;
}

export interface ChaosReport {
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

const STEPS: readonly Step[] = [
  'publish written',
  'pubrec received',
  'pubrel written',
  'pubcomp received',
  'puback received',
];
const WINDOW = 500;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const random = seeded(options.seed);
  await using house = await openHouse(options.folder, options.durable);
  const { port } = house;
  const subscribers = [
    new Subscriber({ port, name: 'twice', filters: ['chaos/#'], qos: 2, random }),
    new Subscriber({ port, name: 'once', filters: ['chaos/#', 'chaos/+', 'chaos/+/kept'], qos: 1, random }),
  ];
  const ready = Promise.all(subscribers.map((subscriber) => subscriber.subscribed()));
  for (const subscriber of subscribers) subscriber.start();
  await ready;

  let killing: Promise<void> | undefined;
  let countdown = 0;
  let awaited: Step = 'publish written';
  const plan = (): void => {
    awaited = STEPS[Math.floor(random() * STEPS.length)] ?? 'publish written';
    countdown = 50 + Math.floor(random() * ((options.count * options.publishers) / (options.broker_kills * 8)));
  };
  const onStep = (step: Step): void => {
    if (step !== awaited || killing || house.broker.kills >= options.broker_kills || --countdown > 0) return;
    const writerToo = house.writer.kills < options.writer_kills;
    killing = (async () => {
      await Promise.all([house.broker.kill(), ...(writerToo ? [house.writer.kill()] : [])]);
      plan();
      killing = undefined;
    })();
  };
  plan();
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    let left = options.publishers;
    finish = () => {
      left -= 1;
      if (left === 0) resolve();
    };
  });
  const publishers = Array.from(
    { length: options.publishers },
    (_, index) =>
      new Publisher({ port, name: `p${index}`, count: options.count, window: WINDOW, onStep, onDone: () => finish() }),
  );
  try {
    for (const publisher of publishers) publisher.start();
    await Promise.race([done, pause(options.drain_ms * 4, undefined, { ref: false })]);
    await killing;
    const historyNow = (): History => historyOf(publishers, subscribers, house.rows(), new Map());
    for (const end = Date.now() + options.drain_ms; Date.now() < end; await pause(100)) {
      if (violationsOf({ ...historyNow(), retained_allowed: new Map() }).length === 0) break;
    }
    const history = historyOf(publishers, subscribers, house.rows(), await retainedAt(port));
    return { violations: violationsOf(history), figures: figuresOf(history, publishers, subscribers, house) };
  } finally {
    for (const client of [...publishers, ...subscribers]) client.end();
  }
}

/** What somebody who has just come is told. */
async function retainedAt(port: number): Promise<ReadonlyMap<string, string>> {
  const late = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
  const retained = new Map<string, string>();
  late.on('message', (topic, payload, { retain }) => {
    if (retain) retained.set(topic, String(payload));
  });
  await late.subscribeAsync(['chaos/+/kept', 'end'], { qos: 1 });
  const end = new Promise<void>((resolve) => late.on('message', (topic) => topic === 'end' && resolve()));
  await late.publishAsync('end', 'x', { qos: 1 });
  await end;
  await late.endAsync();
  return retained;
}

function historyOf(
  publishers: readonly Publisher[],
  subscribers: readonly Subscriber[],
  rows: ReadonlyMap<string, number>,
  retained: ReadonlyMap<string, string>,
): History {
  const sent = new Map(publishers.map((publisher, index) => [`p${index}`, publisher.sent] as const));
  const acknowledged = new Set(publishers.flatMap((publisher) => [...publisher.acknowledged]));
  const allowed = new Map<string, Set<string>>();
  for (const { topic, mid, n } of [...sent.values()].flat()) {
    if (!topic.endsWith('/kept')) continue;
    if (acknowledged.has(mid) || !allowed.has(topic)) allowed.set(topic, new Set());
    allowed.get(topic)?.add(String(n));
  }
  return {
    sent,
    acknowledged,
    rows,
    retained,
    seen: new Map([
      ['twice', subscribers[0]?.seen ?? []],
      ['once', subscribers[1]?.seen ?? []],
    ]),
    exactly_once: new Set(['twice']),
    retained_allowed: allowed,
    acks_out_of_order: publishers.reduce((sum, { outOfOrder }) => sum + outOfOrder, 0),
  };
}

function figuresOf(
  history: History,
  publishers: readonly Publisher[],
  subscribers: readonly Subscriber[],
  house: { readonly broker: { readonly kills: number }; readonly writer: { readonly kills: number } },
): Readonly<Record<string, number>> {
  const all = [...history.sent.values()].flat();
  return {
    published: all.length,
    acknowledged: history.acknowledged.size,
    sent_again: publishers.reduce((sum, { resent }) => sum + resent, 0),
    delivered: subscribers.reduce((sum, { seen }) => sum + seen.length, 0),
    repeated_at_qos_2: subscribers.reduce((sum, { repeated }) => sum + repeated, 0),
    for_the_database: all.filter(({ topic }) => topic === DATABASE_TOPIC).length,
    rows: [...history.rows.values()].reduce((sum, count) => sum + count, 0),
    broker_kills: house.broker.kills,
    writer_kills: house.writer.kills,
  };
}
