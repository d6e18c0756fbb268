// The grammar of topics, held against a second, slower reading of the specification.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { TOPIC_LIST } from '../src/contract.ts';
import {
  address,
  filterCovers,
  filterFault,
  filterMatches,
  filterOf,
  filtersOverlap,
  matchPattern,
  textOf,
  topicName,
} from '../src/topic.ts';
import { findTopic } from '../src/topic-index.ts';

/** Ids as people and protocols make them, with every character that means something in a topic. */
const anyId = fc.oneof(
  fc.string({ unit: fc.constantFrom('/', '#', '+', '%', "'", '\0', '2', 'F', ' ', 'é', '😀', '$'), minLength: 1 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
);

const level = fc.constantFrom('a', 'b', '', '$s');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.constantFrom('#', '+', 'a', 'b', '$s'))
  .map(([levels, last]) => [...levels, last].join('/'));

/** [MQTT-4.7.1, 4.7.2] as a recursion over levels. */
function matches(
  [wanted, ...filters]: readonly string[],
  [level, ...levels]: readonly string[],
  first = true,
): boolean {
  if (first && level?.startsWith('$') && (wanted === '+' || wanted === '#')) return false;
  if (wanted === '#') return true;
  if (wanted === undefined || level === undefined) return wanted === level;
  if (wanted !== '+' && wanted !== level) return false;
  if (filters[0] === '#' && levels.length === 0) return true;
  return filters.length + levels.length === 0 || (levels.length > 0 && matches(filters, levels, false));
}

/** Every topic of up to four levels over the letters of `level` and one that no filter names. */
const ALL_TOPICS = [1, 2, 3, 4]
  .flatMap((length) =>
    Array.from({ length }).reduce<string[][]>(
      (names) => names.flatMap((name) => ['a', 'b', '', '$s', 'z'].map((next) => [...name, next])),
      [[]],
    ),
  )
  .map((levels) => levels.join('/'));

suite('addresses', () => {
  test('any id comes back from its level, and the level holds nothing that a topic gives a meaning', () => {
    fc.assert(
      fc.property(anyId, (id) => {
        assert.equal(textOf(address(id)), id);
        assert.doesNotMatch(address(id), /[/+#\0]/u);
      }),
    );
  });

  test('different ids have different levels', () => {
    fc.assert(fc.property(anyId, anyId, (one, other) => assert.equal(address(one) === address(other), one === other)));
  });

  for (const [id, expected] of [
    ['317', '317'],
    ['zigbee/lamp 1', 'zigbee%2Flamp 1'],
    ['100%', '100%25'],
    ['a\0b+c#d', 'a%00b%2Bc%23d'],
    ["lumière d'été 😀", "lumière d'été 😀"],
  ] as const)
    test(`${JSON.stringify(id)} is written ${JSON.stringify(expected)}`, () => assert.equal(address(id), expected));

  test('an empty id and half a surrogate pair are refused, since no topic can carry them', () => {
    assert.throws(() => address(''), { code: 'topic_invalid' });
    assert.throws(() => address('\ud83d'), { code: 'topic_invalid' });
  });
});

suite('patterns', () => {
  for (const { pattern } of TOPIC_LIST)
    test(`a name made from ${pattern} gives its parameters back, is found in the contract and fits its filter`, () => {
      const names = [...pattern.matchAll(/\{(\w+)\}/gu)].map(([, name]) => name ?? '');
      fc.assert(
        fc.property(fc.array(anyId, { minLength: names.length, maxLength: names.length }), (values) => {
          const parameters = Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
          const name = topicName(pattern as string, parameters);
          assert.deepEqual(matchPattern(pattern, name), parameters);
          assert.equal(findTopic(name)?.definition.pattern, pattern);
          assert.ok(filterMatches(filterOf(pattern), name));
        }),
        { numRuns: names.length === 0 ? 1 : 30 },
      );
    });

  test('a topic longer than the protocol carries is refused', () => {
    assert.throws(() => topicName('monitor/state/{id}', { id: 'é'.repeat(32_768) }), { code: 'topic_invalid' });
  });
});

suite('filters', () => {
  test('matching says what the specification says', () => {
    fc.assert(
      fc.property(filter, topic, (wanted, name) => {
        assert.equal(filterMatches(wanted, name), matches(wanted.split('/'), name.split('/')), `${wanted} ${name}`);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a filter covers another exactly when no topic is matched by the other alone', () => {
    fc.assert(
      fc.property(filter, filter, (outer, inner) => {
        const alone = ALL_TOPICS.find((name) => filterMatches(inner, name) && !filterMatches(outer, name));
        // `+/#` and `#` mean the same; that the one does not claim to cover the other errs on the safe side.
        if (filterCovers(outer, inner)) assert.equal(alone, undefined, `${outer} ${inner}`);
        else if (inner !== '#') assert.ok(alone !== undefined || isEmptyHanded(inner), `${outer} ${inner}`);
      }),
      { numRuns: 300 },
    );
  });

  test('two filters overlap exactly when some topic is matched by both', () => {
    fc.assert(
      fc.property(filter, filter, (one, other) => {
        const shared = ALL_TOPICS.some((name) => filterMatches(one, name) && filterMatches(other, name));
        assert.equal(filtersOverlap(one, other), shared, `${one} ${other}`);
      }),
      { numRuns: 300 },
    );
  });

  for (const wrong of ['', 'a/#/b', 'a#', 'a/b+', '+a', '#/a'])
    test(`${JSON.stringify(wrong)} is malformed and the reason says why`, () =>
      assert.match(filterFault(wrong) ?? '', /^expected/u));
  test('every generated filter is well-formed', () => {
    fc.assert(fc.property(filter, (wanted) => assert.equal(filterFault(wanted), undefined)));
  });
});

/** A filter that no topic of the small world matches covers nothing and is covered by everything. */
const isEmptyHanded = (wanted: string): boolean => !ALL_TOPICS.some((name) => filterMatches(wanted, name));
