import { expect, test } from '@jest/globals';
import { ADMIN_OPERATIONS, MAX_ID_CHARS, pathParameters, type AdminOperation } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import fc from 'fast-check';
import { routeOf } from './admin-routes.ts';

const OPERATIONS: readonly AdminOperation[] = ADMIN_OPERATIONS;
const ACTIONS = ['rotate', 'drain', 'resume'];
/** Ids as they may be, also those that look like other addresses. */
const id = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), fc.array(fc.constantFrom('keys', 'p', 'drain', 'rotate', 'export', '..', ''), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')))
  .filter((text) => text !== '' && !/\p{Cc}/u.test(text));

test('whatever its ids, the address of an operation leads to it and to them', () => {
  fc.assert(
    fc.property(fc.constantFrom(...OPERATIONS), id, (operation, value) => {
      const names = pathParameters(operation);
      const path = operation.path.replaceAll(/\{\w+\}/g, () => value);
      // `POST deployments/p/drain` alone ends with an action; an id that does so is found behind it.
      expect(routeOf(operation.method, path)).toEqual({ operation, params: Object.fromEntries(names.map((name) => [name, value])) });
    }),
  );
});

test('no two operations share an address', () => {
  const addresses = OPERATIONS.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`);
  expect(new Set(addresses).size).toBe(addresses.length);
});

test.each([
  ['GET', ''], ['GET', '/'], ['GET', '/keys'], ['GET', 'keys/'], ['GET', 'key'], ['GET', 'keysx'], ['GET', 'xkeys'], ['PUT', 'keys'], ['HEAD', 'keys'], ['get', 'keys'], ['POST', 'keys/x'], ['POST', 'keys/rotate'], ['POST', 'keys//rotate/x'],
  ['GET', 'keys/a\nb'], ['GET', 'keys/a\0b'], ['GET', 'keys/\u007f'], ['GET', 'keys\n'], ['GET', `keys/${'x'.repeat(MAX_ID_CHARS + 1)}`], ['POST', `keys/${'x'.repeat(MAX_ID_CHARS + 1)}/rotate`], ['DELETE', 'usage/export'], ['POST', '{id}'], ['GET', 'usage/exports'],
])('%s %j is nothing', (method, path) => {
  expect(() => routeOf(method, path)).toThrow(DejaError);
});

test.each(ACTIONS)('an id may end in %s', (action) => {
  expect(routeOf('POST', `deployments/p/m/${action}/drain`).params).toEqual({ id: `p/m/${action}` });
});
