import { describe, expect, test } from '@jest/globals';
import type { Budget, Limits } from '@deja/contracts';
import type { BudgetState, Ceiling } from './ask.ts';
import { refusalOf, undecidable } from './refusal.ts';

const ceiling = (limits: Limits, more: Partial<Ceiling> = {}): Ceiling => ({ scope: 'tenant', model: null, counter: 'c', limits, degraded: 'open', ...more });
const budget = (period: Budget['period'], spentNanoUsd: bigint, heldNanoUsd: bigint, toMs: number | null, model: string | null = null): BudgetState => ({
  budget: {
    scope: 'key', model, limitNanoUsd: 10_000_000_000n, degraded: 'open', budget: { usd: '10', period, mode: 'hard', time_zone: 'Europe/Berlin' },
    account: { key: 'a', tenant: 't', clientKey: 'k', user: null, model, fromMs: 0, toMs },
  },
  spentNanoUsd,
  heldNanoUsd,
});

describe('what a client is told that is refused', () => {
  test('the limit, what it counts, whose it is and for which model', () => {
    expect(refusalOf({ ceiling: ceiling({ requests_per_minute: 100 }), measure: 'requests_per_minute' }, 1500, [])).toMatchObject({
      code: 'rate_limit_exceeded', status: 429, type: 'requests', retry: true, retryAfterMs: 1500, message: 'The limit of 100 requests per minute of this tenant is used up.',
    });
    expect(refusalOf({ ceiling: ceiling({ tokens_per_day: 5000 }, { scope: 'global', model: 'gpt-4o' }), measure: 'tokens_per_day' }, 7000, [])).toMatchObject({
      type: 'tokens', retryAfterMs: 7000, message: 'The limit of 5000 tokens per day of everybody together for the model gpt-4o is used up.',
    });
  });

  test('that a request which never fits is not worth a repeat', () => {
    expect(refusalOf({ ceiling: ceiling({ tokens_per_minute: 10 }, { scope: 'user' }), measure: 'tokens_per_minute' }, -1, [])).toMatchObject({
      retry: false, retryAfterMs: null, message: 'This request alone needs more than the limit of 10 tokens per minute of this user.',
    });
  });

  test('that one of its own requests has to end first', () => {
    expect(refusalOf({ ceiling: ceiling({ concurrency: 3 }, { scope: 'key' }), measure: 'concurrency' }, 1000, [])).toMatchObject({
      type: 'requests', retry: true, retryAfterMs: 1000, message: 'The limit of 3 concurrent requests of this key is reached.',
    });
  });

  test('the budget, its period, whose it is and when it begins anew; a repeat is of no use', () => {
    const toMs = Date.UTC(2026, 10, 30, 23);
    expect(refusalOf({ budget: budget('month', 10_000_000_000n, 0n, toMs, 'gpt-4o') }, 1000, [])).toMatchObject({
      code: 'budget_exceeded', status: 429, type: 'insufficient_quota', retry: false, retryAfterMs: null,
      message: 'The budget of 10 USD a month of this key for the model gpt-4o is used up. It resets at 2026-11-30T23:00:00Z (the first of the month in Europe/Berlin).',
    });
    expect(refusalOf({ budget: budget('total', 9_000_000_000n, 1_000_000_000n, null) }, -1, []).message).toBe('The budget of 10 USD in total of this key is used up by requests under way. It does not reset.');
    expect(refusalOf({ budget: budget('day', 9_000_000_000n, 0n, toMs) }, 1000, []).message).toBe(
      'This request may cost more than what is left of the budget of 10 USD a day of this key. It resets at 2026-11-30T23:00:00Z (midnight in Europe/Berlin).',
    );
  });

  test('that nothing can be said of limits at the moment', () => {
    expect(undecidable('Budgets', 1234)).toMatchObject({ code: 'overloaded', status: 503, retry: true, retryAfterMs: 1234, message: 'Budgets cannot be checked at the moment. Try again shortly.' });
  });
});
