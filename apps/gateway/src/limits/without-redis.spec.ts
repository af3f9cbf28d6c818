import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess, startRedisCluster } from '@deja/testing';
import { budget, ceiling, unique } from '../../test/limit-stage.ts';
import { opening, paused, ReservingGateway, type GatewayOptions } from '../../test/reserver-stage.ts';
import type { BudgetCeiling, Ceiling, Shard } from './ask.ts';

let server: RedisProcess;
let goOn: () => void;
/** A connection of a test's own. */
let impatient: RedisClient | null = null;
const gateways: ReservingGateway[] = [];

beforeEach(async () => {
  server = await RedisProcess.start();
  goOn = () => undefined;
});
afterEach(async () => {
  for (const one of gateways.splice(0)) one.close();
  goOn();
  impatient?.disconnect();
  impatient = null;
  await server.stop();
});

/** Longer than in production, so that a Redis that is there is in time on a busy machine too. */
const DEADLINE_MS = 700;

function gateway(options: GatewayOptions = {}, redis: RedisClient = server.client): ReservingGateway {
  const made = new ReservingGateway(redis, { deadlineMs: DEADLINE_MS, ...options });
  gateways.push(made);
  return made;
}

/** Its scripts are known, so that what comes next is about Redis and not about them. */
async function warm(options: GatewayOptions = {}, redis: RedisClient = server.client): Promise<ReservingGateway> {
  const made = gateway(options, redis);
  await eventually('Redis to answer in time', async () => !(await made.reserve([shard({ ...ceiling({ concurrency: 1 }), degraded: 'open' })])).degraded);
  made.decisions.length = 0;
  return made;
}

const shard = (...limits: (Ceiling | BudgetCeiling)[]): Shard => ({ name: 't', ceilings: limits.filter((one) => 'counter' in one), budgets: limits.filter((one) => 'account' in one) });
const limitOf = (limits: Ceiling['limits'], degraded: Ceiling['degraded']): Ceiling => ({ ...ceiling(limits, { tenant: 't' }), degraded });
const usd = 1_000_000_000n;

const outages: [string, (at: RedisProcess) => Promise<void>][] = [
  ['stopped and holds its connections', async (at) => {
    goOn = await paused(at);
  }],
  ['killed', (at) => at.kill()],
];

