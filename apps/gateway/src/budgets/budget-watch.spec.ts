import { metrics } from '@opentelemetry/api';
import { describe, expect, test } from '@jest/globals';
import type { BudgetState } from '../limits/ask.ts';
import { BudgetWatch } from './budget-watch.ts';

function watch(): { budgets: BudgetWatch; lines: [object, string][] } {
  const lines: [object, string][] = [];
  const warn = (figures: object, text: string): void => void lines.push([figures, text]);
  return { budgets: new BudgetWatch(metrics.getMeter('test'), { warn } as ConstructorParameters<typeof BudgetWatch>[1]), lines };
}

function state(spentNanoUsd: bigint, of: { key?: string; usd?: string; mode?: 'hard' | 'soft'; heldNanoUsd?: bigint } = {}): BudgetState {
  const { key = 'a', usd = '1', mode = 'soft', heldNanoUsd = 0n } = of;
  const account = { key, tenant: 't', clientKey: 'k', user: null, model: null, fromMs: 0, toMs: null };
  const budget = { usd, period: 'day', mode, time_zone: 'UTC' } as const;
  return { budget: { scope: 'key', model: null, budget, limitNanoUsd: BigInt(Number(usd) * 1e9), account, degraded: 'open' }, spentNanoUsd, heldNanoUsd };
}

describe('budgets that are being used up', () => {
  test('are told of once at 80 percent and once at 100, with what was spent of them', () => {
    const { budgets, lines } = watch();
    for (const spent of [0n, 799_999_999n, 800_000_000n, 900_000_000n, 1_000_000_000n, 2_000_000_000n, 850_000_000n]) budgets.saw([state(spent)]);
    expect(lines).toEqual([
      [{ scope: 'key', tenant: 't', of_key: 'k', user: null, model: null, period: 'day', mode: 'soft', usd: '1', spent_usd: '0.8' }, '80 % of a budget are spent'],
      [expect.objectContaining({ spent_usd: '1' }), 'a soft budget is used up'],
    ]);
  });

  test('one that jumps over both marks is told of as used up, and not of 80 percent as well', () => {
    const { budgets, lines } = watch();
    budgets.saw([state(5_000_000_000n, { mode: 'hard' })]);
    expect(lines.map(([, text]) => text)).toEqual(['a hard budget is used up']);
  });

  test('what is only reserved is not spent', () => {
    const { budgets, lines } = watch();
    budgets.saw([state(1n, { heldNanoUsd: 5_000_000_000n })]);
    expect(lines).toEqual([]);
  });

  test('each account is told of by itself, and anew when its amount was raised', () => {
    const { budgets, lines } = watch();
    budgets.saw([state(1_000_000_000n), state(1_000_000_000n, { key: 'b' })]);
    budgets.saw([state(1_700_000_000n, { usd: '2' })]);
    expect(lines.map(([, text]) => text)).toEqual(['a soft budget is used up', 'a soft budget is used up', '80 % of a budget are spent']);
  });

  test('a budget of nothing that nothing was spent of is no news', () => {
    const { budgets, lines } = watch();
    budgets.saw([state(0n, { usd: '0' })]);
    expect(lines).toEqual([]);
  });

  test('a model without a price is told of once', () => {
    const { budgets, lines } = watch();
    budgets.unpriced([]);
    for (const names of [['p/a'], ['p/a', 'p/b'], ['p/b']]) budgets.unpriced(names);
    expect(lines.map(([figures]) => figures)).toEqual([{ deployment: 'p/a' }, { deployment: 'p/b' }]);
  });
});
