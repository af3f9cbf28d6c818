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
  ['none/week', { usd: null, period: 'week', text: 'none/week' }],
  ['none/week,soft,model=gpt-4o', { usd: null, period: 'week', mode: 'soft', model: 'gpt-4o', text: 'none/week,soft,model=gpt-4o' }],
])('%s is understood', (text, expected) => expect(parseBudget(text)).toEqual(expected));

test.each(['50', '50/fortnight', '/month', 'fifty/month', '50/month,', '50/month,loud', '50/month,zone=', '50/month,degraded=x', '1.2.3/day', '0.0000000001/day', '-5/day', '50/month soft', 'none/month,degraded=open'])('%j is refused, and the message says what to write', (text) => {
  expect(() => parseBudget(text)).toThrow(/write /);
});

const budgetsOf = (...texts: string[]): Parameters<typeof applyBudgets>[0] => applyBudgets([], texts.map(parseBudget));

test('a budget takes the place of that of the same period, mode, zone and model; others stay', () => {
  const before = budgetsOf('50/month', '40/month,soft', '5/day,model=gpt-4o');
  expect(applyBudgets(before, ['60/month', '1/day'].map(parseBudget)).map(budgetWords)).toEqual(['40/month,soft', '5/day,model=gpt-4o', '60/month', '1/day']);
});

test.each([
  ['none/week', []],
  ['none/week,soft', ['1/week', '3/week,zone=Europe/Zurich', '4/week,model=gpt-4o']],
  ['none/week,zone=europe/zurich', ['1/week', '2/week,soft', '4/week,model=gpt-4o']],
  ['none/week,model=gpt-4o', ['1/week', '2/week,soft', '3/week,zone=Europe/Zurich']],
])('%s takes away every budget of that period that is as it says, and no other', (text, left) => {
  const before = budgetsOf('1/week', '2/week,soft', '3/week,zone=Europe/Zurich', '4/week,model=gpt-4o', '5/month');
  expect(applyBudgets(before, [parseBudget(text)]).map(budgetWords)).toEqual([...left, '5/month']);
});

test('whatever the budgets are, none of their periods leaves none, and each is taken away by all that it is', () => {
  const unlike = fc.uniqueArray(budget, { minLength: 1, maxLength: 6, selector: ({ period, mode, time_zone: zone, model }) => JSON.stringify([period, mode, zone, model]) });
  fc.assert(fc.property(unlike, (budgets) => {
    expect(applyBudgets(budgets, [...new Set(budgets.map(({ period }) => period))].map((period) => parseBudget(`none/${period}`)))).toEqual([]);
    const [first] = budgets;
    const all = `none/${first!.period},${first!.mode},zone=${first!.time_zone}${first!.model === undefined ? '' : `,model=${first!.model}`}`;
    expect(applyBudgets(budgets, [parseBudget(all)])).not.toContainEqual(first);
  }));
});

test('to take away what is not there is wrong usage, and says what is there', () => {
  expect(() => applyBudgets(budgetsOf('50/month', '40/month,soft'), [parseBudget('none/week')])).toThrow(expect.objectContaining({ exitCode: 2, message: 'none/week takes nothing away: what is there is 50/month and 40/month,soft.' }));
  expect(() => applyBudgets(budgetsOf('50/month'), [parseBudget('none/month,soft')])).toThrow(/^none\/month,soft takes nothing away/);
  expect(() => applyBudgets([], [parseBudget('none/month')])).toThrow('there is nothing of the kind');
});
