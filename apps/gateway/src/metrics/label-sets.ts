import type { Attributes } from '@opentelemetry/api';

interface Series<T> {
  labels: Attributes;
  kept: T;
}

/**
 * What is kept for each series of one metric, found by the values of its labels. Labels are made once for a series: making them anew for every
 * request takes longer than counting. There are as many series as combinations of values, so values are to come from closed lists.
 */
export class LabelSets<T> {
  private readonly series = new Map<string, Series<T>>();
  private readonly names: readonly string[];
  private readonly begin: () => T;

  constructor(names: readonly string[], begin: () => T) {
    this.names = names;
    this.begin = begin;
  }

  /** Values in the order of the names; a label whose value is empty is left out. */
  of(...values: readonly string[]): Series<T> {
    const key = values.join('\u0000');
    let found = this.series.get(key);
    if (found === undefined) this.series.set(key, (found = { labels: labelsOf(this.names, values), kept: this.begin() }));
    return found;
  }

  all(): Iterable<Readonly<Series<T>>> {
    return this.series.values();
  }
}

function labelsOf(names: readonly string[], values: readonly string[]): Attributes {
  return Object.freeze(Object.fromEntries(names.map((name, at) => [name, values[at] ?? ''] as const).filter(([, value]) => value !== '')));
}
