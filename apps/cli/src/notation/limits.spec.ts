import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { applyLimits, limitWords, MEASURES, parseLimit } from './limits.ts';

const ceilings = fc.record(Object.fromEntries(MEASURES.map((measure) => [measure, fc.integer({ min: 1, max: 1_000_000_000_000 })])), { requiredKeys: [] });
const modelName = fc.oneof(fc.string({ minLength: 1, maxLength: 30 }), fc.constantFrom('a:b', 'x=1', '__proto__', 'requests_per_minute=1:gpt', 'constructor'));
const models = fc.dictionary(modelName, ceilings.filter((one) => Object.keys(one).length > 0), { minKeys: 1, maxKeys: 4 });
const scope = fc.tuple(ceilings, fc.option(models), fc.option(fc.constantFrom('open' as const, 'closed' as const, 'local_share' as const)))
  .map(([own, of, degraded]) => ({ ...own, ...(of !== null && { models: of }), ...(degraded !== null && { degraded }) }));

test('limits are shown as they are typed: what is shown makes the same limits again', () => {
  fc.assert(fc.property(scope, (limits) => expect(applyLimits({}, limitWords(limits).map(parseLimit))).toEqual(limits)));
});

test('limits that are not named stay, none takes away, and a model without limits is left out', () => {
  const limits = { requests_per_minute: 60, concurrency: 4, models: { 'gpt-4o': { tokens_per_day: 1000 } }, degraded: 'closed' as const };
  const changed = applyLimits(limits, ['requests_per_minute=90', 'concurrency=none', 'gpt-4o:tokens_per_day=none', 'o3:concurrency=2'].map(parseLimit));
  expect(changed).toEqual({ requests_per_minute: 90, models: { o3: { concurrency: 2 } }, degraded: 'closed' });
  expect(applyLimits(limits, ['gpt-4o:tokens_per_day=none', 'degraded=none'].map(parseLimit))).toEqual({ requests_per_minute: 60, concurrency: 4 });
});

test('taking all limits away, one by one, leaves none, whatever they were', () => {
  fc.assert(fc.property(scope, (limits) => {
    const away = limitWords(limits).map((shown) => parseLimit(shown.replace(/=[^=]*$/, '=none')));
    expect(applyLimits(limits, away)).toEqual({});
  }));
});

test.each(['concurrency=none', 'o3:requests_per_minute=none', 'gpt-4o:concurrency=none', 'degraded=none'])('%s where there is no such limit is wrong usage, and says what is there', (text) => {
  const limits = { requests_per_minute: 60, models: { 'gpt-4o': { tokens_per_day: 1000 } } };
  expect(() => applyLimits(limits, [parseLimit(text)])).toThrow(expect.objectContaining({ exitCode: 2, message: `${text} takes nothing away: what is there is requests_per_minute=60 and gpt-4o:tokens_per_day=1000.` }));
  expect(() => applyLimits({}, [parseLimit(text)])).toThrow('there is nothing of the kind');
});

test.each([['100k', 100_000], ['2M', 2_000_000], ['1.5k', 1500], ['1.001M', 1_001_000], ['10_000', 10_000]])('%s is %d', (text, value) => {
  expect(parseLimit(`tokens_per_day=${text}`)).toEqual({ measure: 'tokens_per_day', model: null, value });
});

test.each(['60', 'requests=60', 'requests_per_minute', 'requests_per_minute=', 'requests_per_minute=0', 'requests_per_minute=-1', 'requests_per_minute=1.5', 'requests_per_minute=1e3', 'requests_per_minute=60=60', ':requests_per_minute=60x', 'degraded=maybe', ''])(
  '%j is refused, and the message says what to write',
  (text) => expect(() => parseLimit(text)).toThrow(/write /),
);
