import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BoundedLabel, OTHER } from './bounded-label.ts';

describe('a bounded label', () => {
  test('has the first values by name and `other` for the rest, and never changes what it said of a value', () => {
    const names = fc.array(fc.string({ maxLength: 128 }), { maxLength: 60 });
    fc.assert(fc.property(fc.nat(20), names, (max, values) => {
      const label = new BoundedLabel(max);
      const first = new Set([...new Set(values)].slice(0, max));
      for (const value of [...values, ...values]) expect(label.of(value)).toBe(first.has(value) ? value : OTHER);
    }));
  });

  test('has no more than its bound beside `other`, whatever comes', () => {
    const label = new BoundedLabel(200);
    const seen = new Set(Array.from({ length: 10_000 }, (_, n) => label.of(`model-${n}`)));
    expect(seen.size).toBe(201);
    expect(seen.has(OTHER)).toBe(true);
  });

  test('of 0 values is always `other`', () => {
    expect(new BoundedLabel(0).of('acme')).toBe(OTHER);
  });

  test('takes no text that is too long to be a name', () => {
    const label = new BoundedLabel(1);
    expect(label.of('x'.repeat(129))).toBe(OTHER);
    expect(label.of('acme')).toBe('acme');
  });

  test('gives no place to a value that is only asked about', () => {
    const label = new BoundedLabel(1);
    expect(label.ifKnown('made-up')).toBe(OTHER);
    expect(label.of('gpt-4o')).toBe('gpt-4o');
    expect(label.ifKnown('gpt-4o')).toBe('gpt-4o');
  });
});
