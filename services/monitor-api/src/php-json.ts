// Owns JSON as PHP writes it: `/` and everything that is not ASCII is escaped, so that old clients get the bytes they know.

/** The text of a value that JSON can hold. */
export const phpJson = (value: unknown): string =>
  JSON.stringify(value)
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/gu, escaped)
    .replace(/[\u{10000}-\u{10ffff}]/gu, escaped);

const escaped = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
