// The contract held to its own rules: examples, durability, and who may say what.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Identity, mayPublish, mayRead, maySubscribe, readableFilters } from '../src/access.ts';
import { OWN_ROOTS, type Party, ROLES, SERVICES, TOPIC_LIST, TOPICS, type TopicDefinition } from '../src/contract.ts';
import { decodePayload, encodePayload } from '../src/decode.ts';
import { filterFault, filterOf, topicName } from '../src/topic.ts';

const who = (role: Party): Identity => ({ user: role, role });
/** A topic of the pattern; the `{service}` level is the speaker's own. */
const exampleTopic = ({ pattern }: TopicDefinition, speaker: Party): string =>
  topicName(pattern as string, { id: '317', name: 'message1', meter: '021861234567', service: speaker }).replace(
    '#',
    '5',
  );
/** Peers' topics are free to everybody who is logged in; these are the mesh's own. */
const OWN_TOPICS = TOPIC_LIST.filter(({ foreign }) => foreign === undefined);
const publishable = (role: Party): readonly string[] =>
  OWN_TOPICS.filter((topic) => mayPublish(who(role), exampleTopic(topic, role)).allowed).map(({ pattern }) => pattern);
const readable = (role: Party): readonly string[] =>
  OWN_TOPICS.filter((topic) => mayRead(who(role), exampleTopic(topic, 'alarm'))).map(({ pattern }) => pattern);

/** What asks somebody to act: old ones must die, and none may wait on the broker for the next subscriber. */
const COMMANDS = [
  TOPICS.sms_out,
  TOPICS.alarm_cmd,
  TOPICS.alarm_cmd_verified,
  TOPICS.domoticz_in,
  TOPICS.domoticz_cmd,
  TOPICS.zigbee_cmd,
  TOPICS.db_record,
  TOPICS.notify_out,
];

suite('every topic', () => {
  for (const topic of TOPIC_LIST) {
    const { pattern, schema, example } = topic;
    test(`${pattern}: its example fits its schema and survives the wire`, () => {
      const value = schema.parse(example);
      assert.deepEqual(decodePayload(topic, encodePayload(topic, value)), { ok: true, value });
    });
    test(`${pattern}: its durable consumers are among its readers, and somebody speaks and listens`, () => {
      for (const consumer of topic.durable) assert.ok(topic.to.includes(consumer), consumer);
      assert.ok(topic.from.length > 0 && topic.to.length > 0);
      assert.equal(new Set(topic.from).size, topic.from.length);
      assert.equal(new Set(topic.to).size, topic.to.length);
      assert.ok(topic.durable.length === 0 || topic.qos === 1, 'a durable message is acknowledged');
      assert.equal(filterFault(filterOf(pattern)), undefined);
    });
  }

  test('no pattern is declared twice', () => {
    assert.equal(new Set(TOPIC_LIST.map(({ pattern }) => filterOf(pattern))).size, TOPIC_LIST.length);
  });

  test('no command is retained, and those that a late arrival would turn into a danger have an age limit', () => {
    for (const { pattern, retain } of COMMANDS) assert.equal(retain, false, pattern);
    for (const { pattern, max_age_s } of TOPIC_LIST.filter(({ max_age_s }) => max_age_s !== undefined))
      assert.ok(max_age_s !== undefined && max_age_s <= 86_400, pattern);
    assert.equal(TOPICS.alarm_cmd.max_age_s, 30);
    assert.equal(TOPICS.alarm_cmd_verified.max_age_s, 30);
  });
});

suite('people and devices', () => {
  test('a device reports changes and a last will, and nothing that commands, sends SMS or writes the database', () => {
    assert.deepEqual(publishable('device'), ['monitor/maj', 'monitor/ha', 'monitor/dz', 'monitor/last-will']);
    assert.deepEqual(readable('device'), ['monitor/state/{id}']);
  });

  test('whoever is on this machine may say what a person would type, and none of the services’ own outputs', () => {
    assert.deepEqual(publishable('local'), [
      'monitor/maj',
      'monitor/ha',
      'monitor/dz',
      'monitor/last-will',
      'sms/out',
      'alarm/cmd',
      'domoticz/cmd',
      'zigbee/cmd',
      'db/record',
      'notify/out',
    ]);
  });

  test('no role of people, not even admin, may speak as a service does', () => {
    const outputs = TOPIC_LIST.filter(({ from }) =>
      from.every((party) => (SERVICES as readonly Party[]).includes(party)),
    );
    assert.ok(outputs.length > 10);
    for (const role of ROLES)
      for (const { pattern } of outputs) assert.ok(!publishable(role).includes(pattern), pattern);
  });

  test('domoticz/in is reserved to the bridge and to Domoticz’s own user', () => {
    const speakers = [...SERVICES, ...ROLES].filter((role) => publishable(role).includes('domoticz/in'));
    assert.deepEqual(speakers, ['domoticz-bridge', 'domoticz']);
  });

  test('phone numbers and texts of SMS are shown to the owner only', () => {
    const private_ = [TOPICS.sms_in, TOPICS.sms_status, TOPICS.sms_call, TOPICS.sms_out].map(({ pattern }) => pattern);
    for (const role of ROLES)
      assert.deepEqual(
        readable(role).filter((pattern) => private_.some((one) => one === pattern)),
        role === 'admin' ? ['sms/in', 'sms/status', 'sms/call'] : [],
        role,
      );
  });

  test('an alarm command that was checked elsewhere comes from the two services that check', () => {
    const speakers = [...SERVICES, ...ROLES].filter((role) => publishable(role).includes('alarm/cmd/verified'));
    assert.deepEqual(speakers, ['monitor-api', 'sms-gateway']);
  });
});

