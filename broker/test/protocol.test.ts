// Owns the clauses of MQTT that the broker keeps by its own hand, packet by packet.
import assert from 'node:assert/strict';
import test from 'node:test';
import { startRig } from './rig.ts';
import { openWire, publish, type Seen, subscribe, type Wire } from './wire.ts';

const FOR_AN_HOUR = { sessionExpiryInterval: 3_600 };
const idsOf = (packets: readonly Seen[]): readonly unknown[] => packets.map(({ messageId }) => messageId);
const textsOf = (packets: readonly Seen[]): readonly string[] => packets.map(({ payload }) => String(payload));
const puback = (wire: Wire, { messageId }: Seen): void => wire.send({ cmd: 'puback', messageId, reasonCode: 0 });

test('what was not acknowledged is sent again with its identifier and DUP, before anything newer [MQTT-4.4.0-1, MQTT-3.3.1-1]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const session = { clientId: 'tablet', clean: false, version: 4 } as const;
  const { wire: first } = await openWire(rig, session);
  await subscribe(first, 'bell', 1);
  const { wire: ringer } = await openWire(rig, { clientId: 'ringer', version: 4 });
  for (const text of ['a', 'b', 'c']) ringer.send(publish('bell', text, { qos: 1, messageId: 9 }));
  await ringer.count(3);
  const before = await first.count(3);
  const [, b] = before;
  if (b) puback(first, b);
  first.send({ cmd: 'pingreq' });
  await first.next();
  first.socket.resetAndDestroy();
  ringer.send(publish('bell', 'd', { qos: 1, messageId: 9 }));
  await ringer.next();
  const { wire: again, connack } = await openWire(rig, session);
  assert.equal(connack.sessionPresent, true);
  const after = await again.count(3);
  assert.deepEqual(textsOf(after), ['a', 'c', 'd']);
  assert.deepEqual(
    after.slice(0, 2).map(({ dup }) => dup),
    [true, true],
  );
  assert.deepEqual(idsOf(after).slice(0, 2), [before[0]?.messageId, before[2]?.messageId]);
});

test('QoS 2 is taken once however often it is sent, and its identifier is free after PUBCOMP [MQTT-4.3.3-10]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire: watcher } = await openWire(rig, { clientId: 'watcher' });
  await subscribe(watcher, 'bell', 2);
  const { wire } = await openWire(rig, { clientId: 'ringer', version: 4, clean: false });
  for (const dup of [false, true, true]) wire.send(publish('bell', 'once', { qos: 2, messageId: 7, dup }));
  assert.deepEqual(
    (await wire.count(3)).map(({ cmd }) => cmd),
    ['pubrec', 'pubrec', 'pubrec'],
  );
  wire.send({ cmd: 'pubrel', messageId: 7 });
  assert.equal((await wire.next()).cmd, 'pubcomp');
  wire.send(publish('bell', 'twice', { qos: 2, messageId: 7 }));
  await wire.next();
  const seen = await watcher.count(2);
  assert.deepEqual(textsOf(seen), ['once', 'twice']);
});

test('a session that received a QoS 2 message is only told to release it, also over a reconnection [MQTT-4.4.0-1]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const session = { clientId: 'tablet', clean: false, version: 4 } as const;
  const { wire: first } = await openWire(rig, session);
  await subscribe(first, 'bell', 2);
  const { wire: ringer } = await openWire(rig, { clientId: 'ringer' });
  ringer.send(publish('bell', 'x', { qos: 2, messageId: 1 }));
  const { messageId } = await first.next();
  first.send({ cmd: 'pubrec', messageId });
  assert.equal((await first.next()).cmd, 'pubrel');
  first.socket.resetAndDestroy();
  const { wire: again } = await openWire(rig, session);
  const released = await again.next();
  assert.deepEqual([released.cmd, released.messageId], ['pubrel', messageId]);
  again.send({ cmd: 'pubcomp', messageId });
  again.send({ cmd: 'pingreq' });
  assert.equal((await again.next()).cmd, 'pingresp');
  assert.equal(rig.broker.waiting, 0);
});

