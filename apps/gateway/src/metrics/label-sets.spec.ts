import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LabelSets } from './label-sets.ts';

const value = fc.constantFrom('', 'a', 'b', 'a\u0000b', '__proto__');

test('what is kept for some values of labels is kept for them alone, in the order in which they came', () => {
  fc.assert(fc.property(fc.array(fc.tuple(value, value, value)), (all) => {
    const sets = new LabelSets(['x', 'y', 'z'], () => ({ count: 0 }));
    const counts = new Map<string, number>();
    for (const values of all) {
      sets.of(...values).kept.count++;
      const key = JSON.stringify(values);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const series = [...sets.all()];
    expect(series.map(({ kept }) => kept.count)).toEqual([...counts.values()]);
    expect(series.map(({ labels }) => ['x', 'y', 'z'].map((name) => labels[name] ?? ''))).toEqual([...counts.keys()].map((key) => JSON.parse(key) as string[]));
  }));
});

test('a label without a value is left out, and labels of a series are always the same frozen object', () => {
  const sets = new LabelSets(['x', 'y'], () => null);
  expect(sets.of('', 'b').labels).toEqual({ y: 'b' });
  expect(sets.of('', 'b').labels).toBe(sets.of('', 'b').labels);
  expect(Object.isFrozen(sets.of('a', 'b').labels)).toBe(true);
});
