import { afterEach, describe, expect, test } from '@jest/globals';
import { context, ROOT_CONTEXT, trace, TraceFlags, type Attributes, type Context, type Meter } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { Exemplars } from './exemplars.ts';
import { canonical, openMetricsText } from './open-metrics.ts';
import { parseOpenMetrics, seriesOf, type Sample } from './open-metrics-parser.ts';

class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const TRACED = new Set(['request.duration']);
const BOUNDARIES = [0.25, 1, 10];
const open: MeterProvider[] = [];
afterEach(async () => void (await Promise.all(open.splice(0).map((provider) => provider.shutdown()))));

function start(exemplars = new Exemplars(() => 1_700_000_000_123)): { meter: Meter; text: () => Promise<string> } {
  const reader = new PullReader();
  const provider = new MeterProvider({ readers: [reader] });
  open.push(provider);
  return {
    meter: exemplars.meter(provider.getMeter('test'), TRACED),
    text: async () => openMetricsText((await reader.collect()).resourceMetrics, (name, labels) => exemplars.of(name, labels)),
  };
}

function inTrace(n: number, isSampled = true): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: n.toString(16).padStart(32, '0'), spanId: n.toString(16).padStart(16, '0'), traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE });
}

const duration = (meter: Meter, name = 'request.duration') => meter.createHistogram(name, { unit: 's', advice: { explicitBucketBoundaries: BOUNDARIES } });
const bucket = (samples: Sample[], le: string, labels: Record<string, string> = {}): Sample | undefined =>
  samples.find((sample) => sample.name.endsWith('_bucket') && sample.labels['le'] === le && Object.entries(labels).every(([name, value]) => sample.labels[name] === value));

describe('OpenMetrics text', () => {
  test('counters, gauges and histograms are written as the specification says, to the letter', async () => {
    const { meter, text } = start();
    meter.createCounter('requests', { description: 'Said "hello"\\\n' }).add(2, { outcome: 'ok' });
    meter.createCounter('cost.usd.total', { unit: 'usd', description: 'Dollars' }).add(0.5);
    meter.createObservableGauge('memory', { unit: 'By' }).addCallback((gauge) => gauge.observe(7));
    const histogram = duration(meter);
    histogram.record(0.5, { model: 'a"\\\nb' }, inTrace(0xabc));
    histogram.record(20, { model: 'a"\\\nb' }, inTrace(0xdef, false));
    expect(await text()).toBe(String.raw`# TYPE requests counter
# HELP requests Said \"hello\"\\\n
requests_total{outcome="ok"} 2
# TYPE cost_usd counter
# UNIT cost_usd usd
# HELP cost_usd Dollars
cost_usd_total 0.5
# TYPE memory gauge
memory 7
# TYPE request_duration histogram
request_duration_bucket{model="a\"\\\nb",le="0.25"} 0
request_duration_bucket{model="a\"\\\nb",le="1.0"} 1 # {trace_id="00000000000000000000000000000abc",span_id="0000000000000abc"} 0.5 1700000000.123
request_duration_bucket{model="a\"\\\nb",le="10.0"} 1
request_duration_bucket{model="a\"\\\nb",le="+Inf"} 2
request_duration_count{model="a\"\\\nb"} 2
request_duration_sum{model="a\"\\\nb"} 20.5
# EOF
`);
  });

  test('no metrics at all are still a text that ends', async () => {
    expect(await start().text()).toBe('# EOF\n');
  });

  test('bounds are spelled as Go and Prometheus spell them', () => {
    expect([0, 0.005, 0.0001, 0.00001, 1, 2.5, 10, 81.92, 16_384, 100_000, 262_144, 1_048_576, 67_108_864, Infinity].map(canonical)).toEqual([
      '0.0', '0.005', '0.0001', '1e-05', '1.0', '2.5', '10.0', '81.92', '16384.0', '100000.0', '262144.0', '1.048576e+06', '6.7108864e+07', '+Inf',
    ]);
  });

  test('a name of two types keeps the first, so that the rest can be read', async () => {
    const { meter, text } = start();
    meter.createCounter('same.total').add(1);
    meter.createObservableGauge('same').addCallback((gauge) => gauge.observe(7));
    meter.createCounter('other').add(3);
    const families = parseOpenMetrics(await text());
    expect(families.get('same')).toMatchObject({ type: 'counter', samples: [{ name: 'same_total', value: 1 }] });
    expect(families.get('other')?.samples).toHaveLength(1);
  });

  test('whatever labels and values there are, a strict reader finds exactly them, and exemplars in their buckets', async () => {
    const labelText = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '"', '\\', '\n', '\\n', '{}', 'a="b",c', ' # {', '# EOF'));
    const labels = fc.record({ 'a.model': labelText, b: fc.oneof(labelText, fc.boolean(), fc.integer()) }, { requiredKeys: [] });
    const measured = fc.array(fc.record({ labels, value: fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(...BOUNDARIES, 0)), sampled: fc.boolean() }), { maxLength: 30 });
    await fc.assert(fc.asyncProperty(measured, labelText, async (records, description) => {
      const { meter, text } = start();
      const histogram = duration(meter);
      const counter = meter.createCounter('tokens', { unit: '1', description });
      const last = new Map<string, number>();
      const counts = new Map<string, number>();
      for (const [i, record] of records.entries()) {
        histogram.record(record.value, record.labels, inTrace(i + 1, record.sampled));
        counter.add(record.value, record.labels);
        const series = shown(record.labels);
        counts.set(series, (counts.get(series) ?? 0) + 1);
        if (record.sampled) last.set(`${series} ${BOUNDARIES.findIndex((boundary) => record.value <= boundary)}`, i + 1);
      }
      const families = parseOpenMetrics(await text());
      const samples = families.get('request_duration')?.samples ?? [];
      expect(new Map(samples.filter(({ name }) => name.endsWith('_count')).map((sample) => [shown(sample.labels), sample.value]))).toEqual(counts);
      const found = samples.filter(({ exemplar }) => exemplar !== null).map((sample) => {
        const { le, ...rest } = sample.labels;
        return [`${shown(rest)} ${BOUNDARIES.findIndex((boundary) => canonical(boundary) === le)}`, parseInt(sample.exemplar?.labels['trace_id'] ?? '', 16)] as const;
      });
      expect(new Map(found)).toEqual(last);
      expect(families.get('tokens')?.help ?? '').toBe(records.length > 0 ? description : '');
    }), { numRuns: 100 });
  });
});