describe.each(outages)('while Redis is %s', (_, begin) => {
  test('open admits everything, closed nothing, local_share this gateway’s part; none of them waits for it', async () => {
    const at = await warm({ replicas: 2 });
    await begin(server);
    // All of this comes about while Redis is still away.
    expect(await at.admittedOf(20, [shard(limitOf({ requests_per_minute: 10 }, 'open'))])).toHaveLength(20);
    await expect(at.reserve([shard(limitOf({ requests_per_minute: 10 }, 'closed'))])).rejects.toMatchObject({ code: 'overloaded', status: 503, retry: true, retryAfterMs: 1500 });
    expect(await at.admittedOf(20, [shard(limitOf({ requests_per_minute: 10 }, 'local_share'))])).toHaveLength(5);
    expect(at.isDegraded).toBe(true);
    expect(new Set(at.decisions)).toEqual(new Set(['admitted open', 'undecidable closed', 'admitted local_share', 'rate_limited local_share']));
  });

  test('each limit is decided by its own mode', async () => {
    const at = await warm({ replicas: 4 });
    await begin(server);
    const tight = limitOf({ tokens_per_day: 4000 }, 'local_share');
    const loose = limitOf({ requests_per_minute: 1 }, 'open');
    expect(await at.admittedOf(3, [shard(tight, loose)], { tokens: 500 })).toHaveLength(2);
    await expect(at.reserve([shard(tight, loose)], { tokens: 500 })).rejects.toMatchObject({ code: 'rate_limit_exceeded', type: 'tokens', retry: true });
    await expect(at.reserve([shard(tight, loose)], { tokens: 4001 })).rejects.toMatchObject({ code: 'rate_limit_exceeded', retry: false });
    await expect(at.reserve([shard(loose), { ...shard(limitOf({ concurrency: 9 }, 'closed')), name: 'global' }])).rejects.toMatchObject({ code: 'overloaded' });
  });

  test('a request that nothing limits is let through, unrecorded and without the cache', async () => {
    const at = await warm();
    await begin(server);
    expect(await at.reserve([], {}, { exactKeys: ['some'], presenceKey: 'other' })).toMatchObject({ degraded: true, exact: [], semanticPresent: false, tenantRevision: null });
  });

  test('of a budget what was last seen to be left of it is divided', async () => {
    const at = await warm({ replicas: 2, ledger: (accounts) => Promise.resolve(accounts.map(() => String(4n * usd))) });
    const limit: BudgetCeiling = { ...budget(10n * usd, { tenant: 't' }), degraded: 'local_share' };
    await eventually('the budget to be known', async () => (await at.reserve([shard(limit)])).reservation.budgets.length > 0);
    await begin(server);
    const first = await at.reserve([shard(limit)], { nanoUsd: 2n * usd });
    await expect(at.reserve([shard(limit)], { nanoUsd: 2n * usd })).rejects.toMatchObject({ code: 'overloaded' });
    await expect(at.reserve([shard(limit)], { nanoUsd: 7n * usd })).rejects.toMatchObject({ code: 'budget_exceeded' });
    at.reserver.settlement(first.reservation, { tokens: 0, nanoUsd: usd });
    expect((await at.reserve([shard(limit)], { nanoUsd: 2n * usd })).degraded).toBe(true);
  });

  test('calls that Redis had admitted and that still run count against this gateway’s share', async () => {
    const at = await warm({ replicas: 2 });
    const limit = limitOf({ concurrency: 4 }, 'local_share');
    const running = await at.reserve([shard(limit)]);
    await begin(server);
    expect(await at.admittedOf(3, [shard(limit)])).toHaveLength(1);
    at.reserver.settlement(running.reservation, { tokens: 0, nanoUsd: 0n });
    expect(await at.admittedOf(3, [shard(limit)])).toHaveLength(1);
  });
});

describe('a Redis that goes on after it was stopped', () => {
  test('has its late charges given back where the request was refused', async () => {
    const at = await warm();
    const limit = limitOf({ requests_per_minute: 10, tokens_per_minute: 100, concurrency: 3 }, 'closed');
    goOn = await paused(server);
    await expect(at.reserve([shard(limit)], { tokens: 10 })).rejects.toMatchObject({ code: 'overloaded' });
    expect(at.lateAnswers).toBe(0);
    goOn();
    await at.recovered();
    await eventually('the late answer', () => Promise.resolve(at.lateAnswers === 1));
    const { reservation: { states: [state] } } = await at.reserve([shard(limit)], { tokens: 1 });
    expect(state?.used).toEqual({ requests_per_minute: 1, tokens_per_minute: 1, concurrency: 1 });
    expect(at.errors).toEqual([]);
  });

  test('has them given back also where its answer cannot be heard any more', async () => {
    impatient = openRedis(server.url, { role: 'commands', name: 'test', logger: { info: () => undefined, warn: () => undefined }, commandTimeoutMs: 100 });
    await whenReady(impatient, 5000);
    const at = await warm({ deadlineMs: 50 }, impatient);
    const limit = limitOf({ tokens_per_minute: 100, concurrency: 3 }, 'closed');
    goOn = await paused(server);
    const heard = impatient.get('anything').then(() => true, () => false);
    await expect(at.reserve([shard(limit)], { tokens: 10 })).rejects.toMatchObject({ code: 'overloaded' });
    expect(await heard).toBe(false); // by now that of the request has timed out too
    goOn();
    await at.recovered();
    const other = gateway();
    await eventually('all of it to be back', async () => {
      const seen = await other.reserve([shard(limit)], { tokens: 1 });
      await other.settle(seen);
      const { used } = seen.reservation.states[0] ?? {};
      return used?.tokens_per_minute === 1 && used.concurrency === 1;
    });
  });

  test('keeps its late charges where the request was admitted, and has them settled like any other', async () => {
    const at = await warm();
    const limit = limitOf({ requests_per_minute: 10, tokens_per_minute: 100, concurrency: 3 }, 'open');
    goOn = await paused(server);
    const [running, done] = await Promise.all([at.reserve([shard(limit)], { tokens: 30 }), at.reserve([shard(limit)], { tokens: 40 })]);
    expect([running.degraded, running.reservation.states]).toEqual([true, []]);
    const settled = at.settle(done, 5);
    goOn();
    await settled;
    await at.recovered();
    await eventually('the late answers', () => Promise.resolve(at.lateAnswers === 2));
    await at.settle(running, 7);
    const { reservation: { states: [state] } } = await at.reserve([shard(limit)], { tokens: 1 });
    expect(state?.used).toEqual({ requests_per_minute: 3, tokens_per_minute: 13, concurrency: 1 });
  });

  test('is asked again after one probe, and what was counted without it is forgotten', async () => {
    const at = await warm();
    const limit = limitOf({ requests_per_minute: 2 }, 'local_share');
    goOn = await paused(server);
    expect(await at.admittedOf(5, [shard(limit)])).toHaveLength(2);
    const before = at.decisions.length;
    goOn();
    await at.recovered();
    await expect(at.reserve([shard(limit)])).rejects.toMatchObject({ code: 'rate_limit_exceeded' });
    expect(at.decisions.slice(before)).toEqual(['rate_limited redis']);
  });
});

