// Owns the table that is printed: medians of each case, the ratio to the peer, and whether the aim is met.
import type { Target } from './brokers.ts';
import type { Aim } from './cases.ts';

/** One line of the table. */
export interface Row {
  readonly title: string;
  /** The figures of all rounds. */
  readonly figures: Readonly<Partial<Record<Target, readonly number[]>>>;
  /** The setting of our broker that the ratio and the aim speak of. */
  readonly judged: Target;
  readonly aim: Aim | undefined;
}

export const medianOf = (values: readonly number[] | undefined): number | undefined => {
  const sorted = [...(values ?? [])].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [below, above] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 0 && below !== undefined && above !== undefined ? (below + above) / 2 : above;
};

const number = (value: number | undefined): string =>
  value === undefined ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 1_000 ? 1 : 0 });

function aimText(aim: Aim | undefined): string {
  if (!aim) return '';
  const sign = aim.kind === 'ratio_min' || aim.kind === 'at_least' ? '≥' : '≤';
  return 'ratio' in aim ? `${sign} ${aim.ratio.toFixed(1)} ×` : `${sign} ${number(aim.value)}`;
}

/** Undefined when a figure is missing. */
function isMet(aim: Aim, own: number | undefined, ratio: number | undefined): boolean | undefined {
  const figure = 'ratio' in aim ? ratio : own;
  if (figure === undefined) return undefined;
  const bound = 'ratio' in aim ? aim.ratio : aim.value;
  return aim.kind === 'ratio_min' || aim.kind === 'at_least' ? figure >= bound : figure <= bound;
}

const metText = (met: boolean | undefined): string => (met === undefined ? '–' : met ? 'met' : 'NOT MET');

function cellsOf({ title, figures, judged, aim }: Row): readonly string[] {
  const [fsync, memory, peer] = [medianOf(figures.fsync), medianOf(figures.memory), medianOf(figures.mosquitto)];
  const own = medianOf(figures[judged]);
  const ratio = own === undefined || !peer ? undefined : own / peer;
  const mark = (target: Target, value: number | undefined): string =>
    target === judged && aim ? `${number(value)} *` : `${number(value)}  `;
  return [
    title,
    mark('fsync', fsync),
    mark('memory', memory),
    number(peer),
    ratio === undefined ? '–' : ratio.toFixed(2),
    aimText(aim),
    aim ? metText(isMet(aim, own, ratio)) : '',
  ];
}

const HEAD = ['deliveries per second, unless said', 'fsync  ', 'memory  ', 'mosquitto', 'ratio', 'aim', ''] as const;

/** The table as lines; `*` marks the figure that the ratio and the aim speak of. */
export function tableOf(rows: readonly Row[]): readonly string[] {
  const lines = [HEAD, ...rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
