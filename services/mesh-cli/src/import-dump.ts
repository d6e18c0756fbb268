// Owns reading a dump of mysqldump, mariadb-dump or phpMyAdmin as it comes in pieces.
import { SqlLexer } from './import-lexer.ts';
import type { Listener, Source, SourceRow } from './import-source.ts';
import { DumpParser, type Step } from './import-statements.ts';

/** Rows handed on at a time; one statement of a dump may hold a hundred thousand. */
const ROWS_AT_ONCE = 1_000;

/** A dump as it comes in pieces. */
export const dumpSource = (pieces: AsyncIterable<Uint8Array>): Source => ({
  rows: (listener) => readRows(pieces, listener),
});

async function* readRows(pieces: AsyncIterable<Uint8Array>, listener: Listener): AsyncGenerator<readonly SourceRow[]> {
  const lexer = new SqlLexer();
  const steps = new DumpParser(lexer, listener).statements();
  let first = true;
  for await (const piece of pieces) {
    const isMarked = first && piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf;
    first = false;
    lexer.feed(isMarked ? piece.subarray(3) : piece);
    yield* untilHungry(steps);
  }
  lexer.finish();
  yield* untilHungry(steps);
}

function* untilHungry(steps: Step<void>): Generator<readonly SourceRow[]> {
  let rows: SourceRow[] = [];
  for (;;) {
    const { done, value } = steps.next();
    if (value) rows.push(value);
    if (done || value === undefined || rows.length === ROWS_AT_ONCE) {
      if (rows.length > 0) yield rows;
      rows = [];
    }
    if (done || value === undefined) return;
  }
}
