import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import type { BudgetCeiling } from './ask.ts';
import { budget, ceiling, DAY_MS, LEASE_MS, LimitStage, START_MS, unique, type Outcome } from '../../test/limit-stage.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

/** With a budget of which so much is spent. */
async function stageWith(limit: bigint, spent: bigint | null, over: Parameters<typeof budget>[1] = {}): Promise<{ at: LimitStage; of: BudgetCeiling }> {
  const at = new LimitStage(server);
  const of = budget(limit, over);
  if (spent !== null) await at.seed(of, spent);
  return { at, of };
}
const refusal = ({ verdict }: Outcome): unknown =>
  verdict.kind === 'refused' && 'budget' in verdict.by ? { spent: verdict.by.budget.spentNanoUsd, held: verdict.by.budget.heldNanoUsd, waitMs: verdict.waitMs } : verdict.kind;

describe('budgets', () => {
  test('a hard budget admits what fits beside what is spent and held, to the nano-dollar', async () => {
    const { at, of } = await stageWith(1000n, 400n);
    await at.admitted([of], { nanoUsd: 350n });
    expect(refusal(await at.ask([of], { nanoUsd: 251n }))).toEqual({ spent: 400n, held: 350n, waitMs: 10 * DAY_MS });
    await at.admitted([of], { nanoUsd: 250n });
    expect(await at.money(of)).toEqual(['400', '600']);
  });

  test('where it is used up, what costs nothing is refused as well', async () => {
    const { at, of } = await stageWith(1000n, 999n);
    await at.admitted([of], { nanoUsd: 0n });
    await at.admitted([of], { nanoUsd: 1n });
    expect(refusal(await at.ask([of], { nanoUsd: 0n }))).toMatchObject({ spent: 999n, held: 1n });
  });

  test('a request that costs more than the whole budget never fits, and neither does any in one without a period that is used up', async () => {
    const { at, of } = await stageWith(1000n, 0n);
    expect(refusal(await at.ask([of], { nanoUsd: 1001n }))).toMatchObject({ waitMs: -1 });
    const { of: total } = await stageWith(1000n, 1000n, { toMs: null });
    expect(refusal(await at.ask([total], { nanoUsd: 1n }))).toMatchObject({ waitMs: -1 });
  });

  test('a soft budget is charged, told, and refuses nothing', async () => {
    const { at, of } = await stageWith(1000n, 5000n, { mode: 'soft' });
    const { verdict, held } = await at.ask([of], { nanoUsd: 70n });
    expect(verdict).toMatchObject({ kind: 'admitted', budgets: [{ budget: of, spentNanoUsd: 5000n, heldNanoUsd: 70n }] });
    await at.settle(held!, 0, 60n);
    expect(await at.money(of)).toEqual(['5060', '0']);
  });

  test('budgets that count the same share an account: it is charged once, and the tightest hard one refuses', async () => {
    const at = new LimitStage(server);
    const tenant = unique('t');
    const [soft, wide, narrow] = [budget(10n, { tenant, name: 'b', mode: 'soft' }), budget(900n, { tenant, name: 'b' }), budget(100n, { tenant, name: 'b' })];
    await at.seed(soft, 0n);
    const { verdict } = await at.ask([soft, wide, narrow], { nanoUsd: 60n });
    expect(verdict).toMatchObject({ budgets: [soft, wide, narrow].map((one) => ({ budget: one, spentNanoUsd: 0n, heldNanoUsd: 60n })) });
    expect((await at.ask([soft, wide, narrow], { nanoUsd: 60n })).verdict).toMatchObject({ kind: 'refused', by: { budget: { budget: narrow } } });
    expect(await at.money(soft)).toEqual(['0', '60']);
  });

  test('amounts beyond 2^53 are exact', async () => {
    const { at, of } = await stageWith(9_000_000_000_000_000_000n, 4_000_000_000_000_000_001n);
    const held = await at.admitted([of], { nanoUsd: 1_000_000_000_000_000_003n });
    await at.settle(held, 0, 9_007_199_254_740_995n);
    expect((await at.ask([of])).verdict).toMatchObject({ budgets: [{ spentNanoUsd: 4_009_007_199_254_740_996n, heldNanoUsd: 0n }] });
  });
});

