import type { Attributes } from '@opentelemetry/api';
import { DataPointType, type DataPoint, type Histogram, type MetricData, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { Exemplar } from './exemplars.ts';

// OpenMetrics 1.0: https://prometheus.io/docs/specs/om/open_metrics_spec/
// Names are those that Prometheus's text format has of the same metrics, so that either form gives the same series.

export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Exemplars of one series of a histogram, by bucket. `name` is the instrument's, not Prometheus's. */
export type ExemplarsOf = (name: string, labels: Attributes) => readonly (Exemplar | undefined)[] | undefined;

type FamilyType = 'counter' | 'gauge' | 'histogram';

interface Family {
  type: FamilyType;
  help: string;
  unit: string;
  samples: string;
}

/** All metrics as OpenMetrics text. Two of one name and different type: the first stays, as a family has one type. Pure. */
export function openMetricsText({ scopeMetrics }: Pick<ResourceMetrics, 'scopeMetrics'>, exemplarsOf: ExemplarsOf = () => undefined): string {
  const families = new Map<string, Family>();
  for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
    const type = typeOf(metric);
    if (type === null) continue;
    const name = familyName(metric.descriptor.name, type);
    const family = families.get(name) ?? { type, help: metric.descriptor.description, unit: metric.descriptor.unit, samples: '' };
    if (family.type !== type) continue;
    families.set(name, family);
    family.samples += samplesOf(name, metric, exemplarsOf);
  }
  return `${Array.from(families, ([name, family]) => familyText(name, family)).join('')}# EOF\n`;
}

/** A unit may only be told where the name ends with it; ours are OpenTelemetry's and do not. */
function familyText(name: string, { type, help, unit, samples }: Family): string {
  if (samples === '') return '';
  const unitLine = unit !== '' && name.endsWith(`_${unit}`) ? `# UNIT ${name} ${unit}\n` : '';
  const helpLine = help === '' ? '' : `# HELP ${name} ${escaped(help)}\n`;
  return `# TYPE ${name} ${type}\n${unitLine}${helpLine}${samples}`;
}

function samplesOf(name: string, metric: MetricData, exemplarsOf: ExemplarsOf): string {
  switch (metric.dataPointType) {
    case DataPointType.HISTOGRAM:
      return metric.dataPoints.map((point) => histogramText(name, point, exemplarsOf(metric.descriptor.name, point.attributes))).join('');
    case DataPointType.SUM: {
      const suffix = metric.isMonotonic ? '_total' : '';
      return metric.dataPoints.map(({ attributes, value }) => `${name}${suffix}${braced(labelsText(attributes))} ${number(value)}\n`).join('');
    }
    case DataPointType.GAUGE:
      return metric.dataPoints.map(({ attributes, value }) => `${name}${braced(labelsText(attributes))} ${number(value)}\n`).join('');
    default:
      return '';
  }
}

function histogramText(name: string, { attributes, value }: DataPoint<Histogram>, exemplars: readonly (Exemplar | undefined)[] | undefined): string {
  const labels = labelsText(attributes);
  const { boundaries, counts } = value.buckets;
  let text = '';
  let cumulative = 0;
  for (const [i, count] of counts.entries()) {
    cumulative += count;
    const bucket = `le="${canonical(boundaries[i] ?? Infinity)}"`;
    text += `${name}_bucket{${labels === '' ? bucket : `${labels},${bucket}`}} ${cumulative}${exemplarText(exemplars?.[i])}\n`;
  }
  const shown = braced(labels);
  text += `${name}_count${shown} ${value.count}\n`;
  return value.sum === undefined ? text : `${text}${name}_sum${shown} ${number(value.sum)}\n`;
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  return ` # {trace_id="${exemplar.traceId}",span_id="${exemplar.spanId}"} ${number(exemplar.value)} ${(exemplar.atMs / 1000).toFixed(3)}`;
}

function typeOf(metric: MetricData): FamilyType | null {
  switch (metric.dataPointType) {
    case DataPointType.SUM:
      return metric.isMonotonic ? 'counter' : 'gauge';
    case DataPointType.GAUGE:
      return 'gauge';
    case DataPointType.HISTOGRAM:
      return 'histogram';
    default:
      return null; // exponential histograms have no form in OpenMetrics 1.0
  }
}

/** Counters are named without the `_total` that their samples carry. */
function familyName(instrument: string, type: FamilyType): string {
  const name = sanitized(instrument);
  return type === 'counter' && name.endsWith('_total') ? name.slice(0, -'_total'.length) : name;
}

function sanitized(name: string): string {
  return name.replace(/[^a-z0-9_]/gi, '_').replace(/_{2,}/g, '_').replace(/^(?=\d)/, '_');
}

function labelsText(labels: Attributes): string {
  return Object.entries(labels)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${sanitized(name)}="${escaped(typeof value === 'string' ? value : JSON.stringify(value))}"`)
    .join(',');
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function escaped(text: string): string {
  return text.replace(/["\\\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}

function number(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

/**
 * A bound as every writer of OpenMetrics spells it ("Canonical Numbers"): Go's shortest form, with `.0` where nothing else shows a float. Prometheus 3
 * spells bounds so whatever it is told; earlier ones take them for text.
 */
export function canonical(bound: number): string {
  if (!Number.isFinite(bound)) return bound > 0 ? '+Inf' : '-Inf';
  if (bound === 0) return '0.0';
  const [digits = '', exponent = '0'] = bound.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 6) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}
