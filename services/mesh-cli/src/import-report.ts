// Owns the report of an import: what people read after it. Pure.
import type { ImportAccount, TableAccount } from './import-run.ts';

const refusedOf = ({ refusals }: TableAccount): number =>
  [...refusals.values()].reduce((sum, { count }) => sum + count, 0);

const columns = (cells: readonly (string | number)[], width: number): string =>
  cells.map((cell, index) => (index === 0 ? String(cell).padEnd(width) : String(cell).padStart(9))).join('');

/** A table of what was taken, each reason for what was not, and the tables that were left. */
export function reportOf({ taken, left }: ImportAccount): string {
  const width = Math.max(6, ...[...taken.keys()].map((name) => name.length)) + 1;
  const lines = [columns(['table', 'read', 'new', 'known', 'refused'], width)];
  for (const [name, account] of taken)
    lines.push(columns([name, account.read, account.fresh, account.known, refusedOf(account)], width));
  for (const [name, { refusals }] of taken)
    for (const [reason, { count, example }] of refusals)
      lines.push(
        `not taken: ${name}: ${reason}: ${count}${example === undefined ? '' : `, the first '${printable(example)}'`}`,
      );
  if (left.size > 0)
    lines.push(
      `left, the mesh has no use for them: ${[...left].map(([name, rows]) => `${printable(name)} (${rows})`).join(', ')}`,
    );
  return `${lines.join('\n')}\n`;
}

/** A value of a stranger's file must not drive the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/gu, '?');
