import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface DashboardQuery {
  expr: string;
  /** With `{{label}}`. */
  legend: string;
  /** Single observations are asked for, too. */
  exemplar: boolean;
}

export interface DashboardPanel {
  title: string;
  description: string;
  /** Grafana's, as `timeseries`, `stat`. */
  type: string;
  /** Grafana's, as `s`, `reqps`. */
  unit: string;
  /** Columns and rows of Grafana's grid, 24 columns wide. */
  at: { x: number; y: number; w: number; h: number };
  queries: DashboardQuery[];
  stacked: boolean;
  /** Words for values, with Grafana's names of colours. */
  words: Record<string, { text: string; color?: string }>;
  thresholds: { value: number | null; color: string }[];
}

export interface ReadDashboard {
  uid: string;
  title: string;
  panels: DashboardPanel[];
  /** Across the grid, each above the panels after it. */
  headings: { title: string; y: number }[];
  /** Lists above the dashboard: the label whose values they have, and the series that have it. */
  variables: { name: string; label: string; selector: string }[];
  /** Expressions of annotations. */
  annotations: string[];
}

interface GrafanaPanel {
  title?: string;
  description?: string;
  type: string;
  gridPos: DashboardPanel['at'];
  targets?: { expr: string; legendFormat?: string; exemplar?: boolean }[];
  fieldConfig?: { defaults?: { unit?: string; custom?: { stacking?: { mode?: string } }; mappings?: { options?: DashboardPanel['words'] }[]; thresholds?: { steps: DashboardPanel['thresholds'] } } };
}

interface GrafanaDashboard {
  uid: string;
  title: string;
  panels: GrafanaPanel[];
  templating: { list?: { name: string; type: string; query?: { query?: string } }[] };
  annotations: { list?: { expr?: string }[] };
}

const LABEL_VALUES = /^label_values\((.+), (\w+)\)$/;

/** Grafana's dashboards in a folder, as far as Prometheus is concerned. */
export async function readDashboards(folder: string): Promise<ReadDashboard[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  return Promise.all(names.map(async (name) => dashboardOf(JSON.parse(await readFile(join(folder, name), 'utf8')) as GrafanaDashboard)));
}

function dashboardOf({ uid, title, panels, templating, annotations }: GrafanaDashboard): ReadDashboard {
  return {
    uid,
    title,
    panels: panels.filter(({ type }) => type !== 'row').map(panelOf),
    headings: panels.filter(({ type }) => type === 'row').map(({ title: heading = '', gridPos: { y } }) => ({ title: heading, y })),
    variables: (templating.list ?? []).filter(({ type }) => type === 'query').map(({ name, query }) => {
      const [, selector = '', label = ''] = LABEL_VALUES.exec(query?.query ?? '') ?? [];
      if (selector === '') throw new Error(`variable ${name} of ${uid} is not looked up by label_values`);
      return { name, label, selector };
    }),
    annotations: (annotations.list ?? []).flatMap(({ expr }) => (expr === undefined ? [] : [expr])),
  };
}

function panelOf({ title = '', description = '', type, gridPos, targets = [], fieldConfig }: GrafanaPanel): DashboardPanel {
  const defaults = fieldConfig?.defaults;
  return {
    title,
    description,
    type,
    unit: defaults?.unit ?? '',
    at: gridPos,
    queries: targets.map(({ expr, legendFormat = '', exemplar = false }) => ({ expr, legend: legendFormat, exemplar })),
    stacked: defaults?.custom?.stacking?.mode === 'normal',
    words: defaults?.mappings?.[0]?.options ?? {},
    thresholds: defaults?.thresholds?.steps ?? [],
  };
}

export interface DashboardView {
  /** In place of `$__rate_interval`, as `1m`. */
  window: string;
  /** How much time is shown, seconds. */
  rangeS: number;
}

/** The expression as Grafana sends it: with everything chosen in all lists. */
export function asSent(expr: string, { window, rangeS }: DashboardView): string {
  return expr
    .replaceAll('$__rate_interval', window)
    .replaceAll('$__range_s', String(rangeS))
    .replaceAll('$__range', `${rangeS}s`)
    .replaceAll(/=~"\$\w+"/g, '=~".*"');
}

const NOT_SELECTORS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);

/**
 * The selectors in an expression: each metric with its matchers, as written. By its words, not by a parser: what is in quotes, a label list or a duration, and names that
 * are called are none.
 */
export function selectorsIn(expr: string): string[] {
  const withoutLists = expr.replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ').replaceAll(/\[[^\]]*\]/g, '');
  const found = withoutLists.matchAll(/(?<![\w:."])([a-zA-Z_:][\w:]*)(\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\})?(?!\s*\(|[\w:])|"(?:[^"\\]|\\.)*"/g);
  return [...found].flatMap(([text, name]) => (name === undefined || NOT_SELECTORS.has(name.toLowerCase()) ? [] : [text]));
}
