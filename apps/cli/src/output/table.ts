import { NOTHING } from './readable.ts';
import { plainText, shortened, textWidth } from './plain-text.ts';

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
export type Paint = (text: string, tone: Tone) => string;

export interface Column<Row> {
  title: string;
  cell: (row: Row) => string;
  align?: 'right';
  /** May be cut where the terminal is too narrow: it is no id, and nothing that one would copy. */
  shrinks?: true;
  /** Left out where no row has anything to say in it. */
  optional?: true;
  tone?: (row: Row) => Tone | null;
}

export interface TableOptions {
  /** Columns of the terminal; null: it is read by no terminal, and nothing is cut. */
  width: number | null;
  paint: Paint;
}

const GAP = '  ';
const NARROWEST = 8;

/** Rows under titles, aligned, a line each. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], { width, paint }: TableOptions): string[] {
  const cells = rows.map((row) => columns.map((column) => plainText(column.cell(row))));
  const shown = columns.flatMap((column, n) => (column.optional === true && cells.every((line) => line[n] === NOTHING) ? [] : [{ column, n }]));
  const natural = shown.map(({ column, n }) => Math.max(textWidth(column.title), ...cells.map((line) => textWidth(line[n] ?? ''))));
  const widths = fitted(natural, shown.map(({ column }) => column.shrinks === true), width);
  const line = (texts: string[], tones: (Tone | null)[]): string => texts.map((text, at) => {
    const room = widths[at] ?? 0;
    const short = shortened(text, room);
    const tone = tones[at] ?? null;
    const painted = tone === null ? short : paint(short, tone);
    const padding = ' '.repeat(Math.max(0, room - textWidth(short)));
    if (shown[at]?.column.align === 'right') return padding + painted;
    return at === texts.length - 1 ? painted : painted + padding;
  }).join(GAP);
  return [
    line(shown.map(({ column }) => column.title), shown.map(() => 'bold')),
    ...rows.map((row, y) => line(shown.map(({ n }) => cells[y]?.[n] ?? ''), shown.map(({ column }) => column.tone?.(row) ?? null))),
  ];
}

/** The widest that may shrink gives way, one column at a time, until all fit or nothing is left to give. */
function fitted(natural: readonly number[], shrinks: readonly boolean[], width: number | null): number[] {
  const widths = [...natural];
  const room = (width ?? Infinity) - GAP.length * (widths.length - 1);
  while (widths.reduce((sum, one) => sum + one, 0) > room) {
    const widest = Math.max(...widths.filter((one, at) => shrinks[at] === true && one > NARROWEST));
    const at = widths.findIndex((one, n) => one === widest && shrinks[n] === true);
    if (at === -1) break;
    widths[at] = widest - 1;
  }
  return widths;
}

/** Names with what they are; where that is a list, a line each. Names of empty lists are left out. */
export function fields(pairs: readonly (readonly [name: string, value: string | readonly string[]])[], paint: Paint): string[] {
  const said = pairs.filter(([, value]) => value.length > 0);
  const room = Math.max(0, ...said.map(([name]) => textWidth(name)));
  return said.flatMap(([name, value]) => [value].flat().map((text, n) => `${paint((n === 0 ? name : '').padEnd(room), 'dim')}${GAP}${plainText(text)}`));
}
