import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tenantRevisionKey } from '@deja/contracts';
import { isUp, openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess, startRedisCluster, type RedisCluster } from '@deja/testing';
import { budget, ceiling, unique } from '../../test/limit-stage.ts';
import { opening, ReservingGateway, type GatewayOptions } from '../../test/reserver-stage.ts';
import type { BudgetCeiling, Ceiling, Shard } from './ask.ts';

let server: RedisProcess;
const opened: { close(): void | Promise<void> }[] = [];

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterAll(async () => {
  await closeAll();
  await server.stop();
});

async function closeAll(): Promise<void> {
  for (const one of opened.splice(0)) await one.close();
}

const quiet = { info: () => undefined, warn: () => undefined };

function gateway(options: GatewayOptions = {}, redis: RedisClient = server.client): ReservingGateway {
  const made = new ReservingGateway(redis, options);
  opened.push(made);
  return made;
}

async function connected(url: string): Promise<RedisClient> {
  const redis = openRedis(url, { role: 'commands', name: 'test', logger: quiet });
  opened.push({ close: () => redis.disconnect() });
  await whenReady(redis, 5000);
  return redis;
}

const shard = (...limits: (Ceiling | BudgetCeiling)[]): Shard => {
  const [first] = limits;
  const key = first === undefined ? '' : 'counter' in first ? first.counter : first.account.key;
  return { name: /\{(.*?)\}/.exec(key)?.[1] ?? '', ceilings: limits.filter((one) => 'counter' in one), budgets: limits.filter((one) => 'account' in one) };
};
const refused = (by: object): unknown => expect.objectContaining({ code: 'rate_limit_exceeded', ...by });

describe('limits', () => {
  test('three gateways, 300 requests at once, a limit of 100: exactly 100 are admitted', async () => {
    const gateways = await Promise.all([1, 2, 3].map(async () => gateway({}, await connected(server.url))));
    const limit = ceiling({ requests_per_minute: 100 });
    const results = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => gateways[i % 3]!.reserve([shard(limit)])));
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(100);
    expect(gateways.flatMap(({ decisions }) => decisions).toSorted()).toEqual([...Array<string>(100).fill('admitted redis'), ...Array<string>(200).fill('rate_limited redis')]);
  });

  test('when one refuses, nothing is charged: neither in its own shard nor in another', async () => {
    const at = gateway();
    const tenant = unique('t');
    const [wide, narrow] = [ceiling({ requests_per_minute: 100, tokens_per_minute: 1000 }, { tenant }), ceiling({ requests_per_minute: 0 }, { tenant })];
    const everybodys = ceiling({ requests_per_minute: 100 }, { scope: 'global' });
    await expect(at.reserve([shard(wide, narrow), shard(everybodys)], { tokens: 10 })).rejects.toEqual(refused({ retry: false }));
    const { reservation } = await at.reserve([shard(wide), shard(everybodys)], { tokens: 10 });
    expect(reservation.states.map(({ used }) => used)).toEqual([{ requests_per_minute: 1, tokens_per_minute: 10 }, { requests_per_minute: 1 }]);
  });

  test('the refusal names the limit, says when to come again, and has the states for the headers', async () => {
    const at = gateway();
    const limit = ceiling({ tokens_per_minute: 100 }, { model: 'gpt-4o' });
    await expect(at.reserve([shard(limit)], { tokens: 101 })).rejects.toEqual(refused({ type: 'tokens', retry: false, retryAfterMs: null }));
    await at.reserve([shard(limit)], { tokens: 60 });
    const error = await at.reserve([shard(limit)], { tokens: 60 }).then(() => null, (e: Error & { retryAfterMs: number; states: unknown[] }) => e);
    expect(error?.message).toBe('The limit of 100 tokens per minute of this key for the model gpt-4o is used up.');
    expect(error?.retryAfterMs).toBeGreaterThan(55_000);
    expect(error?.retryAfterMs).toBeLessThanOrEqual(61_000);
    expect(error?.states).toMatchObject([{ ceiling: limit, used: { tokens_per_minute: 60 } }]);
  });

  test('what was not used is given back at settlement, and settling again changes nothing', async () => {
    const at = gateway();
    const limit = ceiling({ tokens_per_minute: 1000, concurrency: 1 });
    const first = await at.reserve([shard(limit)], { tokens: 900 });
    await expect(at.reserve([shard(limit)], { tokens: 50 })).rejects.toEqual(refused({ message: 'The limit of 1 concurrent requests of this key is reached.', retryAfterMs: 1000 }));
    await at.settle(first, 100);
    await at.settle(first, 0);
    const second = await at.reserve([shard(limit)], { tokens: 900 });
    expect(second.reservation.states[0]?.used).toEqual({ tokens_per_minute: 1000, concurrency: 1 });
  });

  test('a Redis that forgot the scripts is taught them again', async () => {
    const at = gateway();
    const limit = ceiling({ requests_per_minute: 2 });
    for (let i = 0; i < 2; i++) {
      await server.client.script('FLUSH');
      await at.reserve([shard(limit)]);
    }
    await expect(at.reserve([shard(limit)])).rejects.toEqual(refused({}));
    expect(at.errors).toEqual([]);
  });
});

