import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { budget, ceiling, charge, unique } from '../../test/limit-stage.ts';
import type { BudgetCeiling, Ceiling, Charge, Measure, Shard } from './ask.ts';
import { LocalShare, type LocalVerdict } from './local-share.ts';
import { MEASURES } from './measures.ts';

const shard = (...limits: (Ceiling | BudgetCeiling)[]): Shard => ({ name: 't', ceilings: limits.filter((one) => 'counter' in one), budgets: limits.filter((one) => 'account' in one) });
const NOW_MS = Date.UTC(2026, 10, 26, 12) + 250;

/** How many of so many requests are admitted. */
function admittedOf(count: number, share: LocalShare, shards: Shard[], { over = {}, nowMs = NOW_MS, replicas = 1 }: { over?: Partial<Charge>; nowMs?: number; replicas?: number } = {}): number {
  return Array.from({ length: count }, () => share.admit(shards, charge(over), nowMs, replicas)).filter(({ kind }) => kind === 'admitted').length;
}

describe('a gateway’s share of a limit', () => {
  test.each([[10, 1, 10], [10, 3, 3], [10, 11, 1], [1, 2, 1], [0, 1, 0]])('a limit of %d with %d live gateways: %d each', (limit, replicas, expected) => {
    for (const limits of [{ requests_per_minute: limit }, { requests_per_day: limit }]) {
      expect(admittedOf(20, new LocalShare(), [shard(ceiling(limits))], { replicas })).toBe(expected);
    }
  });

  test('is taken whole or not at all', () => {
    const share = new LocalShare();
    const [wide, narrow] = [ceiling({ requests_per_minute: 2 }), ceiling({ tokens_per_day: 10 })];
    expect(share.admit([shard(wide, narrow)], charge({ tokens: 11 }), NOW_MS, 1)).toMatchObject({ kind: 'refused', waitMs: -1 });
    expect(admittedOf(5, share, [shard(wide)])).toBe(2);
  });

  test('what is larger than the share and not than the limit may come again: Redis may be back', () => {
    expect(new LocalShare().admit([shard(ceiling({ tokens_per_minute: 100 }))], charge({ tokens: 60 }), NOW_MS, 2)).toMatchObject({ kind: 'refused', waitMs: 1000 });
  });

  test('the wait that is told is the one after which it is admitted, over all limits that refuse', () => {
    const share = new LocalShare();
    const limits = [shard(ceiling({ requests_per_minute: 1 }), ceiling({ requests_per_day: 1 }))];
    expect(admittedOf(1, share, limits)).toBe(1);
    const verdict = share.admit(limits, charge(), NOW_MS, 1);
    expect(verdict).toMatchObject({ kind: 'refused', waitMs: 86_401_000 - 250 });
    expect(admittedOf(1, share, limits, { nowMs: NOW_MS + 86_401_000 - 251 })).toBe(0);
    expect(admittedOf(1, share, limits, { nowMs: NOW_MS + 86_401_000 - 250 })).toBe(1);
  });

  test('calls under way count whoever admitted them', () => {
    const share = new LocalShare();
    const limit = ceiling({ concurrency: 2 });
    share.begun([limit]);
    expect(admittedOf(1, share, [shard(limit)])).toBe(1);
    share.begun([limit]);
    expect(share.admit([shard(limit)], charge(), NOW_MS, 1)).toMatchObject({ kind: 'refused', waitMs: 1000, by: { measure: 'concurrency' } });
    share.ended([limit]);
    expect(admittedOf(1, share, [shard(limit)])).toBe(1);
  });

  test('is used up by many short outages as by a long one, and whole again when its window is over', () => {
    const share = new LocalShare();
    const limit = ceiling({ requests_per_minute: 2 });
    expect(admittedOf(1, share, [shard(limit)])).toBe(1);
    share.redisDecides('t');
    expect(admittedOf(2, share, [shard(limit)])).toBe(1);
    share.redisDecides(null);
    expect(admittedOf(1, share, [shard(limit)])).toBe(0);
    expect(share.admit([shard(limit)], charge(), NOW_MS + 61_000, 1)).toEqual({ kind: 'admitted' });
  });
});

