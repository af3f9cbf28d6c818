/**
 * All items, in a random order in which each place is drawn among those left in proportion to their weights. Weight 0: only after all others.
 * Weighted sampling without replacement by exponential keys (Efraimidis and Spirakis 2006): one draw per item, one sort.
 */
export function weightedOrder<T>(items: readonly T[], weightOf: (item: T) => number, random: () => number): T[] {
  return items
    .map((item) => {
      const draw = random();
      const weight = weightOf(item);
      return { item, draw, key: weight > 0 ? -Math.log1p(-draw) / weight : Number.POSITIVE_INFINITY };
    })
    .toSorted((a, b) => (a.key === b.key ? a.draw - b.draw : a.key - b.key))
    .map(({ item }) => item);
}
