import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import { DashboardLinkBuilder, FieldColorBuilder, FieldColorModeId, MappingType, RowBuilder, ThresholdsConfigBuilder, ThresholdsMode, type Panel, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge';
import { HeatmapColorMode, HeatmapColorOptionsBuilder, PanelBuilder as Heatmap, YAxisConfigBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as Timeseries } from '@grafana/grafana-foundation-sdk/timeseries';

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

export interface Query {
  expr: string;
  /** With `{{label}}`; the panel's title where there is one series alone. */
  legend: string;
}

export interface PanelText {
  title: string;
  /** What it shows, and what to do when it looks wrong. */
  description: string;
  /** Grafana's name of the unit, as `s`, `reqps`, `currencyUSD`. */
  unit: string;
  queries: Query[];
  /** Of 24 columns; 8 unless given. */
  width?: number;
  height?: number;
  /** Uid of the dashboard that says more of it. */
  leadsTo?: string;
}

export interface LinesText extends PanelText {
  /** Areas on top of each other: parts of a whole. */
  stacked?: boolean;
  /** Single requests as points that lead to their traces, where the metrics carry them. */
  exemplars?: boolean;
  /** From here on it is drawn in orange, then in red. */
  warnAt?: number;
  badAt?: number;
  /** The top of the axis, as 1 for shares. */
  max?: number;
  decimals?: number;
}

export interface FigureText extends PanelText {
  warnAt?: number;
  badAt?: number;
  /** Where less is worse: thresholds are crossed downwards. */
  lessIsWorse?: boolean;
  decimals?: number;
  /** In place of a number, by value. */
  words?: Record<string, string>;
}

const GREEN = 'green';
const ORANGE = 'orange';
const RED = 'red';

/** A heading across the dashboard; the panels after it stand below. */
export const heading = (title: string): RowBuilder => new RowBuilder(title);

/** Lines, or areas, over time. */
export function lines({ stacked = false, exemplars = false, warnAt, badAt, ...text }: LinesText): Builder<Panel> {
  const panel = dressed(new Timeseries(), { height: 8, ...text })
    .min(0)
    .lineWidth(1)
    .fillOpacity(stacked ? 25 : 8)
    .showPoints(common.VisibilityMode.Never)
    .spanNulls(false)
    .legend(new common.VizLegendOptionsBuilder().displayMode(common.LegendDisplayMode.Table).placement(common.LegendPlacement.Bottom).showLegend(true).calcs(['mean', 'max', 'lastNotNull']))
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending));
  if (stacked) panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  if (text.max !== undefined) panel.max(text.max);
  if (text.decimals !== undefined) panel.decimals(text.decimals);
  if (warnAt !== undefined || badAt !== undefined) {
    panel.thresholds(steps(warnAt, badAt)).thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
  }
  text.queries.forEach((query, i) => panel.withTarget(target(query, i).range().exemplar(exemplars)));
  return panel;
}

/** One number, or a few beside each other, with the line of how it came about. */
export function figure({ warnAt, badAt, lessIsWorse = false, words, ...text }: FigureText): Builder<Panel> {
  const panel = dressed(new Stat(), { height: 4, width: 4, ...text })
    .graphMode(words === undefined ? common.BigValueGraphMode.Area : common.BigValueGraphMode.None)
    .colorMode(common.BigValueColorMode.Value)
    .textMode(text.queries.length > 1 || text.queries.some(({ legend }) => legend.includes('{{')) ? common.BigValueTextMode.ValueAndName : common.BigValueTextMode.Auto)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(steps(warnAt, badAt, lessIsWorse));
  if (text.decimals !== undefined) panel.decimals(text.decimals);
  if (words !== undefined) panel.mappings([valueWords(words)]);
  text.queries.forEach((query, i) => panel.withTarget(target(query, i).range()));
  return panel;
}

/** Bars of what there is now, longest first by Grafana's own order of queries. */
export function bars({ decimals, ...text }: PanelText & { decimals?: number }): Builder<Panel> {
  const panel = dressed(new BarGauge(), { height: 8, ...text })
    .displayMode(common.BarGaugeDisplayMode.Gradient)
    .orientation(common.VizOrientation.Horizontal)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .min(0)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName));
  if (decimals !== undefined) panel.decimals(decimals);
  text.queries.forEach((query, i) => panel.withTarget(target(query, i).instant()));
  return panel;
}

