// Owns the statements of a dump: which tables it has, and their rows, from tokens as they come.
import type { SqlLexer, Token } from './import-lexer.ts';
import type { Cell, Listener, SourceRow, SourceTable } from './import-source.ts';

/** Yields a row, or nothing when more bytes are needed. */
export type Step<Result> = Generator<SourceRow | undefined, Result>;

/** Words of a CREATE TABLE that begin a line which is no column. */
const NO_COLUMN = new Set([
  'primary',
  'unique',
  'key',
  'index',
  'fulltext',
  'spatial',
  'constraint',
  'foreign',
  'check',
]);
/** Character sets of dumps; `latin1` of MySQL is Windows' code page 1252. */
const DECODERS: Readonly<Record<string, string>> = { latin1: 'windows-1252', cp1252: 'windows-1252', ascii: 'utf-8' };

const isSign = (token: Token, text: string): boolean => token.kind === 'sign' && token.text === text;
const isWord = (token: Token, word: string): boolean => token.kind === 'word' && token.text.toLowerCase() === word;
const isEnd = (token: Token): boolean => token.kind === 'end' || token.kind === 'over';

export class DumpParser {
  readonly #lexer: SqlLexer;
  readonly #listener: Listener;
  readonly #tables = new Map<string, SourceTable>();
  #zone: string | undefined;
  #decoder = new TextDecoder('utf-8');

  constructor(lexer: SqlLexer, listener: Listener) {
    this.#lexer = lexer;
    this.#listener = listener;
  }

  *statements(): Step<void> {
    for (;;) {
      const token = yield* this.#take();
      if (token.kind === 'over') return;
      if (isWord(token, 'insert') || isWord(token, 'replace')) yield* this.#insert();
      else if (isWord(token, 'create')) yield* this.#create();
      else if (isWord(token, 'set')) yield* this.#set();
      else if (token.kind !== 'end') yield* this.#skip(token);
    }
  }

