import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RetryBudget } from './retry-budget.ts';

const share = fc.double({ min: 0, max: 1, noNaN: true });
const steps = fc.array(fc.record({ afterMs: fc.nat(5000), what: fc.constantFrom('call' as const, 'repeat' as const) }), { maxLength: 300 });

test('whatever happens, repeats stay within what was saved at first, a few a second, and the share of the calls', () => {
  fc.assert(fc.property(steps, share, (events, part) => {
    const budget = new RetryBudget();
    let [nowMs, calls, repeats] = [0, 0, 0];
    for (const { afterMs, what } of events) {
      nowMs += afterMs;
      if (what === 'call') {
        calls += 1;
        budget.deposit('d', part, nowMs);
      } else if (budget.withdraw('d', nowMs)) repeats += 1;
      expect(repeats).toBeLessThanOrEqual(20 + (3 * nowMs) / 1000 + part * calls + 1e-6);
    }
  }));
});

test('a deployment that is repeated without end still gets a few a second, and its share where it gets calls', () => {
  const budget = new RetryBudget();
  const taken = (nowMs: number): number => {
    let count = 0;
    while (budget.withdraw('d', nowMs)) count += 1;
    return count;
  };
  expect(taken(0)).toBe(20);
  expect(taken(1000)).toBe(3);
  for (let i = 0; i < 40; i++) budget.deposit('d', 0.25, 1000);
  expect(taken(1000)).toBe(10);
  expect(taken(3_600_000)).toBe(20);
});

test('deployments have a budget each, and a clock that is set back gives nothing', () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 20; i++) budget.withdraw('a', 10_000);
  expect(budget.withdraw('a', 0)).toBe(false);
  expect(budget.withdraw('b', 0)).toBe(true);
  expect(budget.withdraw('a', 10_334)).toBe(true);
});

test('more deployments than anybody has are forgotten as soon as nothing is known against them', () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 5000; i++) budget.deposit(`d${i}`, 0.1, i);
  expect((budget as unknown as { buckets: Map<string, unknown> }).buckets.size).toBeLessThanOrEqual(1000);
});
