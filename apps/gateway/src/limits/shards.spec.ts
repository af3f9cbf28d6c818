import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisProcess } from '@deja/testing';
import type { Measure } from './ask.ts';
import { ceiling, DAY_MS, LEASE_MS, LimitStage, unique, type Outcome } from '../../test/limit-stage.ts';

let server: RedisProcess;

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(() => server.stop());

const stage = (merged = true): LimitStage => new LimitStage(server, merged);
const refusal = ({ verdict }: Outcome): { measure: Measure | 'budget'; waitMs: number } | null =>
  verdict.kind !== 'refused' ? null : { measure: 'budget' in verdict.by ? 'budget' : verdict.by.measure, waitMs: verdict.waitMs };
const usedOf = ({ verdict }: Outcome): unknown => (verdict.kind === 'unseeded' ? null : verdict.ceilings[0]?.used);

describe('requests', () => {
  test('so many are admitted in any minute, to the second, and the wait that is told is the shortest that helps', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_minute: 2 });
    await at.admitted([limit]);
    at.ms += 20_000;
    await at.admitted([limit]);
    const refused = await at.ask([limit]);
    expect(refusal(refused)).toEqual({ measure: 'requests_per_minute', waitMs: 40_750 });
    at.ms += 40_749;
    expect(refusal(await at.ask([limit]))).toEqual({ measure: 'requests_per_minute', waitMs: 1 });
    at.ms += 1;
    expect(usedOf(await at.ask([limit]))).toEqual({ requests_per_minute: 2 });
    expect(refusal(await at.ask([limit]))?.waitMs).toBe(20_000);
  });

  test('so many are admitted in any day, over gaps without traffic too', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_day: 3 });
    for (const hours of [0, 5, 11]) {
      at.ms += hours * 3_600_000;
      await at.admitted([limit]);
    }
    expect(refusal(await at.ask([limit]))).toEqual({ measure: 'requests_per_day', waitMs: 8 * 3_600_000 + 750 });
    at.ms += 8 * 3_600_000 + 750;
    await at.admitted([limit]);
    at.ms += 3 * DAY_MS;
    expect(usedOf(await at.ask([limit]))).toEqual({ requests_per_day: 1 });
  });

  test('many at once get exactly the limit', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_minute: 100 });
    const outcomes = await Promise.all(Array.from({ length: 300 }, () => at.ask([limit])));
    expect(outcomes.filter(({ held }) => held !== null)).toHaveLength(100);
  });

  test('a limit of none never admits, and says so', async () => {
    expect(refusal(await stage().ask([ceiling({ requests_per_minute: 0 })]))).toEqual({ measure: 'requests_per_minute', waitMs: -1 });
    expect(refusal(await stage().ask([ceiling({ concurrency: 0 })]))).toEqual({ measure: 'concurrency', waitMs: -1 });
  });

  test('requests without tokens, calls or money leave nothing to settle', async () => {
    const at = stage();
    const held = await at.admitted([ceiling({ requests_per_minute: 5, requests_per_day: 5 })], { tokens: 9 });
    expect([at.shards.settleCalls(held, { tokens: 1, nanoUsd: 1n }), at.shards.addCalls(held, 5), at.shards.renewCalls([held])]).toEqual([[], [], []]);
  });

  test('an operation that is released never was', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_minute: 1, requests_per_day: 1 });
    await at.release(await at.admitted([limit]));
    await at.admitted([limit]);
    expect(refusal(await at.ask([limit]))).toMatchObject({ measure: 'requests_per_day' });
  });
});