test('acknowledgements come in the order of what they answer, QoS 1 and 2 mixed [MQTT-4.6.0-2, MQTT-4.6.0-3]', async (t) => {
  const rig = await startRig(t);
  const { wire } = await openWire(rig, { clientId: 'mixed', version: 4 });
  const sent = Array.from({ length: 200 }, (_, index) => ({ messageId: index + 1, qos: index % 3 === 0 ? 2 : 1 }));
  for (const { messageId, qos } of sent)
    wire.send(publish(messageId % 2 === 0 ? 'monitor/maj' : 'bell', '{"id":"1","state":"On"}', { qos, messageId }));
  assert.deepEqual(idsOf(await wire.count(200)), idsOf(sent as unknown as Seen[]));
});

test('no more is sent than the client takes at once [MQTT-3.3.4-9]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire } = await openWire(rig, { clientId: 'slow', properties: { receiveMaximum: 2 } });
  await subscribe(wire, 'bell', 1);
  const { wire: ringer } = await openWire(rig, { clientId: 'ringer' });
  for (let index = 0; index < 5; index++) ringer.send(publish('bell', String(index), { qos: 1, messageId: index + 1 }));
  await ringer.count(5);
  const [first, second] = await wire.count(2);
  wire.send({ cmd: 'pingreq' });
  assert.equal((await wire.next()).cmd, 'pingresp', 'the third waits');
  if (first) puback(wire, first);
  assert.equal(String((await wire.next()).payload), '2');
  if (second) puback(wire, second);
  assert.equal(String((await wire.next()).payload), '3');
});

test('more open QoS 2 publishes than the broker takes end the connection with 0x93 [MQTT-3.3.4-7]', async (t) => {
  const rig = await startRig(t, { consumers: [], limits: { receive_maximum: 3 } });
  const { wire, connack } = await openWire(rig, { clientId: 'greedy' });
  assert.equal((connack.properties as { receiveMaximum?: number }).receiveMaximum, 3);
  for (let messageId = 1; messageId <= 4; messageId++) wire.send(publish('bell', 'x', { qos: 2, messageId }));
  const answers = await wire.count(4);
  assert.deepEqual(
    answers.map(({ cmd }) => cmd),
    ['pubrec', 'pubrec', 'pubrec', 'disconnect'],
  );
  assert.equal(answers[3]?.reasonCode, 0x93);
});

test('a message larger than the client takes is not sent, and is done with [MQTT-3.1.2-24, MQTT-3.1.2-25]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire } = await openWire(rig, { clientId: 'small', properties: { ...FOR_AN_HOUR, maximumPacketSize: 100 } });
  await subscribe(wire, 'bell', 1);
  const { wire: ringer } = await openWire(rig, { clientId: 'ringer' });
  for (const [index, text] of ['x'.repeat(200), 'small'].entries())
    ringer.send(publish('bell', text, { qos: 1, messageId: index + 1 }));
  assert.equal(String((await wire.next()).payload), 'small');
  assert.equal(rig.broker.waiting, 1);
});

test('overlapping subscriptions bring one copy with the highest QoS and every identifier [MQTT-3.3.4-2, MQTT-3.3.4-3]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire } = await openWire(rig, { clientId: 'both' });
  await subscribe(wire, 'house/#', 0, { properties: { subscriptionIdentifier: 11 } });
  await subscribe(wire, 'house/+', 1, { properties: { subscriptionIdentifier: 70_000 } });
  const { wire: ringer } = await openWire(rig, { clientId: 'ringer' });
  ringer.send(publish('house/bell', 'x', { qos: 2, messageId: 1 }));
  const seen = await wire.next();
  assert.equal(seen.qos, 1);
  assert.deepEqual(
    [...((seen.properties as { subscriptionIdentifier: number[] }).subscriptionIdentifier ?? [])].sort(),
    [11, 70_000],
  );
});

