import { describe, expect, test } from '@jest/globals';
import { ALERT_METRICS, type AlertMetric } from '@deja/contracts';
import fc from 'fast-check';
import { alertCondition, alertConditionShown, alertReceivers } from './alert-fields.ts';
import { issueWords, memberAt } from './issues.ts';

/** Where, and what is wrong, first. */
function wrong(schema: { safeParse: typeof alertCondition.safeParse | typeof alertReceivers.safeParse }, given: unknown): [string, string] | null {
  const { error } = schema.safeParse(given, { error: issueWords });
  const [issue] = error?.issues ?? [];
  return issue === undefined ? null : [memberAt(issue.path), issue.message];
}
const problem = (metric: AlertMetric, above: number): string | null => wrong(alertCondition, { metric, above })?.[1] ?? null;

describe('a threshold', () => {
  test('below nothing makes no sense, of whichever metric', () => {
    fc.assert(fc.property(fc.constantFrom(...ALERT_METRICS), fc.double({ max: -1e-9, noNaN: true, noDefaultInfinity: true }), (metric, above) => {
      expect(wrong(alertCondition, { metric, above })).toEqual(['above', expect.stringMatching(/^write /)]);
    }));
  });

  test.each<[AlertMetric, number[], number[], string]>([
    ['error_rate', [0, 0.05, 1], [1.01, 80], 'write a share from 0 to 1, as 0.8 for 80 % (the command line takes 80%)'],
    ['cache_wrong_rate', [0, 1], [2], 'write a share from 0 to 1, as 0.8 for 80 % (the command line takes 80%)'],
    ['budget_used_share', [0, 0.8, 2, 100], [100.5], 'write a share of the budget from 0 to 100, as 0.8 for 80 % of it (the command line takes 80%)'],
    ['latency_ms', [0, 1e9], [-1], 'write a number of milliseconds, 0 or more, as 4000'],
    ['queue_lag_s', [0, 60], [-0.5], 'write a number of seconds, 0 or more, as 60'],
    ['ledger_drift', [0, 5], [-1], 'write a number of 0 or more'],
    ['cost_spike', [1, 3], [0, 0.99], 'write how many times as much as usual is too much, 1 or more, as 3'],
  ])('of %s is taken in its bounds, and what lies beyond is told what to write', (metric, good, bad, words) => {
    expect(good.map((above) => problem(metric, above))).toEqual(good.map(() => null));
    expect(bad.map((above) => problem(metric, above))).toEqual(bad.map(() => words));
  });

  test('of a rule that there is already is shown, whatever it is', () => {
    expect(alertConditionShown.safeParse({ metric: 'error_rate', above: 80 }).success).toBe(true);
  });
});

test.each([
  [{ metric: 'error_rate', window_s: 5 }, 'window_s', 'write a whole number of seconds from 60 to 2678400'],
  [{ metric: 'error_rate', for_s: 1.5 }, 'for_s', 'write a whole number of seconds from 0 to 31536000'],
  [{ metric: 'error_rate', min_requests: 2e9 }, 'min_requests', 'write a whole number of requests from 0 to 1000000000'],
  [{ metric: 'error_rate', tenant: '' }, 'tenant', 'must not be empty: write a name, or "*" for each by itself'],
  [{ metric: 'latency_ms', above: 1, percentile: 100 }, 'percentile', 'write a percentile above 0 and below 100, as 95'],
  [{ metric: 'latency_ms', above: '80%' }, 'above', 'write a number'],
  [{ metric: 'latency' }, 'metric', expect.stringMatching(/^write one of budget_used_share, /)],
])('the condition %j is refused with what to write', (given, param, words) => {
  expect(wrong(alertCondition, given)).toEqual([param, words]);
});

test.each([
  [[{ webhook: 'hooks.example.com' }], 'notify[0].webhook', 'write an address, as https://hooks.example.com/deja'],
  [[{ email: 'a@example.com' }, { email: 'nobody' }], 'notify[1].email', 'write an e-mail address'],
  [[{ email: ['a@example.com', 'nobody'] }], 'notify[0].email[1]', 'write an e-mail address'],
  [[{ email: 5 }], 'notify[0].email', 'write an e-mail address, or write a list'],
  [[{ webhook: 'https://hooks.example.com', secret: '' }], 'notify[0].secret', 'must not be empty: leave it out where nothing is to be signed'],
  [[], 'notify', 'must not be empty: name at least one receiver'],
])('the receivers %j are refused with what to write', (given, param, words) => {
  const [where, message] = wrong(alertReceivers, given) ?? ['', ''];
  expect([`notify${where}`, message]).toEqual([param, words]);
});
