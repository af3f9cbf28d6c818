import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import type { Inserted } from './ledger/ledger.ts';

/** How full the queue is. */
export interface QueueState {
  waiting: number;
  active: number;
  /** Age of the oldest waiting job, seconds; 0 when none waits. */
  lagS: number;
}

/** What this app tells Prometheus and OTLP. Labels are from closed lists. */
export class UsageMetrics {
  private readonly events: Counter;
  private readonly unpriced: Counter;
  private readonly batchSize: Histogram;
  private readonly insertDuration: Histogram;
  private readonly budgetDrift: Counter;
  private readonly budgetCorrections: Counter;
  queue: QueueState = { waiting: 0, active: 0, lagS: 0 };
  /** Accounts that were compared in the last round, where it was this replica's turn. */
  budgetAccounts = 0;

  constructor(meter: Meter) {
    this.events = meter.createCounter('deja.usage.events', { description: 'Usage events by what became of them: settled, orphaned, late_attempt, duplicate, rejected' });
    this.unpriced = meter.createCounter('deja.usage.unpriced_requests', { description: 'Requests recorded whose cost is unknown: a price is missing, or nobody said what was used' });
    this.unpriced.add(0);
    this.batchSize = meter.createHistogram('deja.usage.batch.size', { description: 'Events recorded in one transaction', advice: { explicitBucketBoundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] } });
    this.insertDuration = meter.createHistogram('deja.usage.insert.duration', {
      unit: 's',
      description: 'One transaction of the ledger',
      advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
    });
    // Known before anything happened, so that an alert on their growth never misses the first.
    for (const result of ['settled', 'orphaned', 'late_attempt', 'duplicate', 'rejected']) this.events.add(0, { result });
    this.budgetDrift = meter.createCounter('deja.usage.budget.drift', { unit: 'USD', description: 'How far budgets in Redis were from the ledger when they were corrected, by direction: raised, lowered' });
    this.budgetCorrections = meter.createCounter('deja.usage.budget.corrections', { description: 'Budgets in Redis that were corrected by the ledger, by direction' });
    for (const direction of ['raised', 'lowered']) {
      this.budgetDrift.add(0, { direction });
      this.budgetCorrections.add(0, { direction });
    }
    meter.createObservableGauge('deja.usage.budget.accounts', { description: 'Budgets in Redis that this replica compares with the ledger' }).addCallback((gauge) => gauge.observe(this.budgetAccounts));
    meter.createObservableGauge('deja.usage.queue.depth', { description: 'Jobs on the usage queue by state' }).addCallback((gauge) => {
      gauge.observe(this.queue.waiting, { state: 'waiting' });
      gauge.observe(this.queue.active, { state: 'active' });
    });
    meter.createObservableGauge('deja.usage.queue.lag', { unit: 's', description: 'Age of the oldest job that waits on the usage queue' }).addCallback((gauge) => gauge.observe(this.queue.lagS));
  }

  /** `unpriced`: those of the batch, which of a batch that comes again are counted again. */
  recorded(inserted: Inserted, { rejected, unpriced, durationMs }: { rejected: number; unpriced: number; durationMs: number }): void {
    this.unpriced.add(unpriced);
    this.events.add(inserted.settled, { result: 'settled' });
    this.events.add(inserted.orphaned, { result: 'orphaned' });
    this.events.add(inserted.late, { result: 'late_attempt' });
    this.events.add(inserted.duplicates, { result: 'duplicate' });
    this.events.add(rejected, { result: 'rejected' });
    this.batchSize.record(inserted.settled + inserted.orphaned + inserted.late + inserted.duplicates + rejected);
    this.insertDuration.record(durationMs / 1000);
  }
  budgetCorrected(nanoUsd: bigint): void {
    const direction = nanoUsd > 0n ? 'raised' : 'lowered';
    this.budgetDrift.add(Math.abs(Number(nanoUsd)) / 1e9, { direction });
    this.budgetCorrections.add(1, { direction });
  }
}
