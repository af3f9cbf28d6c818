import fc from 'fast-check';
import { pooled } from './pooling.ts';

const numbers = (vector: Float32Array | null): number[] => Array.from(vector!, (x) => Number(x.toFixed(4)));

test('one vector for each token becomes their mean, of length 1', () => {
  const answer = { dims: [1, 2, 2], data: Float32Array.of(6, 0, 0, 8) };
  expect(numbers(pooled(answer, 'mean'))).toEqual([0.6, 0.8]);
});

test('where [CLS] stands for the text, its vector is taken', () => {
  const answer = { dims: [1, 2, 2], data: Float32Array.of(0, 5, 9, 9) };
  expect(numbers(pooled(answer, 'first'))).toEqual([0, 1]);
});

test('a vector that the model pooled is only scaled', () => {
  const answer = { dims: [1, 2], data: Float32Array.of(3, 4) };
  expect(numbers(pooled(answer, 'mean'))).toEqual([0.6, 0.8]);
});

test('what has no direction is no vector', () => {
  expect(pooled({ dims: [1, 2], data: Float32Array.of(0, 0) }, 'mean')).toBeNull();
  expect(pooled({ dims: [1, 2], data: Float32Array.of(Number.NaN, 1) }, 'mean')).toBeNull();
  expect(pooled({ dims: [1, 3, 2], data: Float32Array.of(1, 1) }, 'mean')).toBeNull();
});

test('every vector has length 1', () => {
  fc.assert(fc.property(fc.array(fc.float({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 }), (row) => {
    const vector = pooled({ dims: [1, row.length], data: Float32Array.from(row) }, 'mean');
    const length = row.every((x) => x === 0) ? 0 : 1;
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(length, 5);
  }));
});