/** How a histogram's observations spread over time; its query gives counts by `le`. */
export function heat({ exemplars = false, ...text }: PanelText & { exemplars?: boolean }): Builder<Panel> {
  const panel = dressed(new Heatmap(), { height: 8, ...text })
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').steps(64).fill('dark-orange').exponent(0.5))
    .yAxis(new YAxisConfigBuilder().unit(text.unit))
    .cellGap(1);
  text.queries.forEach((query, i) => panel.withTarget(target(query, i).range().format(PromQueryFormat.Heatmap).exemplar(exemplars)));
  return panel;
}

/** What state each thing was in over time. Queries give 1 for the first state, 2 for the second …; the first is the healthy one. */
export function states({ words, ...text }: Omit<PanelText, 'unit'> & { words: readonly StateWord[] }): Builder<Panel> {
  const panel = dressed(new StateTimeline(), { height: 8, width: 12, unit: 'none', ...text })
    .mergeValues(true)
    .showValue(common.VisibilityMode.Auto)
    .rowHeight(0.85)
    .lineWidth(0)
    .fillOpacity(75)
    .mappings([{ type: MappingType.ValueToText, options: Object.fromEntries(words.map(({ word, color }, i) => [String(i + 1), { text: word, color, index: i }])) }])
    .legend(new common.VizLegendOptionsBuilder().displayMode(common.LegendDisplayMode.List).placement(common.LegendPlacement.Bottom).showLegend(true).calcs([]));
  text.queries.forEach((query, i) => panel.withTarget(target(query, i).range()));
  return panel;
}

export interface StateWord {
  word: string;
  color: string;
}

/** Rows by the labels that the queries share, a column for each query. `hidden` are columns nobody needs. */
export function rows({ units = {}, hidden = [], ...text }: PanelText & { units?: Record<string, string>; hidden?: string[] }): Builder<Panel> {
  const panel = dressed(new Table(), { height: 8, width: 12, ...text })
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({ id: 'organize', options: { excludeByName: Object.fromEntries(['Time', ...hidden].map((name) => [name, true])), renameByName: Object.fromEntries(text.queries.map(({ legend }, i) => [columnOf(text.queries, i), legend])) } });
  for (const [column, unit] of Object.entries(units)) panel.overrideByName(column, [{ id: 'unit', value: unit }]);
  text.queries.forEach((query, i) => panel.withTarget(target(query, i).instant().format(PromQueryFormat.Table)));
  return panel;
}

/** Grafana names the value column of the only query `Value`, those of several by their letters. */
const columnOf = (queries: readonly Query[], i: number): string => (queries.length === 1 ? 'Value' : `Value #${letter(i)}`);

function target({ expr, legend }: Query, i: number): DataqueryBuilder {
  return new DataqueryBuilder().refId(letter(i)).datasource(DATASOURCE).expr(expr).legendFormat(legend);
}

const letter = (i: number): string => String.fromCharCode('A'.charCodeAt(0) + i);

/** What all kinds of panels have. */
interface Dressable {
  title(title: string): this;
  description(description: string): this;
  datasource(datasource: { type: string; uid: string }): this;
  unit(unit: string): this;
  span(width: number): this;
  height(height: number): this;
  links(links: DashboardLinkBuilder[]): this;
}

function dressed<P extends Dressable>(panel: P, { title, description, unit, width = 8, height = 8, leadsTo }: PanelText): P {
  panel.title(title).description(description).datasource(DATASOURCE).unit(unit).span(width).height(height);
  return leadsTo === undefined ? panel : panel.links([new DashboardLinkBuilder(`More: ${leadsTo}`).url(`/d/${leadsTo}?\${__url_time_range}&\${datasource:queryparam}`)]);
}

function steps(warnAt?: number, badAt?: number, lessIsWorse = false): ThresholdsConfigBuilder {
  const levels: [number | undefined, string][] = lessIsWorse ? [[badAt, ORANGE], [warnAt, GREEN]] : [[warnAt, ORANGE], [badAt, RED]];
  const first = lessIsWorse ? RED : GREEN;
  const known = levels.flatMap(([value, color]) => (value === undefined ? [] : [{ value, color }]));
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null as unknown as number, color: known.length === 0 ? GREEN : first }, ...known]);
}

function valueWords(words: Record<string, string>): ValueMapping {
  return { type: MappingType.ValueToText, options: Object.fromEntries(Object.entries(words).map(([value, text], index) => [value, { text, index }])) };
}
