import type { Meter } from '@opentelemetry/api';
import type { WrongRate } from '@deja/contracts';

/** What this app tells Prometheus and OTLP. Labels are from closed lists: no text, and no tenant but in the figures of wrong rates. */
export class CacheMetrics {
  private readonly record: (durationMs: number, outcome: string) => void;
  private readonly counters: Record<string, (outcome: string) => void>;

  constructor(meter: Meter, watched: { entries: () => number; wrongRates: () => readonly WrongRate[] }) {
    const lookups = meter.createCounter('deja.semantic_cache.lookups', { description: 'Look-ups by outcome: hit, audit, or the reason of the miss' });
    const duration = meter.createHistogram('deja.semantic_cache.lookup.duration', {
      unit: 's',
      description: 'Embedding, search, verification and decision of one look-up',
      advice: { explicitBucketBoundaries: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1] },
    });
    this.record = (durationMs, outcome) => {
      lookups.add(1, { outcome });
      duration.record(durationMs / 1000);
    };
    const counter = (name: string, description: string): ((outcome: string) => void) => {
      const counted = meter.createCounter(`deja.semantic_cache.${name}`, { description });
      return (outcome) => counted.add(1, { outcome });
    };
    this.counters = {
      store: counter('stores', 'Store events by outcome'),
      invalidate: counter('invalidations', 'Invalidation events by outcome'),
      audit: counter('audits', 'Answers that were compared with what the provider gave, by outcome'),
      feedback: counter('feedback', 'Words of operators on cached answers, by outcome'),
      judged: counter('judged', 'Words of judges on pairs of questions, by outcome'),
    };
    meter.createObservableGauge('deja.semantic_cache.entries', { description: 'Entries in the index of this replica' }).addCallback((result) => result.observe(watched.entries()));
    const rate = meter.createObservableGauge('deja.semantic_cache.wrong_rate', { description: 'Share of semantic answers that audits and feedback found wrong; `low` and `high`: its 95 % interval' });
    const stopped = meter.createObservableGauge('deja.semantic_cache.stopped', { description: '1 where semantic answers are stopped, because too many were wrong' });
    meter.addBatchObservableCallback((result) => {
      for (const { tenant, model, ...figures } of watched.wrongRates()) {
        for (const bound of ['low', 'rate', 'high'] as const) result.observe(rate, figures[bound], { tenant, model, bound });
        result.observe(stopped, figures.stopped ? 1 : 0, { tenant, model });
      }
    }, [rate, stopped]);
  }

  lookedUp(durationMs: number, outcome: string): void {
    this.record(durationMs, outcome);
  }

  event(name: string, outcome: string): void {
    this.counters[name]?.(outcome);
  }
}
