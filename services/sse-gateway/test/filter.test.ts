// What a viewer asks to see, as a query says it.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isWanted, parseWish, type Wish } from '../src/filter.ts';

const wish = (query: Record<string, unknown>): Wish => {
  const parsed = parseWish(query);
  assert.ok(!('fault' in parsed));
  return parsed;
};
const faultOf = (query: Record<string, unknown>): string => {
  const parsed = parseWish(query);
  return 'fault' in parsed ? parsed.fault : '';
};

suite('a wish', () => {
  for (const [query, ids, filters] of [
    [{}, [], []],
    [{ id: '317' }, ['317'], []],
    [{ id: ' 1, 2 ,,3', topic: 'monitor/#' }, ['1', '2', '3'], ['monitor/#']],
    [{ id: ['1', '2,3'], topic: ['alarm/+', 'sms/in'] }, ['1', '2', '3'], ['alarm/+', 'sms/in']],
    [{ id: '', topic: ' ' }, [], []],
    [{ id: { a: '1' }, topic: 7 }, [], []],
  ] as const)
    test(`${JSON.stringify(query)} is read as written`, () => {
      const { ids: gotIds, filters: gotFilters } = wish(query);
      assert.deepEqual([[...gotIds], gotFilters], [ids, filters]);
    });

  test('a malformed filter and a wish without end are refused with the reason', () => {
    assert.equal(
      faultOf({ topic: 'monitor/#/x' }),
      "topic: expected '#' only as the whole last level, got 'monitor/#/x'",
    );
    assert.equal(faultOf({ id: Array.from({ length: 501 }, String) }), 'expected at most 500 filters, got 501');
  });
});

suite('what is wanted', () => {
  for (const [role, query, topic, device, expected] of [
    ['dashboard', {}, 'monitor/maj', '317', true],
    ['dashboard', {}, 'alarm/state', undefined, true],
    ['dashboard', {}, 'sms/in', undefined, false],
    ['admin', {}, 'sms/in', undefined, true],
    ['dashboard', { topic: 'sms/#' }, 'sms/in', undefined, false],
    ['device', {}, 'monitor/maj', '317', false],
    ['dashboard', { id: '317' }, 'monitor/maj', '317', true],
    ['dashboard', { id: '317' }, 'monitor/maj', '31', false],
    ['dashboard', { id: '317' }, 'alarm/state', undefined, false],
    ['dashboard', { topic: 'monitor/+' }, 'monitor/maj', '317', true],
    ['dashboard', { topic: 'alarm/#' }, 'monitor/maj', '317', false],
    ['dashboard', { id: '317', topic: 'monitor/ha' }, 'monitor/maj', '317', false],
  ] as const)
    test(`${role} with ${JSON.stringify(query)} ${expected ? 'sees' : 'does not see'} ${topic}${device ? ` of ${device}` : ''}`, () =>
      assert.equal(isWanted(role, wish(query), topic, device), expected));
});