test('retain stays on a message where the subscription asks for it, and a client can shut its own out [MQTT-3.3.1-12, MQTT-3.8.3-3]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire: keeps } = await openWire(rig, { clientId: 'keeps' });
  const { wire: plain } = await openWire(rig, { clientId: 'plain' });
  await subscribe(keeps, 'bell', 1, { rap: true });
  await subscribe(plain, 'bell', 1, { nl: true });
  keeps.send(publish('bell', 'x', { qos: 1, retain: true, messageId: 1 }));
  const [one, two] = await keeps.count(2);
  assert.deepEqual([one?.cmd, two?.cmd].sort(), ['puback', 'publish']);
  assert.equal([one, two].find((packet) => packet?.cmd === 'publish')?.retain, true);
  assert.equal((await plain.next()).retain, false);
  plain.send(publish('bell', 'own', { qos: 1, messageId: 1 }));
  assert.equal((await plain.next()).cmd, 'puback');
  plain.send({ cmd: 'pingreq' });
  assert.equal((await plain.next()).cmd, 'pingresp');
});

test('aliases stand for topics both ways, and an unknown one ends the connection with 0x94 [MQTT-3.3.2-8, MQTT-3.3.2-10]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire, connack } = await openWire(rig, { clientId: 'alias', properties: { topicAliasMaximum: 1 } });
  assert.ok(((connack.properties as { topicAliasMaximum: number }).topicAliasMaximum ?? 0) > 0);
  await subscribe(wire, 'bell/#', 0);
  const send = (topic: string, topicAlias?: number): void =>
    wire.send(publish(topic, 'x', topicAlias === undefined ? {} : { properties: { topicAlias } }));
  send('bell/long', 5);
  send('', 5);
  send('bell/other');
  const seen = await wire.count(3);
  assert.deepEqual(
    seen.map(({ topic, properties }) => [topic, (properties as { topicAlias?: number } | undefined)?.topicAlias]),
    [
      ['bell/long', 1],
      ['', 1],
      ['bell/other', undefined],
    ],
  );
  send('', 6);
  const goodbye = await wire.next();
  assert.deepEqual([goodbye.cmd, goodbye.reasonCode], ['disconnect', 0x94]);
});

test('the life of a message that waited is told as what is left of it [MQTT-3.3.2-6]', async (t) => {
  let now = Date.now();
  const rig = await startRig(t, { consumers: [], now: () => now });
  const session = { clientId: 'tablet', clean: false, properties: FOR_AN_HOUR };
  const { wire: first } = await openWire(rig, session);
  await subscribe(first, 'bell', 1);
  first.send({ cmd: 'disconnect', reasonCode: 0 });
  await first.end();
  const { wire: ringer } = await openWire(rig, { clientId: 'ringer' });
  for (const [index, messageExpiryInterval] of [100, 10].entries())
    ringer.send(
      publish('bell', String(index), { qos: 1, messageId: index + 1, properties: { messageExpiryInterval } }),
    );
  await ringer.count(2);
  now += 40_000;
  const { wire: again } = await openWire(rig, session);
  const seen = await again.next();
  assert.equal((seen.properties as { messageExpiryInterval: number }).messageExpiryInterval, 60);
  again.send({ cmd: 'pingreq' });
  assert.equal((await again.next()).cmd, 'pingresp', 'the other one is over');
});

test('a session that subscribed to nothing is present all the same [MQTT-3.2.2-2]', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const session = { clientId: 'tablet', clean: false, properties: FOR_AN_HOUR };
  assert.equal((await openWire(rig, session)).connack.sessionPresent, false);
  assert.equal((await openWire(rig, session)).connack.sessionPresent, true);
  assert.equal((await openWire(rig, { ...session, clean: true })).connack.sessionPresent, false);
});

