// Owns the proof that each rule of the checker complains when it is broken, and only then.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AckOrder } from './ack-order.ts';
import { Checker } from './checker.ts';
import { DATABASE, DATABASE_TOPIC, type Delivered, type Qos, type Rule, type Sent } from './story.ts';

const TOPIC = 'chaos/p/a';
const KEPT = 'keep/p/one';

function message(seq: number, qos: Qos, topic = TOPIC): Sent {
  return { publisher: 'p', seq, topic, qos, retain: topic === KEPT, mid: `p.${seq}` };
}
const delivery = (seq: number, more: Partial<Delivered> = {}): Delivered => ({
  ...{ publisher: 'p', seq, topic: TOPIC, retain: false, dup: false, mid: `p.${seq}` },
  ...more,
});

/** Two QoS 1 messages, two of QoS 2, one row: all sent and acknowledged, nothing delivered. */
function sentHistory(): Checker {
  const checker = new Checker();
  checker.addSession('one', [{ filter: 'chaos/#', qos: 1 }]);
  checker.addSession('two', [
    { filter: 'chaos/#', qos: 2 },
    { filter: 'chaos/+/a', qos: 0 },
  ]);
  checker.addSession(DATABASE, [{ filter: DATABASE_TOPIC, qos: 1 }]);
  for (const seq of [0, 1]) checker.onSent(message(seq, 1));
  for (const seq of [2, 3]) checker.onSent(message(seq, 2));
  checker.onSent(message(4, 1, DATABASE_TOPIC));
  checker.onSent(message(5, 1, KEPT));
  for (const seq of [0, 1, 2, 3, 4, 5]) checker.onAcked('p', seq);
  checker.onRetainedSafe(KEPT, 5);
  return checker;
}

const ROW = { mid: 'p.4', device_id: 'p', state: '4' };

interface Course {
  readonly one?: readonly Delivered[];
  readonly two?: readonly Delivered[];
  readonly rows?: readonly (typeof ROW)[];
  readonly kept?: number;
  meanwhile?(checker: Checker): void;
}

const ALL = [0, 1, 2, 3].map((seq) => delivery(seq));

function rulesBroken({ one = ALL, two = ALL, rows = [ROW], kept = 5, meanwhile }: Course): readonly Rule[] {
  const checker = sentHistory();
  for (const delivered of one) checker.onDelivered('one', delivered);
  for (const delivered of two) checker.onDelivered('two', delivered);
  checker.onRows(rows);
  checker.onRetained(checker.retainedFloor(), new Map([[KEPT, kept]]), true);
  meanwhile?.(checker);
  return [...checker.finish().keys()];
}

test('a history in which every promise is kept breaks no rule', () => {
  assert.deepEqual(rulesBroken({}), []);
});

test('what a good broker may do breaks no rule: repeat QoS 1 with DUP, and show retained messages again', () => {
  const repeated = [...ALL, delivery(0, { dup: true }), delivery(3, { retain: true })];
  assert.deepEqual(rulesBroken({ one: repeated, two: [...ALL, delivery(3, { retain: true })] }), []);
});

test('a repetition that the publisher caused breaks no rule', () => {
  const checker = sentHistory();
  checker.onResent('p', 0);
  for (const delivered of [...ALL, delivery(0)]) checker.onDelivered('one', delivered);
  for (const delivered of ALL) checker.onDelivered('two', delivered);
  checker.onRows([ROW]);
  assert.deepEqual([...checker.finish().keys()], []);
});

const without = (seq: number): readonly Delivered[] => ALL.filter((delivered) => delivered.seq !== seq);

const BROKEN: readonly (readonly [what: string, rule: Rule, course: Course])[] = [
  ['an acknowledged QoS 1 message that a stored session never gets', 'lost', { one: without(1) }],
  ['an acknowledged QoS 2 message that a stored session never gets', 'lost', { two: without(2) }],
  ['an acknowledged message without a row', 'lost', { rows: [] }],
  ['one mid in two rows', 'double row', { rows: [ROW, ROW] }],
  ['QoS 2 twice, DUP or not', 'twice at QoS 2', { two: [...ALL, delivery(2, { dup: true })] }],
  ['QoS 1 again without DUP and without a resend', 'repeated without cause', { one: [...ALL, delivery(0)] }],
  ['a first arrival behind a later message', 'order', { one: [1, 0, 2, 3].map((seq) => delivery(seq)) }],
  ['a retained value that is older than the acknowledged one', 'retained', { kept: 3 }],
  ['a message on a topic that is not its own', 'altered', { one: [...ALL, delivery(0, { topic: 'chaos/p/b' })] }],
  ['a mid that is not its own', 'altered', { one: [...ALL, delivery(0, { mid: 'p.9' })] }],
  [
    'a message that never has an answer',
    'not acknowledged',
    { meanwhile: (checker) => checker.onSent(message(6, 1, 'elsewhere')) },
  ],
];

for (const [what, rule, course] of BROKEN)
  test(`${what} is reported as '${rule}' and as nothing else`, () => {
    assert.deepEqual(rulesBroken(course), [rule]);
  });

test('a session is promised nothing that was published before its subscription', () => {
  const checker = sentHistory();
  checker.addSession('late', [{ filter: '#', qos: 2 }]);
  for (const name of ['one', 'two']) for (const delivered of ALL) checker.onDelivered(name, delivered);
  checker.onRows([ROW]);
  assert.deepEqual([...checker.finish().keys()], []);
});

test('two rows of a 3.1.1 publisher, whose messages have no mid of their own, are double rows unless it sent twice', () => {
  const rowsBroken = (resends: number): readonly Rule[] => {
    const checker = new Checker();
    checker.addSession(DATABASE, [{ filter: DATABASE_TOPIC, qos: 1 }]);
    checker.onSent({ ...message(0, 1, DATABASE_TOPIC), mid: undefined });
    checker.onAcked('p', 0);
    for (let count = 0; count < resends; count++) checker.onResent('p', 0);
    checker.onRows(['first', 'second'].map((mid) => ({ mid, device_id: 'p', state: '0' })));
    return [...checker.finish().keys()];
  };
  assert.deepEqual(rowsBroken(0), ['double row']);
  assert.deepEqual(rowsBroken(1), []);
});

test('answers in the order of what was sent are in order; one that comes too soon is told, with whose turn it was', () => {
  const acks = new AckOrder();
  acks.owe('puback', 1);
  acks.owe('pubrec', 2);
  acks.owe('puback', 3);
  assert.equal(acks.judge('puback', 3), 'puback 1');
  assert.equal(acks.judge('puback', 1), undefined);
  assert.equal(acks.judge('pubrec', 2), undefined);
  assert.equal(acks.judge('puback', 3), 'nothing');
});
