import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { spansOf } from './key-hours.ts';
import { grouping, isInScope } from './scope.ts';

const scope = (of: Partial<Record<'tenant' | 'key' | 'model', string>>) => ({ tenant: null, key: null, model: null, ...of });

describe('a scope', () => {
  test('of what is always one thing’s own: `*` is each that has the label, a name that one alone, nothing any', () => {
    const labels = { tenant: 'a', budget: '5/day' };
    expect([scope({}), scope({ tenant: '*' }), scope({ tenant: 'a' }), scope({ tenant: 'b' }), scope({ tenant: 'a', key: '*' })].map((one) => isInScope(labels, one))).toEqual([true, true, true, false, false]);
  });

  test('of sums has a column for each label that is told apart, and a name only as a value', () => {
    const values: unknown[] = [1];
    expect(grouping(scope({ tenant: `x' or true`, key: '*' }), values)).toEqual({ labels: ['tenant', 'key'], columns: ['s.tenant as tenant', 's.key as key'], conditions: ['s.tenant = $2'] });
    expect(values).toEqual([1, `x' or true`]);
    expect(grouping(scope({}), [])).toEqual({ labels: [], columns: [], conditions: [] });
  });
});

describe('hours that are missing', () => {
  test('are made in stretches of a day at most, each once', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 120 }), (hours) => {
      const latestFirst = hours.toSorted((a, b) => b - a);
      const spans = spansOf(latestFirst);
      const covered = spans.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)).toSorted((a, b) => b - a);
      expect(covered).toEqual(latestFirst);
      expect(spans.every(([from, to]) => to - from <= 24)).toBe(true);
    }));
  });
});
