import { expect, test } from '@jest/globals';
import { alertCondition } from '@deja/admin-api';
import fc from 'fast-check';
import { changedCondition, conditionWords, parseThreshold, type ConditionOptions } from './alert-conditions.ts';
import { parseSeconds } from './times.ts';

const seconds = fc.integer({ min: 60, max: 31_536_000 });
const scope = fc.constantFrom('*', 'acme', 'gpt-4o');
const options: fc.Arbitrary<ConditionOptions> = fc.record({
  metric: fc.constant('latency_ms' as const), above: fc.integer({ min: 1, max: 100_000 }), percentile: fc.integer({ min: 1, max: 99 }), window: fc.integer({ min: 60, max: 86_400 }), minRequests: fc.nat(1000), for: seconds, clear: seconds, tenant: scope, key: scope, model: scope,
}, { requiredKeys: ['metric', 'above'] });

test('a condition is one that the API takes, and is shown as it is typed', () => {
  fc.assert(fc.property(options, (typed) => {
    const condition = changedCondition(undefined, typed)!;
    expect(alertCondition.safeParse(condition).success).toBe(true);
    const read = Object.fromEntries(conditionWords(condition).slice(1).map((word) => word.split(' ')));
    const { metric: _metric, window, for: held, clear, minRequests, ...others } = typed;
    const shown = { ...others, ...(minRequests !== undefined && { 'min-requests': minRequests }) };
    expect(read).toMatchObject(Object.fromEntries(Object.entries(shown).map(([name, value]) => [name, String(value)])));
    const durations = Object.entries({ window, for: held, clear }).filter(([, value]) => value !== undefined);
    expect(durations.map(([name]) => parseSeconds(read[name]!))).toEqual(durations.map(([, value]) => value));
  }));
});

test('what is not named stays, what is named default goes', () => {
  fc.assert(fc.property(options, (typed) => {
    const current = changedCondition(undefined, typed)!;
    expect(changedCondition(current, {})).toEqual(current);
    const { window_s: _window, tenant: _tenant, ...rest } = current;
    expect(changedCondition(current, { window: 'default', allTenants: true })).toEqual(rest);
    expect(changedCondition(current, { metric: 'error_rate' })).toEqual({ metric: 'error_rate' });
  }));
  expect(changedCondition(undefined, { above: 1 })).toBeUndefined();
});

test.each([['4000', 4000], ['0.8', 0.8], ['80%', 0.8], ['99.9%', 0.999], ['-1', -1], ['0', 0]])('the threshold %s is %d', (text, value) => expect(parseThreshold(text)).toBe(value));
test.each(['', '%', '1e3', 'NaN', '4s', '1,5', '0x10'])('%j is no threshold', (text) => {
  expect(() => parseThreshold(text)).toThrow('write a number');
});