/** As Prometheus sees them: all text. */
function shown(labels: Attributes): string {
  return seriesOf(Object.fromEntries(Object.entries(labels).map(([name, value]) => [name.replaceAll('.', '_'), typeof value === 'string' ? value : JSON.stringify(value)])));
}

describe('exemplars', () => {
  test('without a context of its own a measurement belongs to the active span, also one that has ended', async () => {
    const { meter, text } = start();
    const histogram = duration(meter);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    context.with(inTrace(1), () => histogram.record(0.1));
    const tracer = new TracerProvider().getTracer('test');
    const span = tracer.startSpan('ended');
    span.end();
    context.with(inTrace(2), () => histogram.record(0.5, {}, trace.setSpan(ROOT_CONTEXT, span)));
    context.disable();
    const samples = parseOpenMetrics(await text()).get('request_duration')?.samples ?? [];
    expect(bucket(samples, '0.25')?.exemplar?.labels['span_id']).toBe('0000000000000001');
    expect(bucket(samples, '1.0')?.exemplar?.labels).toEqual({ trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId });
  });

  test('the order of labels does not matter, a later value replaces an earlier one, and scrapes take nothing away', async () => {
    const { meter, text } = start();
    const histogram = duration(meter);
    histogram.record(0.1, { a: '1', b: '2' }, inTrace(1));
    histogram.record(0.2, { b: '2', a: '1' }, inTrace(2));
    histogram.record(0.2, { b: '2', a: '1' }, inTrace(3, false));
    for (let n = 0; n < 2; n++) expect(bucket(parseOpenMetrics(await text()).get('request_duration')?.samples ?? [], '0.25')?.exemplar?.labels['trace_id']).toMatch(/^0+2$/);
  });

  test('other histograms, and values that a histogram refuses, have none', async () => {
    const { meter, text } = start();
    duration(meter, 'insert.duration').record(0.1, {}, inTrace(1));
    const histogram = duration(meter);
    histogram.record(0.1);
    histogram.record(-1, {}, inTrace(1));
    histogram.record(Number.NaN, {}, inTrace(1));
    expect(await text()).not.toContain('trace_id');
  });

  test('of more series than are kept, the one that was silent for longest has none', async () => {
    const exemplars = new Exemplars(() => 0, 2);
    const { meter } = start(exemplars);
    const histogram = duration(meter);
    for (const model of ['a', 'b', 'a', 'c']) histogram.record(0.1, { model }, inTrace(1));
    expect(['a', 'b', 'c'].map((model) => exemplars.of('request.duration', { model }) !== undefined)).toEqual([true, false, true]);
  });
});
