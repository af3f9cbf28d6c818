import { asSent, type DashboardPanel, type DashboardQuery, type PrometheusApi, type ReadDashboard, type Series } from '@deja/testing';
import { graph, type Named, type Span } from './graph.ts';
import { bars, figure, heat, rows, states } from './plain-panels.ts';
import { FAINT, fitting, GRID, px, rect, text, type Box } from './svg.ts';

const WIDTH = 1440;
const COLUMN = WIDTH / 24;
const ROW = 30;
const HEAD = 46;
const GAP = 4;
const TITLE = 24;
/** Kinds of panels that show what there is now. */
const AS_OF_NOW = new Set(['bargauge', 'table']);
/** Points of a line; more are not to be told apart. */
const POINTS = 72;

/** A dashboard as SVG: every panel with what its own queries give in that time. */
export async function picture({ title, panels, headings }: ReadDashboard, prometheus: PrometheusApi, span: Span): Promise<string> {
  const height = HEAD + ROW * Math.max(...panels.map(({ at }) => at.y + at.h)) + GAP;
  const drawn = await Promise.all(panels.map((panel) => panelAt(panel, prometheus, span)));
  const names = headings.map((heading) => text(10, HEAD + heading.y * ROW + 21, heading.title, { size: 14, bold: true, color: FAINT }));
  const minutes = Math.round((span.toS - span.fromS) / 60);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${px(height)}" font-family="Inter, Helvetica, Arial, sans-serif">${rect({ x: 0, y: 0, w: WIDTH, h: height }, '#f6f7f9')}`
    + `${text(10, 30, title, { size: 20, bold: true })}${text(WIDTH - 10, 30, `${minutes} minutes`, { size: 12, color: FAINT, anchor: 'end' })}${[...names, ...drawn].join('')}</svg>\n`;
}

async function panelAt(panel: DashboardPanel, prometheus: PrometheusApi, span: Span): Promise<string> {
  const { x, y, w, h } = panel.at;
  const outer: Box = { x: x * COLUMN + GAP / 2, y: HEAD + y * ROW + GAP / 2, w: w * COLUMN - GAP, h: h * ROW - GAP };
  const inner: Box = { x: outer.x + 2, y: outer.y + TITLE, w: outer.w - 4, h: outer.h - TITLE - 2 };
  const frame = rect(outer, '#ffffff', ` stroke="${GRID}" rx="3"`) + text(outer.x + 8, outer.y + 16, fitting(panel.title, outer.w - 12, 12), { size: 12, bold: true });
  const columns = await Promise.all(panel.queries.map((query) => named(query, panel, prometheus, span)));
  return frame + content(panel, columns, inner, span);
}

function content(panel: DashboardPanel, columns: Named[][], box: Box, span: Span): string {
  const series = columns.flat();
  if (!series.some(({ points }) => points.some(({ value }) => Number.isFinite(value)))) return text(box.x + box.w / 2, box.y + box.h / 2, 'no data', { color: FAINT, anchor: 'middle' });
  switch (panel.type) {
    case 'stat':
      return figure(panel, series, box);
    case 'bargauge':
      return bars(panel, series, box);
    case 'state-timeline':
      return states(panel, series, box, span);
    case 'heatmap':
      return heat(panel, series, box, span);
    case 'table':
      return rows(panel, columns, box);
    default:
      return graph(panel, series, box, span);
  }
}

async function named({ expr, legend }: DashboardQuery, { type }: DashboardPanel, prometheus: PrometheusApi, { fromS, toS }: Span): Promise<Named[]> {
  const stepS = Math.max(1, Math.round((toS - fromS) / POINTS));
  const sent = asSent(expr, { window: `${Math.max(15, stepS * 4)}s`, rangeS: Math.round(toS - fromS) });
  const found = AS_OF_NOW.has(type) ? await prometheus.query(sent) : await prometheus.queryRange(sent, { fromS, toS, stepS });
  return found.map(({ labels, points }) => ({ name: nameOf(labels, type === 'table' ? '' : legend), points }));
}

/** The legend with its labels filled in; without one, what tells the series from others. */
function nameOf(labels: Series['labels'], legend: string): string {
  if (legend !== '') return legend.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '').trim();
  return Object.entries(labels).filter(([label]) => !/^(__name__|job|otel_.*)$/.test(label)).map(([, value]) => value).join(' ');
}