describe('tokens', () => {
  test('what was reserved is replaced by what was used, more or less', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_minute: 1000, tokens_per_day: 1000 });
    const held = await at.admitted([limit], { tokens: 900, keptTokens: 100 });
    expect(refusal(await at.ask([limit], { tokens: 200 }))).toMatchObject({ measure: 'tokens_per_day' });
    await at.settle(held, 300);
    const more = await at.admitted([limit], { tokens: 600 });
    await at.settle(more, 699);
    expect(usedOf(await at.ask([limit], { tokens: 1 }))).toEqual({ tokens_per_minute: 1000, tokens_per_day: 1000 });
    expect(refusal(await at.ask([limit], { tokens: 1 }))).not.toBeNull();
  });

  test('settled twice, or released after that, changes nothing more', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_minute: 9, tokens_per_minute: 1000 });
    const held = await at.admitted([limit], { tokens: 900 });
    await at.settle(held, 300);
    await at.settle(held, 100);
    await at.release(held);
    expect(usedOf(await at.ask([limit]))).toEqual({ requests_per_minute: 2, tokens_per_minute: 300 });
  });

  test('a request that is larger than the limit never fits; others know when', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_minute: 100 });
    expect(refusal(await at.ask([limit], { tokens: 101 }))).toEqual({ measure: 'tokens_per_minute', waitMs: -1 });
    await at.admitted([limit], { tokens: 30 });
    at.ms += 10_000;
    await at.admitted([limit], { tokens: 60 });
    expect(refusal(await at.ask([limit], { tokens: 40 }))?.waitMs).toBe(50_750);
    expect(refusal(await at.ask([limit], { tokens: 41 }))?.waitMs).toBe(60_750);
  });

  test('a stream that goes on counts what it took beyond its reservation, in the minute in which it took it', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_minute: 100 });
    const held = await at.admitted([limit], { tokens: 20 });
    await at.add(held, 30);
    expect(usedOf(await at.ask([limit]))).toEqual({ tokens_per_minute: 50 });
    for (const _ of [1, 2, 3, 4, 5]) {
      at.ms += 30_000;
      await at.renew(held);
    }
    expect(usedOf(await at.ask([limit]))).toEqual({ tokens_per_minute: 0 });
    await at.add(held, 40);
    await at.add(held, 5);
    expect(usedOf(await at.ask([limit]))).toEqual({ tokens_per_minute: 45 });
    await at.settle(held, 75);
    expect(usedOf(await at.ask([limit]))).toEqual({ tokens_per_minute: 25 });
  });

  test('an operation that was never settled keeps what its prompt took', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_day: 1000 });
    await at.admitted([limit], { tokens: 900, keptTokens: 100 });
    at.ms += LEASE_MS - 1;
    expect(refusal(await at.ask([limit], { tokens: 500 }))).not.toBeNull();
    at.ms += 1;
    expect(usedOf(await at.ask([limit], { tokens: 500 }))).toEqual({ tokens_per_day: 600 });
  });

  test('one that was only slow is settled as if nothing had been', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_day: 1000 });
    const held = await at.admitted([limit], { tokens: 900, keptTokens: 100 });
    at.ms += LEASE_MS;
    await at.ask([limit]);
    await at.settle(held, 450);
    await at.settle(held, 450);
    expect(usedOf(await at.ask([limit]))).toEqual({ tokens_per_day: 450 });
  });

  test('a clock that goes back loses nothing', async () => {
    const at = stage();
    const limit = ceiling({ requests_per_minute: 2, tokens_per_minute: 100 });
    const first = await at.admitted([limit], { tokens: 10 });
    at.ms -= 30_000;
    const second = await at.admitted([limit], { tokens: 20 });
    expect(refusal(await at.ask([limit]))).not.toBeNull();
    await at.settle(first, 1);
    await at.release(second);
    expect(usedOf(await at.ask([limit]))).toEqual({ requests_per_minute: 2, tokens_per_minute: 1 });
  });

  test('tokens in the trillions are counted to the last, parts of one as a whole one, fewer than none as none', async () => {
    const at = stage();
    const limit = ceiling({ tokens_per_minute: Number.MAX_SAFE_INTEGER });
    const held = await at.admitted([limit], { tokens: 4e12 });
    expect(usedOf(await at.ask([limit], { tokens: 0.5 }))).toEqual({ tokens_per_minute: 4e12 + 1 });
    await at.settle(held, 0);
    expect(usedOf(await at.ask([limit], { tokens: -3 }))).toEqual({ tokens_per_minute: 1 });
  });
});

describe('calls under way', () => {
  test('so many are under way at once, and an end makes room', async () => {
    const at = stage();
    const limit = ceiling({ concurrency: 2 });
    const [one] = [await at.admitted([limit]), await at.admitted([limit])];
    expect(refusal(await at.ask([limit]))).toEqual({ measure: 'concurrency', waitMs: 1000 });
    await at.settle(one!, 0);
    await at.settle(one!, 0);
    expect(usedOf(await at.ask([limit]))).toEqual({ concurrency: 2 });
    expect(refusal(await at.ask([limit]))).not.toBeNull();
  });

  test('what is renewed stays, what is not makes room when its lease ends', async () => {
    const at = stage();
    const limit = ceiling({ concurrency: 2 });
    const alive = await at.admitted([limit]);
    await at.admitted([limit]);
    at.ms += LEASE_MS / 2;
    await at.renew(alive);
    at.ms += LEASE_MS / 2;
    expect(usedOf(await at.ask([limit]))).toEqual({ concurrency: 2 });
    expect(refusal(await at.ask([limit]))).not.toBeNull();
  });

  test('a process that was held up and comes back holds its calls again', async () => {
    const at = stage();
    const limit = ceiling({ concurrency: 1, tokens_per_day: 1000 });
    const held = await at.admitted([limit], { tokens: 500, keptTokens: 100 });
    at.ms += LEASE_MS;
    const other = await at.admitted([limit], { tokens: 1 });
    await at.renew(held);
    expect([await at.flights(limit), usedOf(await at.ask([limit]))]).toEqual(['2', { concurrency: 2, tokens_per_day: 501 }]);
    await at.settle(held, 7);
    await at.settle(other, 1);
    expect([await at.flights(limit), usedOf(await at.ask([limit]))]).toEqual([null, { concurrency: 1, tokens_per_day: 8 }]);
  });

  test('a Redis that lost everything knows the calls under way after one renewal', async () => {
    const at = stage();
    const limit = ceiling({ concurrency: 2, tokens_per_minute: 100 });
    const held = [await at.admitted([limit], { tokens: 10 }), await at.admitted([limit], { tokens: 10 })];
    await server.client.flushall();
    await at.renew(...held);
    await at.renew(...held);
    expect(refusal(await at.ask([limit]))).toMatchObject({ measure: 'concurrency' });
    for (const one of held) await at.settle(one, 5);
    expect(await at.flights(limit)).toBeNull();
  });

  test('thousands of leases are renewed, and swept, in steps', async () => {
    const at = stage();
    const limit = ceiling({ concurrency: 1000 });
    const held = await Promise.all(Array.from({ length: 250 }, () => at.admitted([limit])));
    expect(at.shards.renewCalls(held)).toHaveLength(3);
    await at.renew(...held);
    at.ms += LEASE_MS;
    for (const left of [151, 52, 3]) expect(usedOf(await at.ask([limit]))).toEqual({ concurrency: left });
  });
});