test('a client of MQTT 5 that asks for a longer silence is told ours; an older one keeps its own', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const told = async (version: 4 | 5, keepalive: number): Promise<unknown> =>
    (
      (await openWire(rig, { clientId: `k${keepalive}`, version, keepalive })).connack.properties as
        | Record<string, unknown>
        | undefined
    )?.serverKeepAlive;
  assert.deepEqual(
    [await told(5, 120), await told(5, 0), await told(5, 30), await told(4, 120)],
    [60, 60, undefined, undefined],
  );
});

/** First byte, body, and what MQTT 5 adds to it; `undefined` where older versions have no such thing. */
const MALFORMED: readonly (readonly [string, number, readonly number[] | undefined, readonly number[], number])[] = [
  ['QoS 3 [MQTT-3.3.1-4]', 0x36, [0, 1, 97, 0, 1], [0], 0x81],
  ['DUP with QoS 0 [MQTT-3.3.1-2]', 0x38, [0, 1, 97], [0], 0x81],
  ['a packet identifier of 0 [MQTT-2.2.1-3]', 0x32, [0, 1, 97, 0, 0], [0], 0x82],
  ['a wildcard in a topic [MQTT-3.3.2-2]', 0x30, [0, 1, 35], [0], 0x90],
  ['a subscription identifier from a client [MQTT-3.3.4-6]', 0x30, undefined, [0, 1, 97, 2, 0x0b, 1], 0x82],
  ['properties longer than the packet', 0x30, undefined, [0, 1, 97, 9, 1], 0x81],
  ['PUBREL with the wrong flags [MQTT-3.6.1-1]', 0x60, [0, 1], [], 0x81],
];
for (const [what, first, body, more, reason] of MALFORMED)
  test(`${what} ends the connection with 0x${reason.toString(16)}, or just ends it before MQTT 5`, async (t) => {
    const rig = await startRig(t, { consumers: [] });
    const { wire } = await openWire(rig, { clientId: 'young' });
    const young = [...(body ?? []), ...more];
    wire.raw([first, young.length, ...young]);
    const goodbye = await wire.next();
    assert.deepEqual([goodbye.cmd, goodbye.reasonCode], ['disconnect', reason]);
    await wire.end();
    if (body === undefined) return;
    const { wire: old } = await openWire(rig, { clientId: 'old', version: 4 });
    old.raw([first, body.length, ...body]);
    await old.end();
  });

test('a topic of more levels than the matcher takes is refused, and the connection lives on', async (t) => {
  const rig = await startRig(t, { consumers: [] });
  const { wire } = await openWire(rig, { clientId: 'deep' });
  wire.send(publish('a/'.repeat(200), 'x', { qos: 1, messageId: 1, retain: true }));
  const answer = await wire.next();
  assert.deepEqual([answer.cmd, answer.reasonCode], ['puback', 0x87]);
});

test('one client keeps to its number of subscriptions', async (t) => {
  const rig = await startRig(t, { consumers: [], limits: { subscriptions_max: 2 } });
  const { wire } = await openWire(rig, { clientId: 'many' });
  const subscriptions = ['a', 'b', 'c', 'a'].map((topic) => ({ topic, qos: 0 }));
  for (const subscription of subscriptions)
    wire.send({ cmd: 'subscribe', messageId: 1, subscriptions: [subscription] });
  assert.deepEqual(
    (await wire.count(4)).map(({ granted }) => (granted as number[])[0]),
    [0, 0, 0x87, 0],
  );
});

test('an address that opens connections in a loop is slowed down', async (t) => {
  let now = 0;
  const limits = { connections_max: 10, connects_per_second_max: 1 };
  const rig = await startRig(t, { consumers: [], now: () => now, limits });
  for (let index = 0; index < 1_010; index++) (await rig.socket()).destroy();
  await assert.rejects(openWire(rig, { clientId: 'late' }), /end of the connection/u);
  now += 2_000;
  await openWire(rig, { clientId: 'later' });
});
