import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Budget } from '@deja/contracts';
import { RedisProcess } from '@deja/testing';
import fc from 'fast-check';
import { LimitHistory, step } from '../../test/limit-history.ts';
import { worldOf } from '../../test/limit-model.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const limitOf = (max: number): fc.Arbitrary<number | undefined> => fc.option(fc.integer({ min: Math.ceil(max / 4), max }), { nil: undefined, freq: 3 });
const limits = fc.record({ requests_per_minute: limitOf(6), tokens_per_minute: limitOf(150), requests_per_day: limitOf(20), tokens_per_day: limitOf(600), concurrency: limitOf(6) });
const amount = fc.oneof({ weight: 1, arbitrary: fc.bigInt({ min: 300n, max: 4000n }) }, { weight: 3, arbitrary: fc.constant(10n ** 9n) });
const money = fc.record({ limit: amount, mode: fc.constantFrom<Budget['mode'][]>('hard', 'soft'), spent: fc.bigInt({ min: 0n, max: 500n }) });
const world = fc.record({ tenant: limits, key: limits, model: limits, all: limits, tenantBudget: money, allBudget: money });

test.each([true, false])(
  'whatever comes, ends, is broken off, grows or dies, everything is decided as if all of it were written down and counted (merged: %s)',
  async (merged) => {
    await fc.assert(
      fc.asyncProperty(world, fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), async (spec, steps) => {
        const limited = worldOf(spec);
        const history = new LimitHistory(limited, server, merged);
        for (const [budget, spent] of limited.spent) await history.at.seed(budget, spent);
        for (const one of steps) await history.play(one);
        history.compareWindows();
        await history.compareLeftovers();
        expect(history.differences).toEqual([]);
      }),
      { numRuns: 100 },
    );
  },
  120_000,
);
