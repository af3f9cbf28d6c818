import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LazyOrder, precedes } from './lazy-order.ts';

const number = fc.constantFrom(0, 1, 2, 0.5, Number.POSITIVE_INFINITY);
const ranked = fc.array(fc.record({ rank: fc.constantFrom(-1, 0, 1, 2), measure: number, key: number, weight: fc.constant(1), inFlight: fc.constant(0) }));

test('what is taken comes out sorted by rank, measure and key, each item once', () => {
  fc.assert(fc.property(ranked, (of) => {
    const items = of.map((one, n) => ({ ...one, item: n }));
    const order = new LazyOrder([...items]);
    const taken = items.map(() => order.take()!);
    expect(order.take()).toBeUndefined();
    expect(taken.toSorted((a, b) => a - b)).toEqual(items.map(({ item }) => item));
    taken.slice(1).forEach((item, n) => expect(precedes(items[item]!, items[taken[n]!]!)).toBe(false));
  }));
});