  /** The next token; yields nothing while more bytes are needed. */
  *#take(): Step<Token> {
    for (;;) {
      const token = this.#lexer.next();
      if (token) return token;
      yield undefined;
    }
  }

  *#skip(from: Token): Step<void> {
    let token = from;
    while (!isEnd(token)) token = yield* this.#take();
  }

  #decode(bytes: string): string {
    // Most of a dump is ASCII, which needs no decoding.
    return /[\x80-\xff]/u.test(bytes) ? this.#decoder.decode(Buffer.from(bytes, 'latin1')) : bytes;
  }

  #nameOf(token: Token): string | undefined {
    if (token.kind === 'name' || token.kind === 'text') return this.#decode(token.bytes);
    return token.kind === 'word' ? token.text.split('.').at(-1) : undefined;
  }

  /** `SET NAMES utf8mb4`, `SET TIME_ZONE='+00:00'`; everything else is the server's business. */
  *#set(): Step<void> {
    let token = yield* this.#take();
    if (isWord(token, 'names')) {
      token = yield* this.#take();
      const charset = this.#nameOf(token)?.toLowerCase() ?? '';
      this.#decoder = new TextDecoder(DECODERS[charset] ?? 'utf-8');
    } else if (isWord(token, 'time_zone') || isWord(token, '@@session.time_zone')) {
      token = yield* this.#take();
      if (isSign(token, '=')) token = yield* this.#take();
      // At its end a dump sets back what was there before, by a variable.
      this.#zone = token.kind === 'text' ? zoneOf(token.bytes) : undefined;
    }
    yield* this.#skip(token);
  }

  *#create(): Step<void> {
    let token = yield* this.#take();
    if (!isWord(token, 'table')) return yield* this.#skip(token);
    token = yield* this.#take();
    for (const word of ['if', 'not', 'exists']) if (isWord(token, word)) token = yield* this.#take();
    const [name, after] = yield* this.#qualified(token);
    token = after;
    if (name === undefined || !isSign(token, '(')) return yield* this.#skip(token);
    const columns: string[] = [];
    const timestamps = new Set<string>();
    while (!isEnd(token) && !isSign(token, ')')) {
      token = yield* this.#take();
      const column = token.kind === 'word' && NO_COLUMN.has(token.text.toLowerCase()) ? undefined : this.#nameOf(token);
      if (column !== undefined) {
        columns.push(column);
        token = yield* this.#take();
        if (isWord(token, 'timestamp')) timestamps.add(column);
      }
      token = yield* this.#restOfItem(token);
    }
    this.#tables.set(name, { name, columns, timestamps });
    yield* this.#skip(token);
  }

  /** Goes to the comma or the bracket that ends an item of a list, past brackets within it. */
  *#restOfItem(from: Token): Step<Token> {
    let token = from;
    for (let depth = 0; ; token = yield* this.#take()) {
      if (isEnd(token)) return token;
      if (depth === 0 && (isSign(token, ',') || isSign(token, ')'))) return token;
      if (isSign(token, '(')) depth += 1;
      else if (isSign(token, ')')) depth -= 1;
    }
  }

  *#restOfRow(): Step<void> {
    for (let comma = true; comma; ) comma = isSign(yield* this.#restOfItem(yield* this.#take()), ',');
  }

  /** A name with or without its database, and the token after it. */
  *#qualified(from: Token): Step<readonly [string | undefined, Token]> {
    let name = this.#nameOf(from);
    let token = yield* this.#take();
    while (isSign(token, '.')) {
      name = this.#nameOf(yield* this.#take());
      token = yield* this.#take();
    }
    return [name, token];
  }

  *#insert(): Step<void> {
    let token = yield* this.#take();
    for (const word of ['low_priority', 'delayed', 'high_priority', 'ignore', 'into'])
      if (isWord(token, word)) token = yield* this.#take();
    const [name = '', after] = yield* this.#qualified(token);
    token = after;
    let table = this.#tables.get(name);
    if (isSign(token, '(')) {
      const columns: string[] = [];
      while (!isEnd(token) && !isSign(token, ')')) {
        token = yield* this.#take();
        const column = this.#nameOf(token);
        if (column !== undefined) columns.push(column);
      }
      table = { name, columns, timestamps: table?.timestamps };
      token = yield* this.#take();
    }
    if (!isWord(token, 'values') && !isWord(token, 'value')) {
      this.#listener.onUnreadable(name, 'a statement without VALUES');
      return yield* this.#skip(token);
    }
    token = yield* this.#take();
    const isLeft = table !== undefined && !this.#listener.isWanted(table);
    while (isSign(token, '(')) {
      if (isLeft) {
        yield* this.#restOfRow();
        this.#listener.onLeft(name, 1);
      } else yield* this.#row(name, table, yield* this.#cells());
      token = yield* this.#take();
      if (isSign(token, ',')) token = yield* this.#take();
    }
    yield* this.#skip(token);
  }

  *#row(name: string, table: SourceTable | undefined, values: readonly Cell[]): Step<void> {
    if (values.length === table?.columns.length)
      yield {
        table,
        cells: new Map(table.columns.map((column, index) => [column, values[index]])),
        zone: this.#zone,
      };
    else this.#listener.onUnreadable(name, table ? 'expected as many values as columns' : 'the dump names no columns');
  }

  /** The values of a row, up to its closing bracket. */
  *#cells(): Step<readonly Cell[]> {
    const cells: Cell[] = [];
    for (;;) {
      let token = yield* this.#take();
      // `_binary '…'` and `_utf8mb4'…'` say how the server is to take what follows.
      if (token.kind === 'word' && token.text.startsWith('_')) token = yield* this.#take();
      const cell = this.#cellOf(token);
      const after = yield* this.#take();
      const isPlain = isSign(after, ',') || isSign(after, ')');
      cells.push(isPlain ? cell : undefined);
      const end = isPlain ? after : yield* this.#restOfItem(after);
      if (isEnd(end) || isSign(end, ')')) return cells;
    }
  }

  #cellOf(token: Token): Cell {
    switch (token.kind) {
      case 'text':
        return this.#decode(token.bytes);
      case 'number':
        return token.text;
      case 'hex':
        return this.#decode(Buffer.from(token.digits, 'hex').toString('latin1'));
      case 'word':
        return token.text.toLowerCase() === 'null' ? null : undefined;
      default:
        return undefined;
    }
  }
}

/** A zone of the server as Temporal knows it: an offset, or a name; `SYSTEM` is the house's own. */
function zoneOf(text: string): string | undefined {
  const zone = text.trim();
  return zone.toUpperCase() === 'SYSTEM' || zone === '' ? undefined : zone;
}
