import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cacheWords, parseCache, parseValidation, validationWords } from './policies.ts';

const part = fc.record({ enabled: fc.boolean(), ttl_s: fc.integer({ min: 1, max: 31_536_000 }) }, { requiredKeys: [] }).filter((one) => Object.keys(one).length > 0);
const rate = fc.double({ min: 0, max: 1, noNaN: true });
const rates = fc.dictionary(fc.constantFrom('gpt-4o', 'claude:latest', 'a b'), rate, { minKeys: 1 });
const decided = fc.record({ enabled: fc.boolean(), verification: fc.constantFrom('strict' as const, 'balanced' as const), max_wrong_rate: rate, max_wrong_rates: rates }, { requiredKeys: [] }).filter((one) => Object.keys(one).length > 0);
const policy = fc.record({ scope: fc.constantFrom('key' as const, 'user' as const, 'tenant' as const), exact: part, semantic: fc.oneof(part, decided) }, { requiredKeys: [] });
const bound = fc.integer({ min: 1, max: 1_000_000 });
const bounds = fc.record({ max_body_bytes: bound, max_messages: bound, max_input_tokens: bound, max_output_tokens: bound, over_output: fc.constantFrom('refuse' as const, 'clamp' as const) }, { requiredKeys: [] });

test('a cache policy is shown as it is typed, and goes away part by part', () => {
  fc.assert(fc.property(policy, (given) => {
    expect(cacheWords(given).map(parseCache).reduce((current, change) => change(current), {})).toEqual(given);
    expect(cacheWords(given).map((shown) => parseCache(shown.replace(/=.*/, '=default'))).reduce((current, change) => change(current), given)).toEqual({});
  }));
});

test('bounds of validation are shown as they are typed, and go away one by one', () => {
  fc.assert(fc.property(bounds, (given) => {
    expect(validationWords(given).map(parseValidation).reduce((current, change) => change(current), {})).toEqual(given);
    expect(validationWords(given).map((shown) => parseValidation(shown.replace(/=.*/, '=default'))).reduce((current, change) => change(current), given)).toEqual({});
  }));
});

test.each(['exact', 'exact=maybe', 'exact_ttl=long', 'scope=world', 'exactly=on', 'ttl=1h', 'max_wrong_rate=2', 'max_wrong_rate:m=x', 'max_wrong_rate:=0.1', 'verification=loose', ''])('%j is no cache policy, and the message says what one is', (text) => expect(() => parseCache(text)).toThrow(/write /));
test.each(['max_messages', 'max_messages=x', 'max_messages=-1', 'over_output=maybe', 'max_things=1', ''])('%j is no bound, and the message says what one is', (text) => expect(() => parseValidation(text)).toThrow(/write /));