describe('a Redis that comes back empty', () => {
  test('counts from now on what runs and was admitted without it', async () => {
    const at = await warm();
    at.leases.start();
    const calls = limitOf({ concurrency: 2 }, 'open');
    const money: BudgetCeiling = { ...budget(10n * usd, { tenant: 't', name: unique('b') }), degraded: 'open' };
    await server.kill();
    const running = await at.reserve([shard(calls, money)], { nanoUsd: 3n * usd });
    await server.restart();
    await at.recovered();
    await eventually('the call to count', async () => (await server.client.get(`${calls.counter}:flights`)) === '1' && (await server.client.hget(money.account.key, 'held')) === String(3n * usd));
    await at.settle(running, 0, usd);
    expect([await server.client.get(`${calls.counter}:flights`), await server.client.hget(money.account.key, 'held')]).toEqual([null, '0']);
  });
});

test('of a Redis Cluster only what a stopped master counts is decided without it', async () => {
  const cluster = await startRedisCluster();
  const redis = openRedis(cluster.url, { role: 'commands', name: 'test', logger: { info: () => undefined, warn: () => undefined } });
  try {
    await whenReady(redis, 5000);
    const stopped = await cluster.masterOf('{global}');
    const elsewhere = async (name: string): Promise<boolean> => (await cluster.masterOf(`{${name}}`)) !== stopped;
    let tenant = unique('tenant');
    while (!(await elsewhere(tenant))) tenant = unique('tenant');
    let at = gateway({ merged: false }, redis);
    while (!(await elsewhere(at.instance))) at = gateway({ merged: false }, redis);
    const shards = (...globally: Ceiling[]): Shard[] => [
      { name: tenant, ceilings: [{ ...ceiling({ requests_per_minute: 1000 }, { tenant }), degraded: 'closed' }], budgets: [] },
      { name: 'global', ceilings: globally, budgets: [] },
    ];
    const everybodys = (degraded: Ceiling['degraded']): Ceiling => ({ ...ceiling({ requests_per_minute: 1000 }, { scope: 'global' }), degraded });
    const open = { open: { ...opening(), tenant } };
    await eventually('Redis to answer in time', async () => (await at.reserve(shards(everybodys('open')), {}, open)).reservation.states.length === 2);
    goOn = await paused(stopped);
    const reserved = await at.reserve(shards(everybodys('open')), {}, open);
    expect([reserved.degraded, reserved.reservation.states.map((state) => state.ceiling.scope)]).toEqual([false, ['key']]);
    await expect(at.reserve(shards(everybodys('closed')), {}, open)).rejects.toMatchObject({ code: 'overloaded' });
    goOn();
    await at.recovered();
    expect((await at.reserve(shards(everybodys('closed')), {}, open)).reservation.states).toHaveLength(2);
  } finally {
    goOn();
    redis.disconnect();
    await cluster.stop();
  }
});
