import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DejaError, errorBody, ERRORS, type ErrorCode } from './errors.ts';
import { idTimeMs, newId } from './ids.ts';
import { nanoUsd, usdText } from './money.ts';

describe('money', () => {
  test('an amount as text and back is the same amount, to the nano-dollar', () => {
    fc.assert(fc.property(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), (amount) => expect(nanoUsd(usdText(amount))).toBe(amount)));
  });

  test.each([
    [0n, '0'],
    [1n, '0.000000001'],
    [-150n, '-0.00000015'],
    [1_500_000_000n, '1.5'],
  ])('%d nano-dollars read %s', (amount, text) => expect(usdText(amount)).toBe(text));

  test.each(['', '1e3', '1.', '.5', '0.0000000001', '1,5', ' 1', 'NaN'])('%j is not an amount', (text) => expect(() => nanoUsd(text)).toThrow(RangeError));
});

describe('ids', () => {
  test('are unique, are UUIDv7, and carry the time they were made', () => {
    const before = Date.now();
    const ids = Array.from({ length: 10_000 }, newId);
    const after = Date.now();
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(idTimeMs(id)).toBeGreaterThanOrEqual(before);
      expect(idTimeMs(id)).toBeLessThanOrEqual(after);
    }
  });
});

describe('errors', () => {
  test('the public body holds the public message and nothing of the cause', () => {
    const error = new DejaError('upstream_error', 'The provider failed.', { cause: new Error('sk-inner') });
    expect(errorBody(error)).toEqual({ error: { message: 'The provider failed.', type: 'api_error', param: null, code: 'upstream_error' } });
    expect(JSON.stringify(errorBody(error))).not.toContain('sk-inner');
  });

  test.each(Object.keys(ERRORS) as ErrorCode[])('%s has a status that its type fits', (code) => {
    const { status, type } = ERRORS[code];
    expect(type === 'api_error').toBe(status >= 500);
  });
});