describe('the round trip before an answer', () => {
  test('records the opening, and brings the exact entry, the semantic mark and the tenant’s revision', async () => {
    const at = gateway();
    await server.client.mset('exact', 'entry', 'present', '1', tenantRevisionKey('t'), '42');
    const open = opening();
    const reserved = await at.reserve([], {}, { open, exactKeys: ['exact', 'other'], presenceKey: 'present' });
    expect(reserved).toMatchObject({ exact: [Buffer.from('entry'), null], semanticPresent: true, tenantRevision: 42, degraded: false });
    expect(JSON.parse((await server.client.hget(`deja:ops:{${at.instance}}:open`, open.id))!)).toMatchObject({ kind: 'open', tenant: 't' });
    await server.client.del(tenantRevisionKey('t'));
    expect(await at.reserve([], {}, { exactKeys: ['none'], presenceKey: 'none' })).toMatchObject({ exact: [null], semanticPresent: false, tenantRevision: null });
    expect(at.decisions).toEqual([]);
  });

  test('reads the exact cache where it is', async () => {
    const cache = await RedisProcess.start();
    opened.push({ close: () => cache.stop() });
    const at = gateway({ cache: cache.client });
    await cache.client.set('elsewhere', 'entry');
    expect((await at.reserve([], {}, { exactKeys: ['elsewhere'] })).exact).toEqual([Buffer.from('entry')]);
    await cache.kill();
    await eventually('the cache to be missed', () => Promise.resolve(!isUp(cache.client)));
    const without = await at.reserve([], {}, { exactKeys: ['elsewhere'] });
    expect([without.exact[0] ?? null, without.degraded]).toEqual([null, false]);
  });
});

