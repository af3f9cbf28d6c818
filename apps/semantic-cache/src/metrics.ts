import type { Meter } from '@opentelemetry/api';

/** What this app tells Prometheus and OTLP. Labels are from closed lists: no tenant, no text. */
export class CacheMetrics {
  private readonly record: (durationMs: number, outcome: string) => void;
  private readonly countStore: (outcome: string) => void;
  private readonly countInvalidation: (outcome: string) => void;

  constructor(meter: Meter, entries: () => number) {
    const lookups = meter.createCounter('deja.semantic_cache.lookups', { description: 'Look-ups by outcome: hit, or the reason of the miss' });
    const duration = meter.createHistogram('deja.semantic_cache.lookup.duration', {
      unit: 's',
      description: 'Embedding, search and verification of one look-up',
      advice: { explicitBucketBoundaries: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1] },
    });
    const stores = meter.createCounter('deja.semantic_cache.stores', { description: 'Store events by outcome' });
    meter.createObservableGauge('deja.semantic_cache.entries', { description: 'Entries in the index of this replica' }).addCallback((result) => result.observe(entries()));
    this.record = (durationMs, outcome) => {
      lookups.add(1, { outcome });
      duration.record(durationMs / 1000);
    };
    this.countStore = (outcome) => stores.add(1, { outcome });
    const invalidations = meter.createCounter('deja.semantic_cache.invalidations', { description: 'Invalidation events by outcome' });
    this.countInvalidation = (outcome) => invalidations.add(1, { outcome });
  }

  lookedUp(durationMs: number, outcome: string): void {
    this.record(durationMs, outcome);
  }

  stored(outcome: string): void {
    this.countStore(outcome);
  }

  invalidated(outcome: string): void {
    this.countInvalidation(outcome);
  }
}
