import { afterEach, describe, expect, test } from '@jest/globals';
import { ROOT_CONTEXT, trace, TraceFlags, type Attributes, type Context } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { Exemplars } from './exemplars.ts';
import { mergedExpositions } from './merged-expositions.ts';
import { openMetricsText } from './open-metrics.ts';
import { parseOpenMetrics, seriesOf, type Sample } from './open-metrics-parser.ts';

class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

const open: MeterProvider[] = [];
afterEach(async () => void (await Promise.all(open.splice(0).map((provider) => provider.shutdown()))));

interface Measurement {
  instrument: 'counter' | 'gauge' | 'histogram';
  labels: Attributes;
  value: number;
}

const labelText = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '"', '\\', '\n', '\\n', '{}', 'a="b",c', ' # {', '# EOF', '\n# TYPE requests gauge\n'));
const measurement: fc.Arbitrary<Measurement> = fc.record({
  instrument: fc.constantFrom('counter', 'gauge', 'histogram'),
  labels: fc.record({ model: labelText, key: labelText }, { requiredKeys: [] }),
  value: fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(0, Infinity)),
});
const workers = fc.array(fc.record({ measurements: fc.array(measurement, { maxLength: 12 }), help: labelText }), { minLength: 1, maxLength: 4 });

/** What a worker that measured this says, in both formats. */
async function expositionsOf(measurements: readonly Measurement[], help: string): Promise<{ openMetrics: string; prometheus: string }> {
  const reader = new PullReader();
  const provider = new MeterProvider({ readers: [reader] });
  open.push(provider);
  const exemplars = new Exemplars(() => 1_700_000_000_123);
  const meter = exemplars.meter(provider.getMeter('test'), new Set(['duration']));
  const counter = meter.createCounter('requests', { description: help });
  const gauge = meter.createGauge('memory', { unit: 'By' });
  const histogram = meter.createHistogram('duration', { unit: 's', advice: { explicitBucketBoundaries: [0.25, 1, 10] } });
  for (const [i, { instrument, labels, value }] of measurements.entries()) {
    if (instrument === 'counter') counter.add(value, labels);
    else if (instrument === 'gauge') gauge.record(value, labels);
    else if (Number.isFinite(value)) histogram.record(value, labels, inTrace(i + 1));
  }
  const { resourceMetrics } = await reader.collect();
  return { openMetrics: openMetricsText(resourceMetrics, (name, labels) => exemplars.of(name, labels)), prometheus: new PrometheusSerializer(undefined, false, undefined, true, true).serialize(resourceMetrics) };
}

function inTrace(n: number): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: n.toString(16).padStart(32, '0'), spanId: n.toString(16).padStart(16, '0'), traceFlags: TraceFlags.SAMPLED });
}

const labelled = (worker: number, sample: Sample): Sample => ({ ...sample, labels: { worker: String(worker), ...sample.labels } });
const sorted = (samples: readonly Sample[]): string[] => samples.map(({ name, labels, value, exemplar }) => JSON.stringify([name, seriesOf(labels), String(value), exemplar])).toSorted();

/** Prometheus's text format as far as OpenMetrics is not the same: what a family is called, how a bound is written, and that no end is told. */
function parsePrometheus(text: string): { types: string[]; samples: Sample[] } {
  const lines = text.split('\n').filter((line) => line !== '');
  const samples = lines.filter((line) => !line.startsWith('#')).map((line) => {
    const [, name = '', labels = '', value = ''] = /^([a-z_]+)(\{[^]*\})? (\S+)$/.exec(line) ?? [];
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"/g)].map(([, label = '', content = '']) => [label, content] as const);
    return { name, labels: Object.fromEntries(pairs), value: Number(value.replace('Inf', 'Infinity')), exemplar: null };
  });
  return { types: lines.filter((line) => line.startsWith('# TYPE')), samples };
}

describe('the expositions of several workers as one', () => {
  test('are, to a strict reader of OpenMetrics, all samples of all workers with their exemplars, each once and with its worker, and each metric described once', async () => {
    await fc.assert(fc.asyncProperty(workers, async (measured) => {
      const texts = await Promise.all(measured.map(async ({ measurements, help }) => (await expositionsOf(measurements, help)).openMetrics));
      const merged = parseOpenMetrics(mergedExpositions(texts.map((text, i) => ({ worker: String(i + 1), text }))));
      const each = texts.map(parseOpenMetrics);
      expect([...merged.keys()].toSorted()).toEqual([...new Set(each.flatMap((families) => [...families.keys()]))].toSorted());
      for (const [name, family] of merged) {
        const first = each.find((families) => families.has(name))?.get(name);
        expect([family.type, family.help, family.unit]).toEqual([first?.type, first?.help, first?.unit]);
        expect(sorted(family.samples)).toEqual(sorted(each.flatMap((families, i) => (families.get(name)?.samples ?? []).map((sample) => labelled(i + 1, sample)))));
      }
    }), { numRuns: 100 });
  });

  test('are the same in Prometheus’s text format', async () => {
    await fc.assert(fc.asyncProperty(workers, async (measured) => {
      const texts = await Promise.all(measured.map(async ({ measurements, help }) => (await expositionsOf(measurements, help)).prometheus));
      const { types, samples } = parsePrometheus(mergedExpositions(texts.map((text, i) => ({ worker: String(i + 1), text }))));
      const each = texts.map(parsePrometheus);
      expect(types.toSorted()).toEqual([...new Set(each.flatMap((one) => one.types))].toSorted());
      expect(sorted(samples)).toEqual(sorted(each.flatMap((one, i) => one.samples.map((sample) => labelled(i + 1, sample)))));
    }), { numRuns: 100 });
  });

  test('are written so, to the letter', () => {
    const texts = ['# TYPE up gauge\n# HELP up Lives\nup 1\n# TYPE jobs counter\njobs_total{} 2\n# EOF\n', '# TYPE jobs counter\njobs_total{to="a b"} 3 # {trace_id="f"} 1 1.000\n# TYPE up gauge\nup 0\n# EOF\n'];
    expect(mergedExpositions([{ worker: '1', text: texts[0]! }, { worker: '2', text: texts[1]! }, { worker: null, text: '# TYPE workers gauge\nworkers 2\n# EOF\n' }])).toBe(`# TYPE up gauge
# HELP up Lives
up{worker="1"} 1
up{worker="2"} 0
# TYPE jobs counter
jobs_total{worker="1"} 2
jobs_total{worker="2",to="a b"} 3 # {trace_id="f"} 1 1.000
# TYPE workers gauge
workers 2
# EOF
`);
  });

  test('of one name and two types are the first, so that the rest can be read', () => {
    expect(mergedExpositions([{ worker: '1', text: '# TYPE a gauge\na 1\n' }, { worker: '2', text: '# TYPE a counter\na 2\n# TYPE b gauge\nb 3\n' }])).toBe('# TYPE a gauge\na{worker="1"} 1\n# TYPE b gauge\nb{worker="2"} 3\n');
  });

  test('of nobody, or of who has measured nothing, are nothing', () => {
    expect(mergedExpositions([])).toBe('');
    expect(mergedExpositions([{ worker: '1', text: '# EOF\n' }])).toBe('# EOF\n');
    expect(mergedExpositions([{ worker: '1', text: '# no registered metrics' }])).toBe('');
  });
});
