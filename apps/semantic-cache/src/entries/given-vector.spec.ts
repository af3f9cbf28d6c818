import fc from 'fast-check';
import { readVector, writeVector } from './given-vector.ts';

test('a vector that was written is read as it was, at length 1', () => {
  const component = fc.float({ min: -100, max: 100, noNaN: true }).filter((x) => Math.abs(x) > 1e-3 || x === 0);
  fc.assert(
    fc.property(fc.array(component, { minLength: 1, maxLength: 64 }).filter((values) => values.some((x) => x !== 0)), (values) => {
      const length = Math.hypot(...values);
      const read = readVector(writeVector({ embedder: 'e', values: Float32Array.from(values) }));
      expect(read?.embedder).toBe('e');
      for (const [j, x] of values.entries()) expect(read?.values[j]).toBeCloseTo(x / length, 5);
    }),
  );
});

test.each([['nothing', ''], ['half a number', 'AAA='], ['zeros', Buffer.alloc(8).toString('base64')], ['what is no number', Buffer.from(Float32Array.of(NaN, 1).buffer).toString('base64')]])('%s is no vector', (_, values) => {
  expect(readVector({ embedder: 'e', values })).toBeNull();
});