describe('a gateway’s share of a budget', () => {
  test('is used up by many short outages as by a long one, until Redis says how the budget stands', () => {
    const share = new LocalShare();
    const money = budget(100n);
    expect(share.admit([shard(money)], charge({ nanoUsd: 60n }), NOW_MS, 1)).toEqual({ kind: 'admitted' });
    share.redisDecides('other');
    share.redisDecides('t');
    expect(share.admit([shard(money)], charge({ nanoUsd: 60n }), NOW_MS, 1)).toMatchObject({ kind: 'refused', waitMs: -1 });
    expect(share.admit([shard(money)], charge({ nanoUsd: 30n }), NOW_MS, 1)).toEqual({ kind: 'admitted' });
    share.redisDecides(null);
    share.saw([{ budget: money, spentNanoUsd: 20n, heldNanoUsd: 0n }]);
    expect(share.admit([shard(money)], charge({ nanoUsd: 80n }), NOW_MS, 1)).toEqual({ kind: 'admitted' });
  });

  test('is what was last seen to be left of it, divided; settlement gives back what was not spent', () => {
    const share = new LocalShare();
    const money = budget(100n);
    share.saw([{ budget: money, spentNanoUsd: 30n, heldNanoUsd: 10n }]);
    const first = charge({ nanoUsd: 30n });
    expect(share.admit([shard(money)], first, NOW_MS, 2)).toEqual({ kind: 'admitted' });
    expect(share.admit([shard(money)], charge(), NOW_MS, 2)).toEqual({ kind: 'share_used' });
    expect(share.admit([shard(money)], charge({ nanoUsd: 61n }), NOW_MS, 2)).toMatchObject({ kind: 'refused', waitMs: -1 });
    share.settled(first.operation, { tokens: 0, nanoUsd: 10n });
    expect(share.admit([shard(money)], charge({ nanoUsd: 20n }), NOW_MS, 2)).toEqual({ kind: 'admitted' });
  });

  test('one that nobody has seen yet is taken to be unspent, a used up one refuses what costs nothing too, a soft one refuses nothing', () => {
    const share = new LocalShare();
    expect(share.admit([shard(budget(100n))], charge({ nanoUsd: 100n }), NOW_MS, 1)).toEqual({ kind: 'admitted' });
    const used = budget(100n);
    share.saw([{ budget: used, spentNanoUsd: 100n, heldNanoUsd: 0n }]);
    expect(share.admit([shard(used)], charge(), NOW_MS, 1)).toMatchObject({ kind: 'refused', by: { budget: { spentNanoUsd: 100n } } });
    expect(share.admit([shard({ ...used, budget: { ...used.budget, mode: 'soft' } })], charge({ nanoUsd: 900n }), NOW_MS, 1)).toEqual({ kind: 'admitted' });
  });

  test('two budgets that count the same are charged once', () => {
    const share = new LocalShare();
    const hard = budget(100n);
    const both = [shard(hard, { ...hard, budget: { ...hard.budget, mode: 'soft' } })];
    expect(admittedOf(20, share, both, { over: { nanoUsd: 10n } })).toBe(10);
  });
});

type Step = { do: 'admit'; tokens: number } | { do: 'wait'; ms: number } | { do: 'settle' | 'release'; which: number; tokens: number };

/** Everything that was ever admitted, counted anew for each question. */
class Model {
  readonly charges: { operation: string; second: number; tokens: number; over: boolean }[] = [];

  used(measure: Measure, second: number): number {
    const { counts, windowS } = MEASURES[measure];
    const counting = this.charges.filter((c) => c.second >= second - (windowS ?? 0));
    return counts === 'tokens' ? counting.reduce((sum, c) => sum + c.tokens, 0) : counting.length;
  }
}

test('whatever comes, is settled and given back, no window ever holds more than the share, and nothing is refused while there is room', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('admit' as const), tokens: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.nat(3000), fc.nat(70_000), fc.nat(50_000_000)) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'release' as const), which: fc.nat(50), tokens: fc.nat(40) }) },
  );
  const limits = fc.record({ requests_per_minute: fc.nat(8), tokens_per_minute: fc.nat(100), requests_per_day: fc.nat(20), tokens_per_day: fc.nat(300) }, { requiredKeys: [] });
  fc.assert(fc.property(limits, fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 80 }), (given, replicas, steps) => {
    const share = new LocalShare();
    const model = new Model();
    const limit = ceiling(given);
    const measures = Object.keys(given) as Measure[];
    const wrong: unknown[] = [];
    let nowMs = NOW_MS;
    const maxOf = (measure: Measure): number => given[measure as keyof typeof given] ?? 0;
    const shareOf = (measure: Measure): number => Math.max(1, Math.floor(maxOf(measure) / replicas));
    const neededOf = (measure: Measure, tokens: number): number => (MEASURES[measure].counts === 'tokens' ? tokens : 1);
    const fitsAt = (tokens: number, second: number): boolean =>
      measures.every((measure) => neededOf(measure, tokens) <= maxOf(measure) && model.used(measure, second) + neededOf(measure, tokens) <= shareOf(measure));
    /** In an empty window. */
    const everFits = (tokens: number): boolean => measures.every((measure) => neededOf(measure, tokens) <= shareOf(measure));
    for (const one of steps) {
      const second = Math.floor(nowMs / 1000);
      if (one.do === 'wait') nowMs += one.ms;
      else if (one.do === 'admit') {
        const asked = charge({ operation: unique('op'), tokens: one.tokens });
        const verdict: LocalVerdict = share.admit([shard(limit)], asked, nowMs, replicas);
        if ((verdict.kind === 'admitted') !== fitsAt(one.tokens, second)) wrong.push(verdict);
        if (verdict.kind === 'admitted') model.charges.push({ operation: asked.operation, second, tokens: one.tokens, over: false });
        const waited = verdict.kind === 'refused' && verdict.waitMs > 0 && everFits(one.tokens) ? Math.floor((nowMs + verdict.waitMs) / 1000) : null;
        if (waited !== null && !fitsAt(one.tokens, waited)) wrong.push(verdict);
      } else {
        const found = model.charges[one.which];
        if (found === undefined || found.over) continue;
        found.over = true;
        if (one.do === 'release') model.charges.splice(one.which, 1);
        const actual = one.do === 'settle' ? one.tokens : 0;
        found.tokens = actual;
        if (one.do === 'settle') share.settled(found.operation, { tokens: actual, nanoUsd: 0n });
        else share.released(found.operation);
      }
    }
    expect(wrong).toEqual([]);
  }), { numRuns: 300 });
});
