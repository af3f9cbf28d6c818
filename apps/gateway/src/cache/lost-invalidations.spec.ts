import { expect, test } from '@jest/globals';
import type { Invalidation } from '@deja/contracts';
import { lostOf } from './lost-invalidations.ts';

const rule = (id: string, more: Partial<Invalidation> = {}): Invalidation => ({ id, tenant: 'acme', model: null, tag: null, entry: id, beforeMs: 1000, madeAtMs: 1000, ...more });

test('what Redis still has is not lost', () => {
  expect(lostOf([rule('1'), rule('2')], [rule('1'), rule('2'), rule('3')], 60_000, 1001)).toEqual([]);
});

test('a young one that is missing is lost, an old one was taken out when its answers were deleted', () => {
  expect(lostOf([rule('1'), rule('2', { madeAtMs: 50_000 })], [], 60_000, 70_000)).toEqual([rule('2', { madeAtMs: 50_000 })]);
});

test('one that was dropped for a wider one is not lost', () => {
  expect(lostOf([rule('1')], [rule('2', { entry: null, beforeMs: 2000 })], 60_000, 1001)).toEqual([]);
  expect(lostOf([rule('1')], [rule('2', { entry: null, beforeMs: 999 })], 60_000, 1001)).toEqual([rule('1')]);
});

test('of a Redis that was emptied all are lost, however old', () => {
  expect(lostOf([rule('1'), rule('2')], [], Infinity, 1e12)).toEqual([rule('1'), rule('2')]);
});