describe('budgets', () => {
  const usd = 1_000_000_000n;

  test('that Redis does not know are asked of the ledger once, and then hold', async () => {
    const asked: string[][] = [];
    const at = gateway({
      ledger: (accounts) => {
        asked.push(accounts.map(({ key }) => key));
        return Promise.resolve(accounts.map(() => String(8n * usd)));
      },
    });
    const limit = budget(10n * usd);
    const first = await at.reserve([shard(limit)], { nanoUsd: usd });
    expect(first.reservation.budgets).toMatchObject([{ spentNanoUsd: 8n * usd, heldNanoUsd: usd }]);
    await expect(at.reserve([shard(limit)], { nanoUsd: 2n * usd })).rejects.toMatchObject({ code: 'budget_exceeded', retry: false, retryAfterMs: null });
    await at.settle(first, 0, usd / 2n);
    const second = await at.reserve([shard(limit)], { nanoUsd: usd });
    expect(second.reservation.budgets).toMatchObject([{ spentNanoUsd: 8n * usd + usd / 2n, heldNanoUsd: usd }]);
    expect(asked).toEqual([[limit.account.key]]);
    expect(at.decisions).toEqual(['admitted redis', 'over_budget redis', 'admitted redis']);
  });

  test('of a Redis that was emptied behind an open connection count what runs, as its concurrency does', async () => {
    const tenant = unique('t');
    const at = gateway({ ledger: (accounts) => Promise.resolve(accounts.map(() => '0')) });
    const limits = [ceiling({ concurrency: 2 }, { tenant }), budget(10n * usd, { tenant })] as const;
    await server.client.set(tenantRevisionKey('t'), '1');
    await at.reserve([shard(...limits)], { nanoUsd: 6n * usd });
    await server.client.flushall();
    await expect(at.reserve([shard(...limits)], { nanoUsd: 6n * usd })).rejects.toMatchObject({ code: 'budget_exceeded' });
    const { reservation } = await at.reserve([shard(...limits)], { nanoUsd: 4n * usd });
    expect([reservation.budgets[0]?.heldNanoUsd, reservation.states[0]?.used]).toEqual([10n * usd, { concurrency: 2 }]);
  });

  test('of which nobody says what was spent are decided by their own mode, and the limits beside them by Redis', async () => {
    const tenant = unique('t');
    const limit = ceiling({ requests_per_minute: 5 }, { tenant });
    const unknown = budget(10n * usd, { tenant });
    const at = gateway({ replicas: 2 });
    await expect(at.reserve([shard(limit, { ...unknown, degraded: 'closed' })])).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1500 });
    const open = await at.reserve([shard(limit, { ...unknown, degraded: 'open' })], { nanoUsd: 100n * usd });
    expect([open.degraded, open.reservation.states[0]?.used]).toEqual([false, { requests_per_minute: 1 }]);
    await at.reserve([shard(limit, { ...unknown, degraded: 'local_share' })], { nanoUsd: 4n * usd });
    await expect(at.reserve([shard(limit, { ...unknown, degraded: 'local_share' })], { nanoUsd: 4n * usd })).rejects.toMatchObject({ code: 'overloaded' });
    await expect(at.reserve([shard(limit, { ...unknown, degraded: 'local_share' })], { nanoUsd: 11n * usd })).rejects.toMatchObject({ code: 'budget_exceeded' });
    expect(await server.client.exists(unknown.account.key)).toBe(0);
    expect((await at.reserve([shard(limit)])).reservation.states[0]?.used).toEqual({ requests_per_minute: 3 });
    expect(at.decisions).toEqual(['undecidable closed', 'admitted open', 'admitted local_share', 'undecidable local_share', 'over_budget local_share', 'admitted redis']);
  });
});

describe('on a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(async () => {
    await closeAll();
    await cluster.stop();
  });

  test('three gateways, 300 requests at once, a limit of 100: exactly 100 are admitted, whichever shard counts them', async () => {
    const gateways = await Promise.all([1, 2, 3].map(async () => gateway({ merged: false }, await connected(cluster.url))));
    const limit = ceiling({ requests_per_minute: 100 }, { tenant: 'acme' });
    const everybodys = ceiling({ requests_per_minute: 50 }, { scope: 'global' });
    const admitted = async (shards: Shard[]): Promise<number> => {
      const results = await Promise.allSettled(Array.from({ length: 300 }, (_, i) => gateways[i % 3]!.reserve(shards)));
      return results.filter((r) => r.status === 'fulfilled').length;
    };
    expect(await admitted([shard(limit)])).toBe(100);
    expect(await admitted([shard(ceiling({ requests_per_minute: 290 }, { tenant: 'acme' })), shard(everybodys)])).toBe(50);
    expect(gateways.some(({ isDegraded }) => isDegraded)).toBe(false);
  });

  test('what a later shard refuses, an earlier one gets back whole', async () => {
    const at = gateway({ merged: false }, await connected(cluster.url));
    const limit = ceiling({ requests_per_minute: 9, tokens_per_day: 100, concurrency: 9 }, { tenant: 'acme' });
    const none = ceiling({ concurrency: 0 }, { scope: 'global' });
    await expect(at.reserve([shard(limit), shard(none)], { tokens: 30 })).rejects.toEqual(refused({ message: 'The limit of 0 concurrent requests of everybody together is reached.' }));
    expect((await at.reserve([shard(limit)], { tokens: 40 })).reservation.states[0]?.used).toEqual({ requests_per_minute: 1, tokens_per_day: 40, concurrency: 1 });
  });
});
