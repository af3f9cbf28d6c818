import type { DashboardPanel } from '@deja/testing';
import type { Named, Span } from './graph.ts';
import { COLORS, FAINT, fitting, INK, PALETTE, px, rect, text, type Box } from './svg.ts';
import { shown } from './units.ts';

/** Of a heat map's cells. */
const SHADES = 5;

const lastOf = ({ points }: Named): number => points.findLast(({ value }) => Number.isFinite(value))?.value ?? Number.NaN;

/** One number, or a few below each other, over the line of how it came about. */
export function figure(panel: DashboardPanel, series: readonly Named[], box: Box): string {
  const few = series.slice(0, 3);
  const size = few.length > 1 ? 15 : 26;
  const values = few.map((one, i) => {
    const value = lastOf(one);
    const said = panel.words[String(value)]?.text ?? shown(value, panel.unit);
    return text(box.x + box.w / 2, box.y + box.h / 2 + (i - (few.length - 1) / 2) * (size + 6) + size / 3, series.length > 1 ? fitting(`${one.name}: ${said}`, box.w, size) : said, { size, color: colorAt(panel, value), anchor: 'middle', bold: true });
  });
  return spark(few[0], panel, box) + values.join('');
}

/** The colour of the last threshold that the value has reached. */
function colorAt({ thresholds }: DashboardPanel, value: number): string {
  const reached = thresholds.findLast((step) => step.value === null || value >= step.value);
  return COLORS[reached?.color ?? 'green'] ?? INK;
}

function spark(series: Named | undefined, panel: DashboardPanel, box: Box): string {
  const points = (series?.points ?? []).filter(({ value }) => Number.isFinite(value));
  const [first, last] = [points[0], points.at(-1)];
  const top = Math.max(...points.map(({ value }) => value), 0);
  if (first === undefined || last === undefined || first === last || top === 0) return '';
  const x = (atS: number): number => box.x + (box.w * (atS - first.atS)) / (last.atS - first.atS);
  const y = (value: number): number => box.y + box.h - (box.h * 0.35 * Math.max(0, value)) / top;
  const path = points.map(({ atS, value }, i) => `${i === 0 ? 'M' : 'L'}${px(x(atS))} ${px(y(value))}`).join('');
  return `<path d="${path}L${px(box.x + box.w)} ${px(box.y + box.h)}L${px(box.x)} ${px(box.y + box.h)}Z" fill="${colorAt(panel, lastOf(series ?? { name: '', points: [] }))}" fill-opacity=".15"/>`;
}

/** Bars of the last values, the longest first. */
export function bars(panel: DashboardPanel, series: readonly Named[], box: Box): string {
  const sorted = series.map((one) => ({ name: one.name, value: lastOf(one) })).filter(({ value }) => Number.isFinite(value)).sort((a, b) => b.value - a.value).slice(0, Math.floor(box.h / 20));
  const most = Math.max(...sorted.map(({ value }) => value), 0) || 1;
  const [names, values] = [box.w * 0.42, 74];
  return sorted.map(({ name, value }, i) => {
    const y = box.y + 4 + i * 20;
    return text(box.x + 4, y + 12, fitting(name, names - 8)) + rect({ x: box.x + names, y, w: ((box.w - names - values) * value) / most, h: 15 }, PALETTE[i % PALETTE.length] ?? INK, ' fill-opacity=".75"') + text(box.x + box.w - 4, y + 12, shown(value, panel.unit), { anchor: 'end' });
  }).join('');
}

/** A band for each thing, in the colour of the state that it was in. */
export function states(panel: DashboardPanel, series: readonly Named[], box: Box, { fromS, toS }: Span): string {
  const most = series.slice(0, Math.floor((box.h - 20) / 18));
  const height = Math.min(24, (box.h - 24) / Math.max(1, most.length));
  const names = box.w * 0.28;
  const x = (atS: number): number => box.x + names + ((box.w - names - 6) * (atS - fromS)) / (toS - fromS);
  const bands = most.flatMap(({ name, points }, row) => {
    const y = box.y + row * height;
    return [text(box.x + 4, y + height / 2 + 4, fitting(name, names - 8)), ...runsOf(points).map(({ fromS: since, toS: until, value }) => rect({ x: x(since), y: y + 2, w: x(until) - x(since), h: height - 4 }, COLORS[panel.words[String(value)]?.color ?? ''] ?? FAINT))];
  });
  const seen = new Set(most.flatMap(({ points }) => points.map(({ value }) => value)));
  const words = Object.entries(panel.words).filter(([value]) => seen.has(Number(value)));
  const legend = words.map(([, { text: word, color }], i) => rect({ x: box.x + 6 + i * 96, y: box.y + box.h - 14, w: 9, h: 9 }, COLORS[color ?? ''] ?? FAINT) + text(box.x + 19 + i * 96, box.y + box.h - 6, word, { size: 10 }));
  return [...bands, ...legend].join('');
}

