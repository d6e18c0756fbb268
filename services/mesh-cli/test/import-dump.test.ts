// A dump is read back to the rows it was written from, whatever stands in them and however it comes in pieces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dumpSource } from '../src/import-dump.ts';

type Value = string | number | null;

/** As mysqldump escapes a text. */
const escaped = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped here
  text.replace(/[\0\n\r\x1a'"\\]/gu, (character) => {
    const letter = { '\0': '0', '\n': 'n', '\r': 'r', '\x1a': 'Z' }[character];
    return `\\${letter ?? character}`;
  });
const literal = (value: Value, doubled: boolean): string => {
  if (typeof value !== 'string') return String(value ?? 'NULL');
  return doubled ? `'${escaped(value).replaceAll("\\'", "''")}'` : `'${escaped(value)}'`;
};

async function read(text: string, cuts: readonly number[] = []): Promise<(readonly (string | null | undefined)[])[]> {
  const bytes = Buffer.from(text);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let index = 1; index < places.length; index++) yield bytes.subarray(places[index - 1], places[index]);
  }
  const listener = { isWanted: () => true, onLeft: () => undefined, onUnreadable: () => undefined };
  const found = [];
  for await (const rows of dumpSource(pieces()).rows(listener))
    for (const { cells } of rows) found.push([...cells.values()]);
  return found;
}

const value = fc.oneof(
  fc.constantFrom<Value>(
    null,
    '',
    "l'été",
    'a\\',
    "''",
    '); DROP TABLE x; --',
    '/* no comment */',
    '#',
    '-- ',
    '0xAB',
    '`',
  ),
  fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => text.isWellFormed()),
  fc.integer(),
);

test('property: any rows, several to a statement, in any pieces', async () => {
  const rows = fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 8 });
  const property = fc.asyncProperty(
    rows,
    fc.boolean(),
    fc.array(fc.nat(), { maxLength: 6 }),
    async (all, doubled, cuts) => {
      const table = "CREATE TABLE `t` (`a` text, `b` varchar(4) DEFAULT 'x,)', PRIMARY KEY (`a`)) ENGINE=InnoDB;\n";
      const tuples = all.map((row) => `(${row.map((cell) => literal(cell, doubled)).join(',')})`);
      const expected = all.map((row) => row.map((cell) => (cell === null ? null : String(cell))));
      assert.deepEqual(await read(`${table}INSERT INTO \`t\` VALUES ${tuples.join(',')};\n`, cuts), expected);
    },
  );
  await fc.assert(property, { numRuns: 500 });
});

test('property: bytes that are no dump end the reading without a crash', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fc.nat(), { maxLength: 3 }),
      async (text, cuts) => {
        await read(`INSERT INTO t (a) VALUES (${text}`, cuts).catch((error: unknown) =>
          assert.ok(error instanceof Error),
        );
      },
    ),
    { numRuns: 500 },
  );
});
