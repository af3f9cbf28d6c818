import type { Meter } from '@opentelemetry/api';
import type { Differences } from './reconciliation-table.ts';

/** What was found when ledger and gateways were compared last, by whichever replica. */
export class DriftMetrics {
  differences: Differences = { missing: 0, surplus: 0, sumsDiffer: 0 };

  constructor(meter: Meter) {
    meter
      .createObservableGauge('deja.usage.drift', { description: 'Operations that were accepted and are nowhere (missing), are in the ledger and were never accepted (surplus), and sums of the ledger that are not those of its rows (sums)' })
      .addCallback((gauge) => {
        gauge.observe(this.differences.missing, { what: 'missing' });
        gauge.observe(this.differences.surplus, { what: 'surplus' });
        gauge.observe(this.differences.sumsDiffer, { what: 'sums' });
      });
  }
}
