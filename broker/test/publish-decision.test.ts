// Owns the table of what becomes of a publish.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Party } from '@monitor-mesh/shared/contract.ts';
import { decidePublish, type Offered } from '../src/access/publish-decision.ts';
import { TopicRules } from '../src/access/topic-rules.ts';

const NOW = 1_800_000_000_000;
const rules = new TopicRules();
type Some = Partial<Offered> & { topic: string };
const PLAIN = {
  payload: Buffer.from('x'),
  retain: false,
  expiry_s: undefined,
  mid: undefined,
  properties: Buffer.alloc(0),
};
const decide = (role: Party, packet: Some): ReturnType<typeof decidePublish> =>
  decidePublish({ ...PLAIN, ...packet }, rules.of(role, packet.topic), NOW);

const cases: readonly (readonly [string, Party, Some, 'refuse' | 'carry'])[] = [
  ['a person types a change', 'local', { topic: 'monitor/maj' }, 'carry'],
  ['a device changes', 'device', { topic: 'monitor/maj' }, 'carry'],
  ['a device commands', 'device', { topic: 'alarm/cmd' }, 'refuse'],
  ['a retained command', 'local', { topic: 'alarm/cmd', retain: true }, 'refuse'],
  ['a retained command to Domoticz', 'domoticz', { topic: 'domoticz/in', retain: true }, 'refuse'],
  ['a retained change', 'local', { topic: 'monitor/maj', retain: true }, 'carry'],
  ['a topic outside the mesh', 'device', { topic: 'zigbee2mqtt/lamp', retain: true }, 'carry'],
  ['a service outside the contract', 'alarm', { topic: 'zigbee2mqtt/lamp' }, 'refuse'],
  ['an unknown topic of the mesh', 'admin', { topic: 'monitor/unknown' }, 'refuse'],
  ['a service that speaks for another', 'alarm', { topic: 'mesh/db-writer/status' }, 'refuse'],
];

for (const [what, role, packet, kind] of cases)
  test(`${what}: ${kind}`, () => {
    assert.equal(decide(role, packet).kind, kind);
  });

test('retain stays only where the contract or nobody forbids it', () => {
  const retainOf = (role: Party, topic: string): unknown => {
    const decision = decide(role, { topic, retain: true });
    return decision.kind === 'carry' && decision.retain;
  };
  assert.equal(retainOf('sse-gateway', 'monitor/state/1'), true);
  assert.equal(retainOf('device', 'esp/1'), true);
  assert.equal(retainOf('device', 'monitor/maj'), false);
  assert.equal(retainOf('domoticz', 'domoticz/out/1'), false);
});

test('only messages with durable consumers are promised', () => {
  const promised = (role: Party, topic: string): unknown => {
    const decision = decide(role, { topic });
    return decision.kind === 'carry' && decision.promised;
  };
  assert.equal(promised('local', 'monitor/maj'), true);
  assert.equal(promised('linky-collector', 'linky/1/frame'), false);
  assert.equal(promised('device', 'esp/1'), false);
});

test('the smaller age limit holds, and a sender cannot ask for none', () => {
  const limitOf = (expiry_s: number | undefined): unknown => {
    const decision = decide('local', { topic: 'alarm/cmd', expiry_s });
    return decision.kind === 'carry' && decision.expires_at_ms - NOW;
  };
  assert.deepEqual([undefined, 7, 31, 0].map(limitOf), [30_000, 7_000, 30_000, 30_000]);
});
