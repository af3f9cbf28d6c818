import { expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, pathParameters } from './index.ts';

test('every operation has an id and an address of its own', () => {
  expect(new Set(ADMIN_OPERATIONS.map(({ id }) => id)).size).toBe(ADMIN_OPERATIONS.length);
  expect(new Set(ADMIN_OPERATIONS.map(({ method, path }) => `${method} ${path}`)).size).toBe(ADMIN_OPERATIONS.length);
});

test('what only looks does not count as a change, and a change is never a viewer\'s to make', () => {
  expect(ADMIN_OPERATIONS.filter(({ method, change }) => method === 'GET' && change)).toEqual([]);
  expect(ADMIN_OPERATIONS.filter(({ role, change }) => change && role === 'viewer')).toEqual([]);
});

test('addresses have at most one parameter: ids may hold slashes', () => {
  for (const operation of ADMIN_OPERATIONS) expect(pathParameters(operation).length).toBeLessThanOrEqual(1);
});
