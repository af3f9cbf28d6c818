import { jest } from '@jest/globals';
import type { AlertCondition, AlertSettings, Budget, Deployment, OperationRecord, RoutingSnapshot, WrongRate } from '@deja/contracts';
import { AlertMetrics } from '../src/alerts/alert-metrics.ts';
import type { OtherSources } from '../src/alerts/readings/reading-context.ts';
import { RuleReader } from '../src/alerts/readings/read-rules.ts';
import type { Reading } from '../src/alerts/readings/reading.ts';
import { ruleInForce } from '../src/alerts/rule.ts';
import { Cleanup, logger, telemetry } from './infrastructure.ts';
import { hit, HOUR_MS, NOW, Questions } from './questions.ts';
import { attemptRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const MINUTE = 60_000;
const DAY = 24 * HOUR_MS;
const cleanup = new Cleanup();
let questions: Questions;
let sources: OtherSources;
let reader: RuleReader;

beforeAll(async () => {
  questions = await Questions.of(cleanup);
});
afterAll(() => cleanup.run());

const budget = (usd: string, of: Partial<Budget> = {}): Budget => ({ usd, period: 'month', mode: 'soft', time_zone: 'UTC', ...of });
const deployment = { id: 'openai/m', provider: 'openai', kind: 'openai', baseUrl: '', apiVersion: null, upstreamModel: 'm', credentials: [], unavailableUntilMs: NOW + 1, trouble: 'failing' } satisfies Deployment;
const snapshot = (budgets: Partial<RoutingSnapshot['settings']['budgets']> = {}): RoutingSnapshot => ({
  version: 1, issuedAtMs: NOW, models: [], deployments: [deployment],
  settings: { budgets: { global: [], per_tenant: [], per_key: [], per_user: [], ...budgets }, cache: { semantic: { max_wrong_rate: 0.01, max_wrong_rates: { strict: 0 } } } } as unknown as RoutingSnapshot['settings'],
});

beforeEach(async () => {
  await questions.clear();
  await questions.pool.query('truncate usage.key_hours, usage.key_hours_made');
  sources = { snapshot: () => snapshot(), queueLagS: async () => 7, drift: () => ({ missing: 2, surplus: 0, sumsDiffer: 1 }), wrongRates: async () => [] };
  reader = new RuleReader({ ...sources, snapshot: () => sources.snapshot(), queueLagS: (nowMs) => sources.queueLagS(nowMs), drift: () => sources.drift(), wrongRates: () => sources.wrongRates(), pool: questions.pool, metrics: new AlertMetrics(telemetry.meter), logger });
});

const settings = (whens: AlertCondition[], budgets: AlertSettings['budgets']): AlertSettings => ({
  version: '1', silences: [], smtp: null, budgets,
  rules: whens.map((when, i) => ({ id: `r${i}`, name: `r${i}`, source: 'file', enabled: true, when, group_by: [], repeat_s: null, receivers: '' })),
});
/** What conditions read, each with the labels as `tenant=a key=k`, sorted; null where it cannot be read. */
async function readAll(whens: AlertCondition[], o: { budgets?: AlertSettings['budgets']; nowMs?: number } = {}): Promise<(Record<string, Pick<Reading, 'value' | 'threshold'>> | null)[]> {
  const given = settings(whens, o.budgets ?? { tenants: [], keys: [] });
  const read = await reader.read(given.rules.map(ruleInForce), given, o.nowMs ?? NOW);
  return given.rules.map(({ id }) => {
    const readings = read.get(id) ?? null;
    return readings && Object.fromEntries(readings.map(({ labels, value, threshold }) => [Object.entries(labels).map(([label, of]) => `${label}=${of}`).join(' '), { value, threshold }]));
  });
}
const read = async (when: AlertCondition, o: Parameters<typeof readAll>[1] = {}) => (await readAll([when], o))[0] ?? null;
const values = async (when: AlertCondition, o: Parameters<typeof readAll>[1] = {}) => {
  const all = await read(when, o);
  return all && Object.fromEntries(Object.entries(all).map(([labels, { value }]) => [labels, value]));
};
const received = (agoMs: number, over: Partial<OperationRecord> = {}) => questions.received(NOW - agoMs, over);
async function many(count: number, agoMs: number, over: Partial<OperationRecord> = {}): Promise<void> {
  for (let i = 0; i < count; i += 1) await received(agoMs, over);
}

describe('error rates and latencies', () => {
  test('are of the window, all together or each by itself or one alone, and null with too few requests', async () => {
    await many(3, MINUTE, { tenant: 'a', outcome: 'error', model: null, requestedModel: 'm' });
    await many(1, MINUTE, { tenant: 'a', requestedModel: 'm', model: 'm' });
    await many(2, MINUTE, { tenant: 'b', key: 'l', durationMs: 100 });
    await many(9, 10 * MINUTE, { tenant: 'b', outcome: 'error' });
    const when = { metric: 'error_rate', min_requests: 3 } as const;
    expect(await values(when)).toEqual({ '': 0.5 });
    expect(await values({ ...when, tenant: '*' })).toEqual({ 'tenant=a': 0.75, 'tenant=b': null });
    expect(await values({ ...when, tenant: 'a', model: '*' })).toEqual({ 'tenant=a model=m': 0.75 });
    expect(await values({ ...when, key: 'l', min_requests: 2 })).toEqual({ 'key=l': 0 });
    expect(await values({ ...when, window_s: 12 * 3600, tenant: 'b' })).toEqual({ 'tenant=b': 9 / 11 });
    const slow = await values({ metric: 'latency_ms', above: 1, percentile: 50, tenant: 'b', min_requests: 1 });
    expect(slow!['tenant=b']).toBeGreaterThan(84);
    expect(slow!['tenant=b']).toBeLessThan(119);
  });

  test('say nothing where there was no request', async () => {
    expect(await values({ metric: 'error_rate', min_requests: 0 })).toEqual({ '': null });
    expect(await values({ metric: 'latency_ms', above: 1 })).toEqual({ '': null });
    expect(await values({ metric: 'latency_ms', above: 1, tenant: '*' })).toEqual({});
  });
});

describe('budgets', () => {
  const cost = 420_000; // of one operation, nano-USD
  const given: AlertSettings['budgets'] = { tenants: [{ tenant: 'a', budgets: [budget('0.00084')] }], keys: [{ key: 'k', tenant: 'a', budgets: [], perUser: [budget('0.00042', { period: 'day' })] }] };

  test('are told by the share that is spent in their period, of everybody, tenants, keys and the users who spent', async () => {
    sources.snapshot = () => snapshot({ global: [budget('0.0042')], per_tenant: [budget('99')], per_key: [budget('0.00042', { model: 'm' })] });
    await received(2 * DAY, { tenant: 'a', key: 'k', user: 'ann', requestedModel: 'm:cost' });
    await received(MINUTE, { tenant: 'a', key: 'k', user: 'bob' });
    await received(40 * DAY, { tenant: 'a', key: 'k', user: 'ann' });
    const shares = await values({ metric: 'budget_used_share' }, { budgets: given });
    expect(shares).toEqual({ 'budget=0.0042/month': 0.2, 'tenant=a budget=0.00084/month': 1, 'tenant=a key=k model=m budget=0.00042/month': 1, 'tenant=a user=bob budget=0.00042/day': 1 });
    expect(Object.keys((await values({ metric: 'budget_used_share', key: '*' }, { budgets: given }))!)).toEqual(['tenant=a key=k model=m budget=0.00042/month']);
    // Later: what is new counts, whatever is remembered.
    await questions.received(NOW + MINUTE, { tenant: 'a', key: 'k', user: 'ann' });
    const later = await values({ metric: 'budget_used_share' }, { budgets: given, nowMs: NOW + 2 * MINUTE });
    expect(later).toMatchObject({ 'budget=0.0042/month': 0.3, 'tenant=a budget=0.00084/month': 1.5, 'tenant=a user=ann budget=0.00042/day': 1 });
  });

  test('are not read before there is a snapshot: budgets of deja.yaml are not known', async () => {
    sources.snapshot = () => null as never;
    expect(await read({ metric: 'budget_used_share' }, { budgets: given })).toBeNull();
  });

  test('are forecast by the same hours of a week ago, and how much more there has been so far', async () => {
    await received(7 * DAY + HOUR_MS, { tenant: 'a' });
    await many(2, 7 * DAY - HOUR_MS, { tenant: 'a' }); // still to come then
    await many(2, HOUR_MS, { tenant: 'a' }); // twice as much as then
    const tenants = [{ tenant: 'a', budgets: [budget('0.00084', { period: 'day' })] }];
    expect(await values({ metric: 'budget_forecast_share' }, { budgets: { tenants, keys: [] } })).toEqual({ 'tenant=a budget=0.00084/day': (2 * cost + 2 * 2 * cost) / 840_000 });
  });
});

describe('what is new', () => {
  test('is a model or a user that a key has not had before, unless the key is new itself', async () => {
    await received(5 * DAY, { tenant: 'a', key: 'old', user: 'ann', model: 'm' });
    await received(HOUR_MS, { tenant: 'a', key: 'old', user: 'ann', model: 'm', provider: 'other' });
    await received(MINUTE, { tenant: 'a', key: 'old', user: 'bob', model: 'n' });
    await received(HOUR_MS, { tenant: 'a', key: 'young', user: 'ann', model: 'm' });
    await received(MINUTE, { tenant: 'a', key: 'young', user: 'eve', model: 'n' });
    expect(await values({ metric: 'new_model' })).toEqual({ 'tenant=a key=old model=n': 1 });
    expect(await values({ metric: 'new_user' })).toEqual({ 'tenant=a key=old user=bob': 1 });
    expect(await values({ metric: 'new_user', key: 'young' })).toEqual({});
  });
});

describe('unknown prices', () => {
  test('are told by provider and model, and only those', async () => {
    const unpriced = { attempts: [attemptRecord({ price: null })] };
    await many(2, MINUTE, { tenant: 'a', model: 'm', provider: 'p', ...unpriced });
    await many(1, MINUTE, { tenant: 'b', model: 'm', provider: 'p', ...unpriced });
    await received(MINUTE, { tenant: 'a', model: 'n' });
    expect(await values({ metric: 'unknown_price' })).toEqual({ 'model=m provider=p': 3 });
    expect(await values({ metric: 'unknown_price', tenant: '*' })).toEqual({ 'tenant=a model=m provider=p': 2, 'tenant=b model=m provider=p': 1 });
  });
});

describe('spikes', () => {
  const usage = { promptTokens: 100_000, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0, reasoningTokens: 0 };
  const heavy = (times: number, over: Partial<OperationRecord> = {}): Partial<OperationRecord> => {
    const used = { ...usage, promptTokens: usage.promptTokens * times };
    return { usage: used, attempts: [attemptRecord({ usage: used })], ...over };
  };

  test('are measured against what is usual for the key at this hour, and silent for a key that nobody knows yet', async () => {
    for (let day = 1; day <= 12; day += 1) await received(day * DAY + 10 * MINUTE, heavy(1, { key: 'daily' }));
    for (let hour = 1; hour <= 20; hour += 1) await received(hour * 5 * HOUR_MS + 10 * MINUTE, heavy(1, { key: 'now-and-then', model: 'n' }));
    await received(5 * MINUTE, heavy(20, { key: 'daily' }));
    await received(5 * MINUTE, heavy(2, { key: 'now-and-then', model: 'n' }));
    await received(5 * MINUTE, heavy(90, { key: 'young' }));
    await received(5 * MINUTE, { ...hit, key: 'cached' });
    const found = (await read({ metric: 'token_spike', above: 3 }))!;
    expect(Object.keys(found).toSorted()).toEqual(['cached', 'daily', 'now-and-then', 'young'].map((key) => `tenant=default key=${key}`));
    const over = (key: string) => (found[`tenant=default key=${key}`]?.value ?? 0) > found[`tenant=default key=${key}`]!.threshold;
    expect([over('daily'), over('now-and-then'), over('young')]).toEqual([true, false, false]);
    expect(found['tenant=default key=young']?.value).toBeNull();
    expect(Object.keys((await read({ metric: 'cost_spike', model: 'n' }))!)).toEqual(['tenant=default key=now-and-then model=n']);
  });

  test('are of the sums: the hours of a key are those of its quarters, and made again where something came late', async () => {
    await received(3 * DAY, heavy(1, { key: 'k' }));
    await read({ metric: 'token_spike' });
    const hours = async () => (await questions.pool.query(`select sum(tokens)::int as tokens, sum(cost_nano_usd)::text as cost from usage.key_hours where key = 'k'`)).rows;
    expect(await hours()).toEqual([{ tokens: 100_000, cost: '15000000' }]);
    await received(HOUR_MS + MINUTE, heavy(2, { key: 'k' }));
    await read({ metric: 'token_spike' }, { nowMs: NOW + HOUR_MS });
    expect(await hours()).toEqual([{ tokens: 300_000, cost: '45000000' }]);
  });
});

describe('readings that the ledger does not have', () => {
  test('are those of the pool, the queue, the reconciliation and the semantic cache', async () => {
    const rate = (of: Partial<WrongRate>): WrongRate => ({ tenant: 'a', model: 'm', observations: 50, wrong: 1, rate: 0.02, low: 0, high: 0.1, stopped: false, ...of });
    sources.wrongRates = async () => [rate({}), rate({ model: 'strict' }), rate({ model: 'few', observations: 3 })];
    expect(await read({ metric: 'cache_wrong_rate' })).toEqual({ 'tenant=a model=m': { value: 0.02, threshold: 0.01 }, 'tenant=a model=strict': { value: 0.02, threshold: 0 }, 'tenant=a model=few': { value: null, threshold: 0.01 } });
    expect(await read({ metric: 'cache_wrong_rate', above: 0.5, model: 'm' })).toEqual({ 'tenant=a model=m': { value: 0.02, threshold: 0.5 } });
    expect(await readAll([{ metric: 'queue_lag_s' }, { metric: 'ledger_drift' }, { metric: 'provider_down' }, { metric: 'credential_out' }])).toEqual([
      { '': { value: 7, threshold: 60 } }, { '': { value: 3, threshold: 0 } }, { 'provider=openai': { value: 1, threshold: 0.99 } }, {},
    ]);
  });

  test('one that fails is null, and leaves the others alone', async () => {
    sources.queueLagS = async () => null;
    sources.wrongRates = () => Promise.reject(new Error('nobody answers'));
    sources.drift = () => null;
    expect(await readAll([{ metric: 'queue_lag_s' }, { metric: 'cache_wrong_rate' }, { metric: 'ledger_drift' }, { metric: 'provider_down' }])).toEqual([null, null, { '': { value: null, threshold: 0 } }, { 'provider=openai': { value: 1, threshold: 0.99 } }]);
  });
});
