import type { DashboardPanel } from '@deja/testing';
import { COLORS, FAINT, fitting, GRID, INK, line, PALETTE, px, rect, text, type Box } from './svg.ts';
import { shown } from './units.ts';

/** A series under the name that its legend gives it. */
export interface Named {
  name: string;
  points: { atS: number; value: number }[];
}

export interface Span {
  fromS: number;
  toS: number;
}

const LEGEND_ROWS = 3;
const LEGEND_ROW = 15;
const AXIS = 58;

/** Lines, or areas on top of each other, with their legend. */
export function graph(panel: DashboardPanel, found: readonly Named[], box: Box, span: Span): string {
  const series = found.toSorted((a, b) => lastOf(b) - lastOf(a));
  const legendRows = Math.min(LEGEND_ROWS, Math.ceil(series.length / 2));
  const plot: Box = { x: box.x + AXIS, y: box.y + 4, w: box.w - AXIS - 6, h: box.h - 22 - legendRows * LEGEND_ROW };
  const sums = panel.stacked ? stacked(series) : series;
  const top = niceTop(Math.max(0, ...sums.flatMap(({ points }) => points.map(({ value }) => value).filter(Number.isFinite))));
  const y = (value: number): number => plot.y + plot.h * (1 - Math.min(1, value / top));
  const x = (atS: number): number => plot.x + (plot.w * (atS - span.fromS)) / (span.toS - span.fromS);
  const drawn = sums.map(({ points }, i) => ({ color: colorOf(i), path: pathOf(points, x, y), points })).reverse();
  const areas = drawn.map(({ color, path, points }) => (panel.stacked && points.length > 0 ? `<path d="${path}L${px(x(points.at(-1)?.atS ?? 0))} ${px(y(0))}L${px(x(points[0]?.atS ?? 0))} ${px(y(0))}Z" fill="${paler(color)}"/>` : ''));
  const strokes = drawn.map(({ color, path }) => (path === '' ? '' : `<path d="${path}" stroke="${color}" fill="none" stroke-width="1.3"/>`));
  return [...axes(plot, top, panel.unit, span), ...thresholds(panel, plot, top, y), ...areas, ...strokes, ...legend(series, panel.unit, { x: box.x + 6, y: plot.y + plot.h + 20, w: box.w - 12, h: 0 })].join('');
}

/** The last value there is; what has none comes after all others. */
const lastOf = ({ points }: Named): number => points.findLast(({ value }) => Number.isFinite(value))?.value ?? -1;

const colorOf = (i: number): string => PALETTE[i % PALETTE.length] ?? INK;

/** Areas are opaque, the topmost drawn first: mixed colours would be none of the legend's. */
function paler(color: string): string {
  const parts = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return `#${parts.map((part) => Math.round(part + (255 - part) * 0.6).toString(16).padStart(2, '0')).join('')}`;
}

/** Each series with those before it added. */
function stacked(series: readonly Named[]): Named[] {
  const sums = new Map<number, number>();
  return series.map(({ name, points }) => ({
    name,
    points: points.map(({ atS, value }) => {
      const sum = (sums.get(atS) ?? 0) + (Number.isFinite(value) ? value : 0);
      sums.set(atS, sum);
      return { atS, value: sum };
    }),
  }));
}

function pathOf(points: Named['points'], x: (atS: number) => number, y: (value: number) => number): string {
  let isDown = false;
  return points.map(({ atS, value }, i) => {
    if (isDown && points[i - 1]?.value === value && points[i + 1]?.value === value) return ''; // in the middle of a level stretch
    if (!Number.isFinite(value)) {
      isDown = false;
      return '';
    }
    const step = `${isDown ? 'L' : 'M'}${px(x(atS))} ${px(y(value))}`;
    isDown = true;
    return step;
  }).join('');
}

function axes(plot: Box, top: number, unit: string, { fromS, toS }: Span): string[] {
  const levels = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const at = plot.y + plot.h * (1 - share);
    return [line(plot.x, at, plot.x + plot.w, at, GRID), text(plot.x - 5, at + 4, shown(top * share, unit), { size: 10, color: FAINT, anchor: 'end' })];
  });
  const times = [0, 0.25, 0.5, 0.75, 1].map((share) => text(plot.x + plot.w * share, plot.y + plot.h + 12, minutesBefore(toS - fromS, 1 - share), { size: 9, color: FAINT, anchor: share === 0 ? 'start' : share === 1 ? 'end' : 'middle' }));
  return [...levels, ...times];
}

const minutesBefore = (rangeS: number, share: number): string => (share === 0 ? 'now' : `−${Number(((rangeS * share) / 60).toFixed(1))} min`);

function thresholds({ thresholds: steps }: DashboardPanel, plot: Box, top: number, y: (value: number) => number): string[] {
  return steps.flatMap(({ value, color }) => (value === null || value <= 0 || value > top ? [] : [line(plot.x, y(value), plot.x + plot.w, y(value), COLORS[color] ?? INK, ' stroke-dasharray="4 3"')]));
}

/** Two columns of names with the last value; how many more there are, where they do not fit. */
function legend(series: readonly Named[], unit: string, box: Box): string[] {
  const most = LEGEND_ROWS * 2;
  const shownSeries = series.length > most ? series.slice(0, most - 1) : series;
  const entries = shownSeries.map(({ name, points }, i) => ({ color: colorOf(i), said: name, value: shown(points.findLast(({ value }) => Number.isFinite(value))?.value ?? Number.NaN, unit) }));
  if (series.length > most) entries.push({ color: 'none', said: `and ${series.length - shownSeries.length} more`, value: '' });
  return entries.map(({ color, said, value }, i) => {
    const at = { x: box.x + (i % 2) * (box.w / 2), y: box.y + Math.floor(i / 2) * LEGEND_ROW + 6 };
    return rect({ x: at.x, y: at.y - 7, w: 9, h: 4 }, color) + text(at.x + 14, at.y, fitting(said, box.w / 2 - 90, 10), { size: 10 }) + text(at.x + box.w / 2 - 10, at.y, value, { size: 10, color: FAINT, anchor: 'end' });
  });
}

/** The next of 1, 2, 2.5, 5 and 10 times a power of ten. */
export function niceTop(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([1, 2, 2.5, 5, 10].find((step) => step * power >= most) ?? 10);
}
