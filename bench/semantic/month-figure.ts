import { percent, type Summary } from './month-report.ts';

const WIDTH = 760;
const ROW = 64;
const TOP = 64;
const LEFT = 250;
const RIGHT = 30;
/** The axis is linear up to here, logarithms of smaller rates would never reach 0. In share of the bound. */
const HIGHEST = 2;

/**
 * One row for each world and bound: every seed's wrong rate as a stroke, the bound as a line, so that all rows have one axis: the rate as a share
 * of the bound. Black on white; nothing is told by colour.
 */
export function figureOf(summaries: readonly Summary[]): string {
  const height = TOP + summaries.length * ROW + 50;
  const x = (share: number): number => LEFT + (Math.min(share, HIGHEST) / HIGHEST) * (WIDTH - LEFT - RIGHT);
  const ticks = [0, 0.5, 1, 1.5, 2].map((share) => `<text x="${x(share)}" y="${height - 26}" text-anchor="middle">${share === HIGHEST ? '≥ 2' : share}</text>`
    + `<line x1="${x(share)}" y1="${TOP - 12}" x2="${x(share)}" y2="${height - 42}" stroke="#000" stroke-width="${share === 1 ? 2 : 0.5}"${share === 1 ? '' : ' stroke-dasharray="2 4"'}/>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="Wrong rate of semantic answers in a simulated month, by seed, as a share of the bound">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="24" font-size="15" font-weight="bold">A simulated month: wrong answers among semantic hits, as a share of the bound</text>`,
    `<text x="16" y="43">A stroke is one seed; the long stroke is the mean; the thick line is the bound.</text>`,
    ...ticks,
    ...summaries.map((summary, row) => rowOf(summary, TOP + row * ROW, x)),
    `<text x="${x(1)}" y="${height - 8}" text-anchor="middle">wrong rate / bound</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function rowOf({ world, maxWrongRate, semantic, seeds, within, wrongRates, wrongRate }: Summary, y: number, x: (share: number) => number): string {
  const stroke = (rate: number, half: number, width: number): string =>
    `<line x1="${x(rate / maxWrongRate).toFixed(1)}" y1="${y + 20 - half}" x2="${x(rate / maxWrongRate).toFixed(1)}" y2="${y + 20 + half}" stroke="#000" stroke-width="${width}"/>`;
  return [
    `<text x="16" y="${y + 8}" font-weight="bold">bound ${percent(maxWrongRate, 1)}</text>`,
    `<text x="16" y="${y + 24}">${world}</text>`,
    `<text x="16" y="${y + 40}">${wrongRate === null ? 'nothing served' : `${percent(semantic, 1)} semantic hits; ${within} of ${seeds} within`}</text>`,
    ...(wrongRate === null ? [] : [`<g stroke-opacity="0.35">${wrongRates.map((rate) => stroke(rate, 8, 1)).join('')}</g>`, stroke(wrongRate, 16, 3)]),
  ].join('');
}
