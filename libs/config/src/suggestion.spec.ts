import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { editDistance, suggestion } from './suggestion.ts';

test('a mistyped word is led back to the nearest known one, and a strange one to none', () => {
  const known = ['requests_per_minute', 'tokens_per_minute', 'concurrency'];
  expect(suggestion('request_per_minute', known)).toBe('requests_per_minute');
  expect(suggestion('tokens_per_mintue', known)).toBe('tokens_per_minute');
  expect(suggestion('colour', known)).toBeNull();
});

test('the distance is that of insertions, deletions, substitutions and swaps', () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(fc.property(word, word, (a, b) => {
    const distance = editDistance(a, b);
    expect(distance).toBe(editDistance(b, a));
    expect(distance === 0).toBe(a === b);
    expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
    expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
  }));
  expect(editDistance('wieght', 'weight')).toBe(1);
});
