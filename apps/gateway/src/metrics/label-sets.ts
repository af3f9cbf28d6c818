import type { Attributes } from '@opentelemetry/api';

interface Series<T> {
  labels: Attributes;
  kept: T;
}

/** By the values of one label, those of the labels behind it. */
interface Branch<T> {
  series: Series<T> | null;
  readonly next: Map<string, Branch<T>>;
}

const branch = <T>(): Branch<T> => ({ series: null, next: new Map() });

/**
 * What is kept for each series of one metric, found by the values of its labels. Labels are made once for a series: making them anew for every
 * request takes longer than counting. There are as many series as combinations of values, so values are to come from closed lists.
 */
export class LabelSets<T> {
  private readonly root = branch<T>();
  private readonly series: Series<T>[] = [];
  private readonly names: readonly string[];
  private readonly begin: () => T;

  constructor(names: readonly string[], begin: () => T) {
    this.names = names;
    this.begin = begin;
  }

  /** Values in the order of the names; a label whose value is empty is left out. Value by value: to join them into one key takes three times as long. */
  of(...values: readonly string[]): Series<T> {
    let at = this.root;
    for (const value of values) {
      let next = at.next.get(value);
      if (next === undefined) at.next.set(value, (next = branch<T>()));
      at = next;
    }
    if (at.series === null) this.series.push((at.series = { labels: labelsOf(this.names, values), kept: this.begin() }));
    return at.series;
  }

  all(): Iterable<Readonly<Series<T>>> {
    return this.series;
  }
}

function labelsOf(names: readonly string[], values: readonly string[]): Attributes {
  return Object.freeze(Object.fromEntries(names.map((name, at) => [name, values[at] ?? ''] as const).filter(([, value]) => value !== '')));
}
