import { context, trace, TraceFlags, type Attributes, type Context, type Histogram, type Meter, type MetricOptions } from '@opentelemetry/api';

/** One measured value and the trace that it came from. */
export interface Exemplar {
  traceId: string;
  spanId: string;
  value: number;
  /** Unix time, milliseconds. */
  atMs: number;
}

/** Series of one histogram that may have exemplars: with 16 buckets and about 200 bytes each, at most 1.6 MB. */
const MAX_SERIES = 512;

/**
 * The last value of a recorded trace per series and bucket, for histograms whose buckets lead to an example: "what do the slow ones look like?".
 * A trace that is not sampled is never one, because nobody could open it. Memory is bounded: the series that was silent for longest makes room.
 */
export class Exemplars {
  private readonly histograms = new Map<string, { boundaries: number[]; series: Map<string, (Exemplar | undefined)[]> }>();
  /** Of labels that are frozen, and so stay what they are. */
  private readonly keys = new WeakMap<Attributes, string>();
  private readonly now: () => number;
  private readonly maxSeries: number;

  constructor(now: () => number = Date.now, maxSeries = MAX_SERIES) {
    this.now = now;
    this.maxSeries = maxSeries;
  }

  /** The meter, whose histograms of these names keep exemplars. Costs the others nothing. */
  meter(meter: Meter, names: ReadonlySet<string>): Meter {
    const createHistogram = (name: string, options?: MetricOptions): Histogram => {
      const histogram = meter.createHistogram(name, options);
      const boundaries = options?.advice?.explicitBucketBoundaries;
      return boundaries !== undefined && names.has(name) ? this.kept(name, boundaries, histogram) : histogram;
    };
    return Object.create(meter, { createHistogram: { value: createHistogram } }) as Meter;
  }

  /** By bucket, the one above all boundaries last; undefined where there is none. */
  of(name: string, labels: Attributes): readonly (Exemplar | undefined)[] | undefined {
    const histogram = this.histograms.get(name);
    return histogram && histogram.series.size > 0 ? histogram.series.get(this.keyOf(labels)) : undefined;
  }

  private kept(name: string, boundaries: number[], histogram: Histogram): Histogram {
    if (!this.histograms.has(name)) this.histograms.set(name, { boundaries: boundaries.toSorted((a, b) => a - b), series: new Map() });
    return {
      record: (value: number, labels: Attributes = {}, from?: Context): void => {
        histogram.record(value, labels, from);
        // A span that has ended still says which one it was.
        const span = trace.getSpanContext(from ?? context.active());
        if (span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) !== 0) this.keep(name, labels, { traceId: span.traceId, spanId: span.spanId, value, atMs: this.now() });
      },
    };
  }

  private keep(name: string, labels: Attributes, exemplar: Exemplar): void {
    const histogram = this.histograms.get(name);
    if (histogram === undefined || !(exemplar.value >= 0)) return; // the histogram does not take it either
    const { boundaries, series } = histogram;
    const key = this.keyOf(labels);
    const buckets = series.get(key) ?? [];
    buckets[bucketOf(boundaries, exemplar.value)] = exemplar;
    series.delete(key); // to the end: the order is that of the last value
    series.set(key, buckets);
    if (series.size > this.maxSeries) for (const oldest of series.keys()) return void series.delete(oldest);
  }

  private keyOf(labels: Attributes): string {
    const known = this.keys.get(labels);
    if (known !== undefined) return known;
    const key = seriesKey(labels);
    if (Object.isFrozen(labels)) this.keys.set(labels, key);
    return key;
  }
}

/** Upper bounds are inclusive, as the SDK's and Prometheus's are. Boundaries are few, so that a search by halves would not be faster. */
function bucketOf(boundaries: number[], value: number): number {
  const at = boundaries.findIndex((boundary) => value <= boundary);
  return at < 0 ? boundaries.length : at;
}

/** The same for the same labels in any order. */
function seriesKey(labels: Attributes): string {
  return JSON.stringify(Object.entries(labels).filter(([, value]) => value !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)));
}
