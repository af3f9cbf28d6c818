import { expect, test } from '@jest/globals';
import { BUDGET_PERIODS, DEGRADED_MODES, usdText } from '@deja/contracts';
import fc from 'fast-check';
import { applyBudgets, budgetWords, parseBudget } from './budgets.ts';

const budget = fc.record({
  usd: fc.bigInt({ min: 0n, max: 10n ** 18n }).map(usdText),
  period: fc.constantFrom(...BUDGET_PERIODS),
  mode: fc.constantFrom('hard' as const, 'soft' as const),
  time_zone: fc.constantFrom('UTC', 'Europe/Zurich', 'Asia/Kathmandu'),
  model: fc.option(fc.oneof(fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !/,(hard|soft)(,|$)|,(zone|model|degraded)=/.test(name)), fc.constantFrom('a,b', 'model=x', 'llama/3:70b', 'soft')), { nil: undefined }),
  degraded: fc.option(fc.constantFrom(...DEGRADED_MODES), { nil: undefined }),
}).map(({ model, degraded, ...rest }) => ({ ...rest, ...(model !== undefined && { model }), ...(degraded !== undefined && { degraded }) }));

test('a budget is shown as it is typed: what is shown makes the same budget again', () => {
  fc.assert(fc.property(budget, (given) => expect(parseBudget(budgetWords(given))).toEqual(given)));
});

test.each([
  ['50/month', { usd: '50', period: 'month', mode: 'hard', time_zone: 'UTC' }],
  ['$12.50/day,soft', { usd: '12.5', period: 'day', mode: 'soft', time_zone: 'UTC' }],
  ['5/day,soft,zone=Europe/Zurich,model=gpt-4o', { usd: '5', period: 'day', mode: 'soft', time_zone: 'Europe/Zurich', model: 'gpt-4o' }],
  ['1/total,degraded=closed', { usd: '1', period: 'total', mode: 'hard', time_zone: 'UTC', degraded: 'closed' }],
  ['none/week', { usd: null, period: 'week', mode: 'hard', time_zone: 'UTC' }],
])('%s is understood', (text, expected) => expect(parseBudget(text)).toEqual(expected));

test.each(['50', '50/fortnight', '/month', 'fifty/month', '50/month,', '50/month,loud', '50/month,zone=', '50/month,degraded=x', '1.2.3/day', '0.0000000001/day', '-5/day', '50/month soft'])('%j is refused, and the message says what to write', (text) => {
  expect(() => parseBudget(text)).toThrow(/write /);
});

test('a budget takes the place of that of the same period, mode, zone and model; none takes it away; others stay', () => {
  const before = ['50/month', '40/month,soft', '5/day,model=gpt-4o'].map((text) => ({ ...parseBudget(text), usd: text.split('/')[0]! }));
  expect(applyBudgets(before, ['60/month', 'none/day,model=gpt-4o', 'none/week'].map(parseBudget)).map(budgetWords)).toEqual(['40/month,soft', '60/month']);
});
