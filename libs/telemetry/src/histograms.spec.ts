import { describe, expect, test } from '@jest/globals';
import type { Attributes, Meter } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader, type MetricProducer } from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { Histograms } from './histograms.ts';

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

interface Scraped {
  meter: Meter;
  text: () => Promise<string>;
}

function scraped(producers: MetricProducer[], wrapped: (meter: Meter) => Meter): Scraped {
  const reader = new Reader({ metricProducers: producers });
  const meter = wrapped(new MeterProvider({ readers: [reader] }).getMeter('deja'));
  return { meter, text: async () => new PrometheusSerializer(undefined, false, undefined, true, true).serialize((await reader.collect()).resourceMetrics) };
}

function kept(): Scraped {
  const histograms = new Histograms();
  return scraped([histograms], (meter) => histograms.meter(meter));
}

const sdks = (): Scraped => scraped([], (meter) => meter);
const options = { unit: 's', description: 'How long', advice: { explicitBucketBoundaries: [0, 0.5, 1, 2.5] } };

describe('kept histograms', () => {
  test('say in Prometheus’s text what the SDK’s own say of the same values, labels frozen or not', async () => {
    const labels: fc.Arbitrary<Attributes | undefined> = fc.option(fc.record({ a: fc.constantFrom('x', 'y'), b: fc.constantFrom('1', '2') }, { requiredKeys: [] }), { nil: undefined });
    const values = fc.array(fc.tuple(fc.oneof(fc.double({ min: -1, max: 5 }), fc.constantFrom(0, 0.5, 1, 2.5)), labels, fc.boolean()), { minLength: 1, maxLength: 40 });
    await fc.assert(fc.asyncProperty(values, async (list) => {
      const [mine, theirs] = [kept(), sdks()];
      const [a, b] = [mine.meter.createHistogram('h', options), theirs.meter.createHistogram('h', options)];
      for (const [value, given, isFrozen] of list) {
        a.record(value, given && isFrozen ? Object.freeze({ ...given }) : given);
        // The SDK keeps a series for what is no number.
        if (!Number.isNaN(value)) b.record(value, given);
      }
      expect(lines(await mine.text())).toEqual(lines(await theirs.text()));
    }), { numRuns: 60 });
  });

  test('of one name are one, and one label object is one series however often it comes', async () => {
    const { meter, text } = kept();
    const labels = Object.freeze({ stage: 'auth' });
    meter.createHistogram('h', options).record(1, labels);
    meter.createHistogram('h', options).record(1, labels);
    meter.createHistogram('h', options).record(1, { stage: 'auth' });
    expect(await text()).toContain('h_count{stage="auth"} 3');
  });

  test('have no more series than the SDK allows; what is beyond is counted together', async () => {
    const { meter, text } = kept();
    const histogram = meter.createHistogram('h', options);
    for (let n = 0; n < 2500; n++) histogram.record(1, Object.freeze({ n: String(n) }));
    histogram.record(1, { n: '7' });
    const counts = (await text()).split('\n').filter((line) => line.startsWith('h_count{'));
    expect(counts).toHaveLength(2001);
    expect(counts).toContain('h_count{n="7"} 2');
    expect(counts.at(-1)).toBe('h_count{otel_metric_overflow="true"} 500');
  });

  test('leave every other instrument to the SDK', async () => {
    const { meter, text } = kept();
    meter.createCounter('c').add(2);
    meter.createHistogram('without.boundaries').record(3);
    expect(await text()).toMatch(/c_total 2[\s\S]*without_boundaries_count 1/);
  });
});

/** Order of series aside. */
const lines = (text: string): string[] => text.split('\n').toSorted();