describe.each([true, false])('several limits at once (merged: %s)', (merged) => {
  test('a refusal by one charges none, on any shard', async () => {
    const at = stage(merged);
    const tenant = unique('t');
    const [wide, calls] = [ceiling({ requests_per_minute: 9, tokens_per_day: 100 }, { tenant }), ceiling({ concurrency: 9 }, { tenant })];
    const narrow = ceiling({ requests_per_minute: 1 }, { scope: 'global' });
    const shards = [{ name: tenant, ceilings: [wide, calls], budgets: [] }, { name: 'global', ceilings: [narrow], budgets: [] }];
    const charge = { tokens: 10, keptTokens: 1, nanoUsd: 0n, keptNanoUsd: 0n };
    expect((await at.reserve(shards, { operation: 'a', ...charge })).held).not.toBeNull();
    for (const operation of ['b', 'c']) expect(refusal(await at.reserve(shards, { operation, ...charge }))).toMatchObject({ measure: 'requests_per_minute' });
    expect(usedOf(await at.ask([wide]))).toEqual({ requests_per_minute: 2, tokens_per_day: 10 });
    expect(await at.flights(calls)).toBe('1');
  });

  test('the refusal that is told is the one that lasts longest', async () => {
    const at = stage(merged);
    const tenant = unique('t');
    const [minute, day] = [ceiling({ requests_per_minute: 1 }, { tenant }), ceiling({ requests_per_day: 1, concurrency: 1 }, { tenant })];
    const shards = [{ name: tenant, ceilings: [minute, day], budgets: [] }];
    await at.admitted([minute, day]);
    expect((await at.ask([minute, day])).verdict).toMatchObject({ kind: 'refused', by: { ceiling: day, measure: 'requests_per_day' }, waitMs: DAY_MS + 750 });
    expect(at.shards.asks([...shards, { name: 'global', ceilings: [], budgets: [] }], { operation: 'x', tokens: 0, keptTokens: 0, nanoUsd: 0n, keptNanoUsd: 0n })).toHaveLength(1);
  });

  test('how everything stands is told, and when a window is as empty as it gets', async () => {
    const at = stage(merged);
    const limit = ceiling({ requests_per_minute: 5, tokens_per_minute: 100, requests_per_day: 50, concurrency: 3 });
    const { verdict } = await at.ask([limit], { tokens: 7 });
    expect(verdict).toMatchObject({ ceilings: [{
      ceiling: limit, used: { requests_per_minute: 1, tokens_per_minute: 7, requests_per_day: 1, concurrency: 1 },
      resetMs: { requests_per_minute: 60_750, tokens_per_minute: 60_750, requests_per_day: DAY_MS + 750 },
    }] });
  });

  test('a tenant by the name of the shard of all has leases of its own operations', async () => {
    const at = stage(merged);
    const [own, all] = [ceiling({ concurrency: 5 }, { tenant: 'global' }), ceiling({ concurrency: 5 }, { scope: 'global' })];
    const { held } = await at.reserve([{ name: 'global', ceilings: [own], budgets: [] }, { name: 'global', ceilings: [all], budgets: [] }], { operation: unique('op'), tokens: 0, keptTokens: 0, nanoUsd: 0n, keptNanoUsd: 0n });
    await at.settle(held!, 0);
    expect([await at.flights(own), await at.flights(all)]).toEqual([null, null]);
  });

  test('an operation that asks again, not knowing how the first time went, holds once', async () => {
    const at = stage(merged);
    const limit = ceiling({ concurrency: 5, tokens_per_minute: 100 });
    await at.admitted([limit], { operation: 'twice', tokens: 40 });
    const held = await at.admitted([limit], { operation: 'twice', tokens: 70 });
    expect(usedOf(await at.ask([limit]))).toEqual({ concurrency: 2, tokens_per_minute: 70 });
    await at.settle(held, 0);
    expect(await at.flights(limit)).toBe('1');
  });
});