describe('what was spent', () => {
  test('an account that Redis does not know charges nothing, and is named', async () => {
    const { at, of } = await stageWith(1000n, 1n);
    const [, tenant = ''] = /\{(.*)\}/.exec(of.account.key) ?? [];
    const [unknown, limit] = [budget(50n, { tenant, mode: 'soft' }), ceiling({ requests_per_minute: 1, concurrency: 1 }, { tenant })];
    expect((await at.ask([limit, of, unknown], { nanoUsd: 5n })).verdict).toEqual({ kind: 'unseeded', budgets: [unknown] });
    expect([await at.money(of), await at.money(unknown), await at.flights(limit)]).toEqual([['1', null], [null, null], null]);
    await at.seed(unknown, 7n);
    expect((await at.ask([limit, of, unknown], { nanoUsd: 5n })).verdict.kind).toBe('admitted');
    const again = budget(50n, { tenant });
    expect((await at.ask([limit, again])).verdict).toMatchObject({ kind: 'refused', by: { ceiling: limit } });
  });

  test('telling it does not overwrite what Redis knows by now', async () => {
    const { at, of } = await stageWith(1000n, 10n);
    await at.settle(await at.admitted([of], { nanoUsd: 50n }), 0, 40n);
    await at.seed(of, 10n);
    expect(await at.money(of)).toEqual(['50', '0']);
  });

  test('settled once, twice or after a release, it is counted once or not at all', async () => {
    const { at, of } = await stageWith(1000n, 0n);
    const [used, unused] = [await at.admitted([of], { nanoUsd: 500n }), await at.admitted([of], { nanoUsd: 500n })];
    await at.settle(used, 0, 30n);
    await at.settle(used, 0, 30n);
    await at.release(unused);
    await at.release(unused);
    await at.settle(unused, 0, 99n);
    expect(await at.money(of)).toEqual(['30', '0']);
  });

  test('of an operation that was never settled counts what the ledger says of it', async () => {
    const { at, of } = await stageWith(1000n, 0n);
    await at.admitted([of], { nanoUsd: 500n, keptNanoUsd: 20n });
    at.ms += LEASE_MS;
    expect((await at.ask([of], { nanoUsd: 900n })).verdict).toMatchObject({ kind: 'admitted', budgets: [{ spentNanoUsd: 20n, heldNanoUsd: 900n }] });
  });

  test('one that was only slow is settled, or goes on, as if its lease had not ended', async () => {
    const { at, of } = await stageWith(1000n, 0n);
    const [slow, running, dropped] = [await at.admitted([of], { nanoUsd: 100n, keptNanoUsd: 20n }), await at.admitted([of], { nanoUsd: 200n, keptNanoUsd: 3n }), await at.admitted([of], { nanoUsd: 300n, keptNanoUsd: 4n })];
    at.ms += LEASE_MS;
    await at.release((await at.ask([of])).held!);
    expect(await at.money(of)).toEqual(['27', '0']);
    await at.settle(slow, 0, 90n);
    await at.renew(running);
    await at.release(dropped);
    expect(await at.money(of)).toEqual(['90', '200']);
    await at.settle(running, 0, 1n);
    expect(await at.money(of)).toEqual(['91', '0']);
  });

  test('a Redis that lost everything holds again what is under way, and still wants to be told what was spent', async () => {
    const { at, of } = await stageWith(1000n, 100n);
    const held = await at.admitted([of], { nanoUsd: 500n });
    await server.client.flushall();
    await at.renew(held);
    expect((await at.ask([of])).verdict.kind).toBe('unseeded');
    await at.seed(of, 100n);
    expect(refusal(await at.ask([of], { nanoUsd: 500n }))).toMatchObject({ spent: 100n, held: 500n });
    await at.settle(held, 0, 450n);
    expect(await at.money(of)).toEqual(['550', '0']);
  });

  test('an account that is gone is not made anew by a settlement', async () => {
    const { at, of } = await stageWith(1000n, 0n);
    const held = await at.admitted([of], { nanoUsd: 500n });
    await server.client.del(of.account.key);
    await at.settle(held, 0, 30n);
    expect(await server.client.exists(of.account.key)).toBe(0);
  });
});

describe('how long it is kept', () => {
  test('an account lives until two days after its period; one without a period 400 days after its last use', async () => {
    const { at, of } = await stageWith(1000n, 0n, { toMs: START_MS + DAY_MS });
    const { of: total } = await stageWith(1000n, 0n, { toMs: null });
    await at.admitted([of]);
    expect(await server.client.ttl(of.account.key)).toBeGreaterThan(3 * 86_400 - 60);
    expect(await server.client.ttl(of.account.key)).toBeLessThanOrEqual(3 * 86_400 + 1);
    await server.client.expire(total.account.key, 1000);
    await at.admitted([total]);
    expect(await server.client.ttl(total.account.key)).toBeGreaterThan(400 * 86_400 - 60);
  });

  test('every key has an end, also those that a renewal makes', async () => {
    const own = new LimitStage(server);
    await server.client.flushall();
    const tenant = unique('t');
    const limits = [ceiling({ requests_per_minute: 5, tokens_per_minute: 100, requests_per_day: 5, concurrency: 5 }, { tenant }), budget(100n, { tenant }), budget(100n, { tenant, toMs: null })];
    for (const one of limits) if ('account' in one) await own.seed(one, 0n);
    const held = await own.admitted(limits, { tokens: 5, nanoUsd: 5n });
    const keys = async (): Promise<number> => {
      const all = await server.client.keys('*');
      for (const key of all) expect([key, await server.client.ttl(key)]).toEqual([key, expect.any(Number)]);
      for (const key of all) expect(await server.client.ttl(key)).toBeGreaterThan(0);
      return all.length;
    };
    expect(await keys()).toBe(7);
    await server.client.flushall();
    await own.renew(held);
    expect(await keys()).toBe(5);
  });
});
