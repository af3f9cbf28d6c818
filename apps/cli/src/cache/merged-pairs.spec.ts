import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { byRisk, FirstOf, SeenPairs, type MergedPair } from './merged-pairs.ts';

const pair = (change: Partial<MergedPair>): MergedPair => ({ a: 'a', b: 'b', kind: 'surface', similarity: 0.9, explanation: '', tenant: 'acme', lines: [1, 2], wrong: 0.001, ...change });

test('the first of an order are the first of the sorted list, whatever the order they came in', () => {
  fc.assert(fc.property(fc.array(fc.integer()), fc.nat(8), (numbers, most) => {
    const first = new FirstOf<number>(most, (x, y) => x - y);
    for (const number of numbers) first.offer(number);
    expect(first.items).toEqual(numbers.toSorted((x, y) => x - y).slice(0, most));
  }));
});

test('the riskiest pair stands first: the higher bound, then the less sure kind, then the less similar', () => {
  const sorted = [pair({ wrong: 0.02, kind: 'same_text' }), pair({ kind: 'paraphrase' }), pair({ kind: 'synonym', similarity: 0.6 }), pair({ kind: 'synonym', similarity: 0.7 }), pair({ kind: 'same_text' })];
  expect(sorted.toReversed().sort(byRisk)).toEqual(sorted);
});

test('a pair is told once for each tenant, and the other way round it is another', () => {
  const seen = new SeenPairs();
  expect([pair({}), pair({}), pair({ tenant: 'beta' }), pair({ a: 'b', b: 'a' })].map((one) => seen.isNew(one))).toEqual([true, false, true, true]);
});