/** Points of equal value after each other as one. */
function runsOf(points: Named['points']): (Span & { value: number })[] {
  const runs: (Span & { value: number })[] = [];
  for (const [i, { atS, value }] of points.entries()) {
    const untilS = points[i + 1]?.atS ?? atS;
    const last = runs.at(-1);
    if (last?.value === value && last.toS >= atS) last.toS = untilS;
    else runs.push({ fromS: atS, toS: untilS, value });
  }
  return runs;
}

/** How observations spread: a column for each time, a row for each bucket. Series are counts of buckets, cumulative. */
export function heat(panel: DashboardPanel, series: readonly Named[], box: Box, { fromS, toS }: Span): string {
  const rows = series.map(({ name, points }) => ({ name, upTo: name === '+Inf' ? Infinity : Number(name), at: new Map(points.map(({ atS, value }) => [atS, value])) })).sort((a, b) => a.upTo - b.upTo);
  const columns = [...new Set(series.flatMap(({ points }) => points.map(({ atS }) => atS)))].sort((a, b) => a - b);
  const counts = rows.map(({ at }, i) => columns.map((atS) => Math.max(0, (at.get(atS) ?? 0) - (rows[i - 1]?.at.get(atS) ?? 0))));
  const used = rows.map((row, i) => ({ row, cells: counts[i] ?? [] }));
  const first = used.findIndex(({ cells }) => cells.some((count) => count > 0));
  const visible = used.slice(Math.max(0, first - 1), used.findLastIndex(({ cells }) => cells.some((count) => count > 0)) + 1);
  const most = Math.max(...visible.flatMap(({ cells }) => cells), 0) || 1;
  const [axis, height] = [58, (box.h - 8) / Math.max(1, visible.length)];
  const x = (atS: number): number => box.x + axis + ((box.w - axis - 6) * (atS - fromS)) / (toS - fromS);
  const width = columns.length > 1 ? x(columns[1] ?? 0) - x(columns[0] ?? 0) : 4;
  return visible.map(({ row, cells }, i) => {
    const y = box.y + box.h - 4 - (i + 1) * height;
    // Columns of about the same count are one rectangle: a picture has thousands of cells.
    const shades = cells.map((count) => (count === 0 ? 0 : Math.max(1, Math.round(Math.sqrt(count / most) * SHADES))));
    const drawn = runsOf(columns.map((atS, at) => ({ atS, value: shades[at] ?? 0 }))).filter(({ value }) => value > 0);
    return text(box.x + axis - 5, y + height / 2 + 3, shown(row.upTo, panel.unit), { size: 9, color: FAINT, anchor: 'end' }) + drawn.map((run) => rect({ x: x(run.fromS), y, w: x(run.toS) - x(run.fromS) + width, h: height }, COLORS['orange'] ?? INK, ` fill-opacity="${run.value / SHADES}"`)).join('');
  }).join('');
}

/** Rows by what the queries have in common, a column for each query. */
export function rows(panel: DashboardPanel, columns: readonly (readonly Named[])[], box: Box): string {
  const names = [...new Set(columns.flatMap((column) => column.map(({ name }) => name)))].slice(0, Math.floor((box.h - 20) / 18));
  const width = Math.min(90, (box.w * 0.6) / Math.max(1, columns.length));
  const right = (i: number): number => box.x + box.w - 6 - (columns.length - 1 - i) * width;
  const head = panel.queries.map(({ legend }, i) => text(right(i), box.y + 10, legend, { size: 10, color: FAINT, anchor: 'end' }));
  const cells = names.flatMap((name, row) => {
    const y = box.y + 28 + row * 18;
    return [text(box.x + 4, y, fitting(name, box.w - 12 - columns.length * width)), ...columns.map((column, i) => text(right(i), y, valueIn(column, name), { anchor: 'end' }))];
  });
  return [...head, ...cells].join('');
}

function valueIn(column: readonly Named[], name: string): string {
  const found = column.find((one) => one.name === name);
  return found === undefined ? '–' : shown(lastOf(found), 'none');
}
