import type { Second } from './figures.ts';
import type { Step } from './work.ts';

const WIDTH = 760;
const [LEFT, RIGHT] = [70, 740];
const RATE = { top: 60, bottom: 260 };
const LATENCY = { top: 310, bottom: 430 };
const HEIGHT = 470;

interface Panel {
  top: number;
  bottom: number;
}

/** What was offered, answered and refused in each second, and the latency of what was answered, as SVG. */
export function figureOf(steps: readonly Step[], seconds: readonly Second[]): string {
  const x = (second: number): number => LEFT + ((RIGHT - LEFT) * second) / Math.max(1, seconds.length);
  const line = (panel: Panel, most: number, values: (number | null)[], style: string): string => {
    const points = values.flatMap((value, at) => (value === null ? [] : [`${x(at + 0.5).toFixed(1)},${yOf(panel, most, value).toFixed(1)}`]));
    return `<polyline fill="none" ${style} points="${points.join(' ')}"/>`;
  };
  const mostRate = roundUp(Math.max(1, ...seconds.map(({ offered, answered }) => Math.max(offered, answered))));
  const mostMs = roundUp(Math.max(1, ...seconds.map(({ p99Ms }) => p99Ms ?? 0)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="Requests a second offered, answered and refused, and latency of those answered, by load">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    '<text x="16" y="24" font-size="15" font-weight="bold">Overload: requests a second, and latency of what is answered</text>',
    '<text x="16" y="43">Dashed: offered. Thick: answered with 200. Thin: refused with 503.</text>',
    ...stepMarks(steps, x),
    axis(RATE, mostRate, '/s'),
    line(RATE, mostRate, seconds.map(({ offered }) => offered), 'stroke="#000" stroke-dasharray="4 3"'),
    line(RATE, mostRate, seconds.map(({ answered }) => answered), 'stroke="#0a5" stroke-width="2.5"'),
    line(RATE, mostRate, seconds.map(({ refused }) => refused), 'stroke="#c30"'),
    `<text x="16" y="${LATENCY.top - 12}">p99 of interactive requests that were answered, by when they were due</text>`,
    axis(LATENCY, mostMs, ' ms'),
    line(LATENCY, mostMs, seconds.map(({ p99Ms }) => p99Ms), 'stroke="#06c" stroke-width="2"'),
    `<text x="${(LEFT + RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${seconds.length} seconds</text>`,
    '</svg>',
    '',
  ].join('\n');
}

/** Where each step begins, and what it is. */
function stepMarks(steps: readonly Step[], x: (second: number) => number): string[] {
  let second = 0;
  return steps.map(({ name, durationMs }) => {
    const at = x(second).toFixed(1);
    second += durationMs / 1000;
    return `<line x1="${at}" y1="${RATE.top}" x2="${at}" y2="${LATENCY.bottom}" stroke="#999" stroke-width="0.5"/><text x="${Number(at) + 4}" y="${RATE.top + 2}" font-size="11">${name}</text>`;
  });
}

function axis(panel: Panel, most: number, unit: string): string {
  return [0, most / 2, most]
    .map((value) => {
      const y = yOf(panel, most, value).toFixed(1);
      return `<line x1="${LEFT}" y1="${y}" x2="${RIGHT}" y2="${y}" stroke="#000" stroke-width="0.5" stroke-dasharray="2 4"/><text x="${LEFT - 6}" y="${Number(y) + 4}" text-anchor="end">${value.toLocaleString('en-US')}${unit}</text>`;
    })
    .join('');
}

const yOf = ({ top, bottom }: Panel, most: number, value: number): number => bottom - ((bottom - top) * value) / most;

/** To the next number with one digit that is not 0, and that halves well. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(value / power / 2) * 2 * power;
}