suite('verdicts', () => {
  for (const [role, topic, allowed, why] of [
    ['device', 'esp/kitchen/temp', true, 'topics outside the mesh are free'],
    ['device', 'zigbee2mqtt/lamp/set', true, 'topics outside the mesh are free'],
    ['alarm', 'zigbee2mqtt/lamp/set', false, 'a service publishes only topics of the contract'],
    ['admin', 'monitor/majj', false, 'the mesh has no such topic'],
    ['admin', 'monitor', false, 'the mesh has no such topic'],
    ['admin', 'monitor/maj/', false, 'the mesh has no such topic'],
    ['admin', '$SYS/broker/uptime', false, '$ belongs to the broker'],
    ['alarm', 'mesh/alarm/status', true, 'its own status'],
    ['alarm', 'mesh/db-writer/status', false, 'the status of another'],
    ['alarm', 'mesh//status', false, 'the status of nobody'],
    ['domoticz', 'domoticz/out/floor/room/5', true, 'any depth of the tree'],
    ['local', 'domoticz/out', false, 'only Domoticz says what Domoticz did'],
  ] as const)
    test(`${role} ${allowed ? 'may' : 'may not'} publish ${topic}: ${why}`, () => {
      const verdict = mayPublish(who(role), topic);
      assert.equal(verdict.allowed, allowed);
      if (!verdict.allowed)
        assert.ok(verdict.reason.includes(topic.split('/')[1] || topic) || verdict.reason.length > 20);
    });

  for (const [role, filter, allowed] of [
    ['dashboard', '#', true],
    ['dashboard', '+/maj', true],
    ['dashboard', 'monitor/#', true],
    ['dashboard', 'sms/in', false],
    ['device', 'alarm/#', false],
    ['device', 'homeassistant/status', true],
    ['device', '$SYS/#', false],
    ['admin', '$SYS/#', true],
    ['admin', '$share/group/monitor/maj', false],
    ['alarm', 'monitor/maj', true],
    ['alarm', 'monitor/#', false],
    ['alarm', '#', false],
    ['sse-gateway', 'monitor/state/+', true],
    ['sse-gateway', 'monitor/state/317', true],
    ['sse-gateway', 'esp/#', false],
    ['admin', 'a/#/b', false],
    ['admin', '', false],
  ] as const)
    test(`${role} ${allowed ? 'may' : 'may not'} subscribe to '${filter}'`, () =>
      assert.equal(maySubscribe(who(role), filter).allowed, allowed));

  test('what a filter lets through is judged topic by topic: # does not show an SMS to a dashboard', () => {
    assert.equal(mayRead(who('dashboard'), 'monitor/maj'), true);
    assert.equal(mayRead(who('dashboard'), 'sms/in'), false);
    assert.equal(mayRead(who('dashboard'), 'zigbee2mqtt/lamp'), true);
    assert.equal(mayRead(who('db-writer'), 'zigbee2mqtt/lamp'), false);
    assert.equal(mayRead(who('dashboard'), '$SYS/broker/uptime'), false);
  });

  test('every party may subscribe to each filter that it may read', () => {
    for (const party of [...SERVICES, ...ROLES])
      for (const filter of readableFilters(party)) assert.equal(maySubscribe(who(party), filter).allowed, true, filter);
  });

  test('every own root is a plain first level', () => {
    assert.deepEqual([...OWN_ROOTS].sort(), [
      'alarm',
      'db',
      'domoticz',
      'linky',
      'mesh',
      'monitor',
      'notify',
      'sms',
      'zigbee',
    ]);
  });
});
