// Owns the words of a SQL dump: bytes come in pieces, tokens go out as soon as they are whole. Knows quotes, comments, literals.

/** A text is kept as bytes until somebody asks: which letters they are depends on the dump's character set. */
export type Token =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'name'; readonly bytes: string }
  | { readonly kind: 'text'; readonly bytes: string }
  | { readonly kind: 'number'; readonly text: string }
  /** `0x…` or `X'…'`. */
  | { readonly kind: 'hex'; readonly digits: string }
  | { readonly kind: 'sign'; readonly text: string }
  /** End of a statement. */
  | { readonly kind: 'end' }
  | { readonly kind: 'over' };

/** Longest single value; a quote that is never closed must not fill the memory. */
const TOKEN_CHARACTERS_MAX = 64 * 1024 * 1024;
const COMPACT_CHARACTERS = 256 * 1024;

const BLANK = /[\s\0]+/y;
const WORD = /[A-Za-z_@$\x80-\xff][\w@$.\x80-\xff]*/y;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const HEX = /0x[0-9A-Fa-f]*/y;
/** The opening of a comment whose content the server runs: `/*!40101 …` of MySQL, `/*M!100100 …` of MariaDB. */
const RUN_COMMENT = /\/\*M?!\d*/y;
const LONGEST_OPENING = 12;

const ESCAPES: Readonly<Record<string, string>> = {
  0: '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\x1a',
  '%': '\\%',
  _: '\\_',
};

const PAIRS: Readonly<Record<string, RegExp>> = { "'": /\\([\s\S])|''/gu, '"': /\\([\s\S])|""/gu, '`': /``/gu };

/** What a piece of text between quotes says. */
const unquoted = (raw: string, quote: string): string =>
  raw.replace(PAIRS[quote] ?? /$^/u, (_pair, escaped: string | undefined) =>
    typeof escaped === 'string' ? (ESCAPES[escaped] ?? escaped) : quote,
  );

/** Tokens of a dump. Characters of its strings are bytes, 0 to 255. */
export class SqlLexer {
  #buffer = '';
  #at = 0;
  #isLast = false;
  #delimiter = ';';
  #isRunComment = false;
  #isStart = true;

  /** @throws Error when what waits is longer than any value may be */
  feed(piece: Uint8Array): void {
    if (this.#at > COMPACT_CHARACTERS || this.#at === this.#buffer.length) {
      this.#buffer = this.#buffer.slice(this.#at);
      this.#at = 0;
    }
    this.#buffer += Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1');
    if (this.#buffer.length - this.#at > TOKEN_CHARACTERS_MAX)
      throw new Error(`expected values shorter than ${TOKEN_CHARACTERS_MAX} bytes, got a quote that does not close`);
  }

  /** No more bytes come. */
  finish(): void {
    this.#isLast = true;
  }

  /** The next token, or `undefined` when more bytes are needed to know it. */
  next(): Token | undefined {
    const start = this.#skipBlanks();
    if (start === undefined) return undefined;
    if (this.#at >= this.#buffer.length) return this.#isLast ? { kind: 'over' } : undefined;
    const token = this.#read();
    if (token) this.#isStart = token.kind === 'end';
    return token;
  }

  /** Skips blanks and comments; `undefined` when a comment does not end here. */
  #skipBlanks(): true | undefined {
    for (;;) {
      this.#skip(BLANK);
      const rest = this.#buffer.length - this.#at;
      if (rest < LONGEST_OPENING && !this.#isLast) return undefined;
      const char = this.#buffer[this.#at];
      const two = this.#buffer.slice(this.#at, this.#at + 2);
      if (char === '#' || (two === '--' && /^--(?:[\s\0]|$)/u.test(this.#buffer.slice(this.#at, this.#at + 3)))) {
        if (!this.#skipTo('\n', 0)) return undefined;
      } else if (two === '/*') {
        if (this.#skip(RUN_COMMENT)) this.#isRunComment = true;
        else if (!this.#skipTo('*/', 2)) return undefined;
      } else if (two === '*/' && this.#isRunComment) {
        this.#isRunComment = false;
        this.#at += 2;
      } else if (this.#isStart && /^delimiter\b/iu.test(this.#buffer.slice(this.#at, this.#at + LONGEST_OPENING))) {
        if (!this.#takeDelimiter()) return undefined;
      } else return true;
    }
  }

  /** `DELIMITER ;;` is a line for the client: bodies of triggers hold semicolons. */
  #takeDelimiter(): boolean {
    const end = this.#buffer.indexOf('\n', this.#at);
    if (end < 0 && !this.#isLast) return false;
    const line = this.#buffer.slice(this.#at, end < 0 ? undefined : end);
    this.#delimiter = line.slice('delimiter'.length).trim() || ';';
    this.#at += line.length;
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.test(this.#buffer);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #skipTo(mark: string, from: number): boolean {
    const found = this.#buffer.indexOf(mark, this.#at + from);
    if (found < 0 && !this.#isLast) return false;
    this.#at = found < 0 ? this.#buffer.length : found + mark.length;
    return true;
  }

  #read(): Token | undefined {
    if (this.#buffer.startsWith(this.#delimiter, this.#at)) {
      this.#at += this.#delimiter.length;
      return { kind: 'end' };
    }
    const char = this.#buffer[this.#at] ?? '';
    if (char === "'" || char === '"') return this.#readQuoted(char, 'text');
    if (char === '`') return this.#readQuoted(char, 'name');
    if ((char === 'x' || char === 'X') && this.#buffer[this.#at + 1] === "'") return this.#readHexText();
    for (const [pattern, kind] of [
      [HEX, 'hex'],
      [NUMBER, 'number'],
      [WORD, 'word'],
    ] as const) {
      pattern.lastIndex = this.#at;
      const text = pattern.exec(this.#buffer)?.[0];
      if (text === undefined) continue;
      if (this.#at + text.length === this.#buffer.length && !this.#isLast) return undefined;
      this.#at += text.length;
      return kind === 'hex' ? { kind, digits: text.slice(2) } : { kind, text };
    }
    this.#at += 1;
    return { kind: 'sign', text: char };
  }

  #readHexText(): Token | undefined {
    this.#at += 1;
    const token = this.#readQuoted("'", 'text');
    if (token === undefined) this.#at -= 1;
    return token?.kind === 'text' ? { kind: 'hex', digits: token.bytes } : token;
  }

  #readQuoted(quote: string, kind: 'text' | 'name'): Token | undefined {
    const stop = new RegExp(kind === 'text' ? `[${quote}\\\\]` : quote, 'gu');
    let at = this.#at + 1;
    for (;;) {
      stop.lastIndex = at;
      const found = stop.exec(this.#buffer);
      if (found === null) return this.#isLast ? this.#unclosed() : undefined;
      const isEscape = found[0] === '\\';
      const isPair = found[0] === quote && this.#buffer[found.index + 1] === quote;
      if (found.index + 1 >= this.#buffer.length && !this.#isLast) return undefined;
      if (isEscape || isPair) at = found.index + 2;
      else {
        const raw = this.#buffer.slice(this.#at + 1, found.index);
        this.#at = found.index + 1;
        return { kind, bytes: unquoted(raw, quote) };
      }
    }
  }

  #unclosed(): never {
    throw new Error('expected the end of a quoted text, got the end of the file: the dump is not complete');
  }
}
