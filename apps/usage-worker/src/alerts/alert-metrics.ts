import type { AlertMetric } from '@deja/contracts';
import type { Counter, Histogram, Meter } from '@opentelemetry/api';

/** What alerts tell Prometheus and OTLP of themselves. Labels are from closed lists. */
export class AlertMetrics {
  private readonly evaluation: Histogram;
  private readonly failed: Counter;
  private readonly told: Counter;
  /** As of the last evaluation, where it is this replica's turn. */
  pending = 0;
  firing = 0;
  cut = 0;
  /** Whether this replica evaluates. */
  isEvaluator = false;

  constructor(meter: Meter) {
    this.evaluation = meter.createHistogram('deja.usage.alerts.evaluation.duration', {
      unit: 's',
      description: 'One evaluation of all alert rules',
      advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
    });
    this.failed = meter.createCounter('deja.usage.alerts.readings.failed', { description: 'Readings of alert metrics that failed, by metric: alerts of these do not change meanwhile' });
    this.told = meter.createCounter('deja.usage.alerts.events', { description: 'Alert events by state: firing, resolved, silenced' });
    for (const state of ['firing', 'resolved', 'silenced']) this.told.add(0, { state });
    meter.createObservableGauge('deja.usage.alerts', { description: 'Alerts by state: pending, firing, cut (beyond what one rule may have)' }).addCallback((gauge) => {
      gauge.observe(this.pending, { state: 'pending' });
      gauge.observe(this.firing, { state: 'firing' });
      gauge.observe(this.cut, { state: 'cut' });
    });
    meter.createObservableGauge('deja.usage.alerts.evaluator', { description: '1 on the replica whose turn it is to evaluate alerts' }).addCallback((gauge) => gauge.observe(this.isEvaluator ? 1 : 0));
  }

  /** What another replica evaluates is for that one to tell. */
  turnTaken(isOurs: boolean): void {
    this.isEvaluator = isOurs;
    if (!isOurs) [this.pending, this.firing, this.cut] = [0, 0, 0];
  }

  evaluated(durationMs: number): void {
    this.evaluation.record(durationMs / 1000);
  }

  readingFailed(metric: AlertMetric): void {
    this.failed.add(1, { metric });
  }

  eventTold(state: 'firing' | 'resolved' | 'silenced'): void {
    this.told.add(1, { state });
  }
}
