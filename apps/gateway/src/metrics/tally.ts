import type { Meter } from '@opentelemetry/api';
import { LabelSets } from './label-sets.ts';

/**
 * A counter that requests add to several times each: plain numbers on their way, handed over when somebody looks. The SDK's own counter sorts and
 * serialises its labels for every addition, which takes 0.4 to 2 µs; this one takes 0.1.
 */
export class Tally {
  private readonly sums: LabelSets<{ value: number }>;

  constructor(meter: Meter, { name, description, unit, labels }: { name: string; description: string; unit?: string; labels: readonly string[] }) {
    this.sums = new LabelSets(labels, () => ({ value: 0 }));
    meter.createObservableCounter(name, { description, ...(unit !== undefined && { unit }) }).addCallback((result) => {
      for (const { labels: of, kept } of this.sums.all()) result.observe(kept.value, of);
    });
  }

  /** `value` is not negative; `values` of the labels in their order. Adding 0 makes the series visible. */
  add(value: number, ...values: readonly string[]): void {
    this.sums.of(...values).kept.value += value;
  }
}
