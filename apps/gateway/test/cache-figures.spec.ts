import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DejaError, type CacheSavings, type UsageRpc, type WrongRate } from '@deja/contracts';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { RedisProcess } from '@deja/testing';
import { RpcFailure, RpcTimeout } from '@deja/transport';
import { asked, CacheAdminStage, NO_SAVINGS, NOW_MS } from './cache-admin-stage.ts';
import { keep, quiet } from './cache-stage.ts';
import { scriptedAdmin, tokenOf, withToken } from './scripted-admin.ts';

const SAVINGS: CacheSavings = {
  requests: 8, hitsExact: 1, hitsSemantic: 1, savedNanoUsd: '1234567891', savedMs: 2345,
  reasons: [{ cache: 'BYPASS', reason: 'too_short', requests: 9 }, { cache: 'MISS', reason: 'no_entry', requests: 6 }],
};
const RATE: WrongRate = { tenant: 'acme', model: 'm', observations: 40.5, wrong: 1, rate: 0.025, low: 0.004, high: 0.11, stopped: false };
const DAY_MS = 86_400_000;

let server: RedisProcess;
let redis: RedisClient;
let stage: CacheAdminStage;

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  await whenReady(redis, 25_000);
});
beforeEach(async () => {
  await redis.flushall();
  stage = new CacheAdminStage(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

test('stats have what is held, what the ledger says was saved, and how often semantic answers were wrong', async () => {
  await keep(redis, {}, { similar: true });
  const { body } = await stage.admin({ askSavings: async () => SAVINGS, askWrongRates: async () => ({ rates: [RATE] }) }).stats(asked({}));
  expect(body).toEqual({
    object: 'cache_stats', tenant: null, exact_entries: 1, semantic_entries: 1, bytes: expect.any(Number), partial: false,
    savings: { from: '2026-03-01T12:00:00.000Z', to: '2026-03-31T12:00:00.000Z', requests: 8, hits_exact: 1, hits_semantic: 1, hit_rate: 0.25, saved_usd: '1.234567891', saved_seconds: 2.345, reasons: SAVINGS.reasons },
    wrong_rates: [RATE],
  });
});

test('each of them is asked of the same tenant, a token’s own whatever it asks for, and of the time that was asked for', async () => {
  const spans: UsageRpc['cache_savings']['request'][] = [];
  const tenants: (string | null)[] = [];
  const cache = stage.admin({
    askSavings: async (request) => (spans.push(request), NO_SAVINGS),
    askWrongRates: async ({ tenant }) => (tenants.push(tenant), { rates: [] }),
  });
  await cache.stats(asked({}));
  await cache.stats(asked({ tenant: 'acme', from: '2026-03-30T12:00:00Z', to: '2026-03-31T12:00:00Z' }));
  await cache.stats(asked({}, { tenant: 'own' }));
  await expect(cache.stats(asked({ tenant: 'other' }, { tenant: 'own' }))).rejects.toMatchObject({ code: 'not_found' });
  const usual = { fromMs: NOW_MS - 30 * DAY_MS, toMs: NOW_MS };
  expect(spans).toEqual([{ tenant: null, ...usual }, { tenant: 'acme', fromMs: NOW_MS - DAY_MS, toMs: NOW_MS }, { tenant: 'own', ...usual }]);
  expect(tenants).toEqual([null, 'acme', 'own']);
});

test('they are asked side by side: none waits for another', async () => {
  const { promise: savingsAsked, resolve: isAsked } = Promise.withResolvers<void>();
  const cache = stage.admin({
    askSavings: async () => (isAsked(), NO_SAVINGS),
    askWrongRates: async () => (await savingsAsked, { rates: [] }),
  });
  await expect(cache.stats(asked({}))).resolves.toMatchObject({ body: { wrong_rates: [] } });
  const other = Promise.withResolvers<void>();
  const reversed = stage.admin({
    askSavings: async () => (await other.promise, NO_SAVINGS),
    askWrongRates: async () => (other.resolve(), { rates: [] }),
  });
  await expect(reversed.stats(asked({}))).resolves.toMatchObject({ body: { savings: { requests: 0 } } });
});

const FAILURES: [string, () => Error][] = [
  ['does not answer in time', () => new RpcTimeout('pattern', 1)],
  ['fails', () => new RpcFailure('pattern')],
  ['has no database', () => new DejaError('overloaded', 'The ledger does not answer at the moment.')],
];
describe.each(FAILURES)('an app that %s', (_, error) => {
  test('leaves out its own figures alone', async () => {
    await keep(redis);
    const reject = (): Promise<never> => Promise.reject(error());
    const [noLedger, noSemantics, neither] = await Promise.all([{ askSavings: reject }, { askWrongRates: reject }, { askSavings: reject, askWrongRates: reject }].map(async (parts) => (await stage.admin(parts).stats(asked({}))).body));
    expect(noLedger).toMatchObject({ exact_entries: 1, savings: null, wrong_rates: [] });
    expect(noSemantics).toMatchObject({ exact_entries: 1, savings: { requests: 0 }, wrong_rates: null });
    expect(neither).toMatchObject({ exact_entries: 1, savings: null, wrong_rates: null });
  });
});

test.each([
  ['from=yesterday', 'from'], ['to=2026-13-01T00:00:00Z', 'to'], ['from=2026-03', 'from'], ['to=', 'to'],
  ['from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', 'from'], ['from=2026-04-01T00:00:00Z', 'from'], ['since=2026-03-01T00:00:00Z', 'since'],
])('GET cache/stats?%s is a 400 that names %s', async (query, param) => {
  const admin = await scriptedAdmin({ cache: stage.admin() });
  const reply = await admin.send({ method: 'GET', url: `/admin/v1/cache/stats?${query}` });
  await admin.close();
  expect([reply.statusCode, reply.json()]).toMatchObject([400, { error: { code: 'invalid_value', param } }]);
});

test('GET cache/stats of one tenant’s token is of that tenant', async () => {
  const admin = await scriptedAdmin({ cache: stage.admin({ askWrongRates: async ({ tenant }) => ({ rates: [{ ...RATE, tenant: tenant ?? 'all' }] }) }), script: tokenOf({ role: 'viewer', tenant: 'globex' }) });
  const reply = await admin.send({ method: 'GET', url: '/admin/v1/cache/stats', headers: withToken });
  await admin.close();
  expect(reply.json()).toMatchObject({ tenant: 'globex', wrong_rates: [{ tenant: 'globex' }] });
});
