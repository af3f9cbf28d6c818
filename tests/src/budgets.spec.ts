import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { budgetKey, usdText } from '@deja/contracts';
import { answer, fakeProvider, hang, testCluster, type FakeProvider, type ScriptStep, type TestCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { admitted, burst, metric, refused, send, statuses, type Sending, type Sent } from './bursts.ts';
import { eventually } from './client.ts';
import { newKey } from './tenant-keys.ts';

/** Integer nano-USD for a token of an answer; prompts are free but for `misjudged`. */
const TOKEN = 10_000n;
/** What every question here may have at most, and what that costs. */
const MAX_TOKENS = 100;
const WORST = BigInt(MAX_TOKENS) * TOKEN;
/** Prompts of `misjudged` are billed with so many tokens more than they have. */
const MISJUDGED_TOKENS = 1000;
const MISJUDGED_TOKEN = 1000n;

let provider: FakeProvider;
let cluster: TestCluster;
let admin: AdminClient;

/** Answers with as many tokens as the question says, else with all that it may. */
const obedient: ScriptStep = ({ body }) => {
  const { model, messages } = body as { model: string; messages: { content: string }[] };
  const told = /Use (\d+) tokens/.exec(messages[0]?.content ?? '')?.[1];
  return answer('Spent.', { usage: { promptTokens: 10 + (model === 'misjudged' ? MISJUDGED_TOKENS : 0), completionTokens: told === undefined ? MAX_TOKENS : Number(told) } });
};

beforeAll(async () => {
  provider = await fakeProvider({ otherwise: obedient });
  const price = (input: number): object => ({ input_usd_per_million: input, output_usd_per_million: Number(TOKEN) / 1000 });
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
      prices: { priced: price(0), other: price(0), everybodys: price(0), misjudged: price(Number(MISJUDGED_TOKEN) / 1000) },
      limits: { degraded: 'closed' },
      budgets: { global: [{ usd: usdText(2n * WORST), period: 'total', model: 'everybodys' }] },
    },
    scale: { gateway: 2 },
    env: { DEJA_LEASE_S: '3' },
    ownPostgres: true,
  });
  admin = new AdminClient(cluster);
}, 60_000);
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

let made = 0;
const newTenant = (): string => `tenant-${++made}`;
const total = (nanoUsd: bigint, more: object = {}): object => ({ usd: usdText(nanoUsd), period: 'total', ...more });

/** A key of a new tenant that may spend so much. */
async function keyOfTenant(...budgets: object[]): Promise<{ tenant: string; key: string }> {
  const tenant = newTenant();
  await admin.done('POST', 'tenants', { id: tenant, budgets });
  return { tenant, key: await newKey(cluster, tenant) };
}

const asking = (key: string, more: Partial<Sending> = {}): Sending => ({ key, model: 'priced', more: { max_tokens: MAX_TOKENS }, patient: true, ...more });

/** What the ledger has of a tenant, nano-USD, as soon as all of these are in it. */
async function ledgerTotal(tenant: string, sent: readonly Sent[]): Promise<bigint> {
  const ids = admitted(sent).map(({ id }) => id);
  await eventually('all that was served to be in the ledger', async () => {
    const [row] = await cluster.sql<{ count: number }>('select count(*)::int as count from usage.operations where id = any($1)', [ids]);
    return row?.count === ids.length;
  }, 30_000);
  const [row] = await cluster.sql<{ sum: string }>('select coalesce(sum(cost_nano_usd), 0)::text as sum from usage.operations where tenant = $1', [tenant]);
  return BigInt(row?.sum ?? 0);
}

/** What Redis has of a tenant's only budget. */
async function account<T>(tenant: string, look: (redis: Redis, key: string) => Promise<T>): Promise<T> {
  const redis = new Redis(cluster.redisUrl);
  try {
    return await look(redis, budgetKey(tenant, 'tenant:all:0-'));
  } finally {
    redis.disconnect();
  }
}

/** What has just been answered may still be on its way into Redis. */
const USED_UP = expect.stringMatching(/^The budget of .* is used up( by requests under way)?\. It does not reset\.$/);
const expectUsedUp = ({ status, headers, error }: Sent): void => {
  expect([status, headers.get('x-should-retry')]).toEqual([429, 'false']);
  expect(error).toMatchObject({ code: 'budget_exceeded', type: 'insufficient_quota', message: USED_UP });
};

describe('a hard budget, with two gateways', () => {
  test('200 requests at once at its edge spend no more than it, however often they come, and leave no room for one more', async () => {
    const budget = 10n * WORST;
    const { tenant, key } = await keyOfTenant(total(budget));
    const all: Sent[] = [];
    const settled = (): Promise<true> => eventually('all to be settled', async () => {
      if (Number((await account(tenant, (redis, at) => redis.hget(at, 'held'))) ?? 0) === 0) return true;
      // What a slow machine reserved after its gateway had given up on it is held until its lease ends, and the next request sees that.
      all.push(...(await burst(cluster, 1, asking(key, { content: 'Use 10 tokens.' }))));
      return false;
    }, 30_000);
    for (let round = 0; round < 50; round++) {
      await settled();
      const sent = await burst(cluster, 200, (i) => asking(key, { content: `Use ${10 + ((i * 37) % 91)} tokens.` }));
      all.push(...sent);
      for (const { error } of refused(sent)) expect(error).toMatchObject({ code: 'budget_exceeded', type: 'insufficient_quota' });
      if (admitted(sent).length === 0) break;
    }
    await settled();
    const spent = await ledgerTotal(tenant, all);
    expect(spent).toBeLessThanOrEqual(budget);
    expect(spent).toBeGreaterThan(budget - WORST);
    expect(await account(tenant, (redis, at) => redis.hmget(at, 'spent', 'held'))).toEqual([spent.toString(), '0']);
  }, 60_000);

  test('is overdrawn by no more than one request’s estimate is wrong: room for one, 200 at once, and a bill that is twice what was expected', async () => {
    const budget = (3n * WORST) / 2n;
    const { tenant, key } = await keyOfTenant(total(budget));
    const sent = await burst(cluster, 200, asking(key, { model: 'misjudged' }));
    expect(statuses(sent)).toEqual({ 200: 1, 429: 199 });
    const overshoot = (await ledgerTotal(tenant, sent)) - budget;
    expect(overshoot).toBeGreaterThan(0n);
    expect(overshoot).toBeLessThanOrEqual(BigInt(MISJUDGED_TOKENS) * MISJUDGED_TOKEN);
    for (const again of await burst(cluster, 4, asking(key, { model: 'misjudged' }))) expectUsedUp(again);
  });

  test('a request whose worst case does not fit is refused though little is spent, and a smaller one runs', async () => {
    const { key } = await keyOfTenant(total(2n * WORST));
    const tooDear = await send(cluster, asking(key, { more: { max_tokens: 3 * MAX_TOKENS } }));
    expect(tooDear.error).toMatchObject({ code: 'budget_exceeded', message: expect.stringContaining('This request may cost more than what is left') });
    expect((await send(cluster, asking(key))).status).toBe(200);
  });
});

test('of a gateway that is killed what it held is free again, but for its prompts, which the ledger has too', async () => {
  const { tenant, key } = await keyOfTenant(total(4n * WORST));
  const before = provider.requests.length;
  provider.script(hang(), hang());
  const running = burst(cluster, 2, { ...asking(key, { model: 'misjudged' }), gateway: 1 });
  await provider.waitFor(() => provider.requests.length === before + 2);
  expect(BigInt((await account(tenant, (redis, at) => redis.hget(at, 'held'))) ?? 0)).toBeGreaterThan(2n * WORST);
  await cluster.killAndWait('gateway', 2);
  expect(statuses(await running)).toEqual({ 0: 2 });
  const orphaned = await eventually('the ledger to know of both', async () => {
    const rows = await cluster.sql<{ cost: string }>("select cost_nano_usd::text as cost from usage.operations where tenant = $1 and outcome = 'orphaned'", [tenant]);
    return rows.length === 2 ? rows.reduce((sum, { cost }) => sum + BigInt(cost), 0n) : null;
  }, 30_000);
  expect(orphaned).toBeGreaterThan(0n);
  // Whoever asks next ends the leases that are over.
  await eventually('what was held to be free', async () => {
    await send(cluster, asking(key, { content: 'Use 0 tokens.' }));
    return (await account(tenant, (redis, at) => redis.hmget(at, 'spent', 'held'))).join() === `${orphaned},0`;
  });
}, 60_000);

describe('whose money it is', () => {
  /** The first two requests use it up; then those of `first` are refused on both gateways, and those of `second` run. */
  async function expectApart(first: Sending, second: Sending): Promise<void> {
    expect(statuses([await send(cluster, first), await send(cluster, { ...first, gateway: 1 })])).toEqual({ 200: 2 });
    for (const one of await burst(cluster, 4, first)) expectUsedUp(one);
    expect(statuses(await burst(cluster, 2, second))).toEqual({ 200: 2 });
  }
  const two = total(2n * WORST);

  test('a tenant’s, by all of its keys together', async () => {
    const { tenant, key } = await keyOfTenant(two);
    const [sibling, stranger] = [await newKey(cluster, tenant), (await keyOfTenant(two)).key];
    expect(statuses([await send(cluster, asking(key)), await send(cluster, asking(sibling, { gateway: 1 }))])).toEqual({ 200: 2 });
    for (const one of [await send(cluster, asking(sibling)), await send(cluster, asking(key, { gateway: 1 }))]) expectUsedUp(one);
    expect((await send(cluster, asking(stranger))).status).toBe(200);
  });

  test('a key’s', async () => {
    const tenant = newTenant();
    await expectApart(asking(await newKey(cluster, tenant, { budgets: [two] })), asking(await newKey(cluster, tenant, { budgets: [two] })));
  });

  test('a user’s, whichever key of the tenant is used', async () => {
    const tenant = newTenant();
    const [one, other] = [await newKey(cluster, tenant, { per_user: { budgets: [two] } }), await newKey(cluster, tenant, { per_user: { budgets: [two] } })];
    const of = (key: string, user: string): Sending => asking(key, { more: { max_tokens: MAX_TOKENS, user } });
    await expectApart(of(one, 'ada'), of(one, 'grace'));
    expectUsedUp(await send(cluster, of(other, 'ada')));
  });

  test('a model’s', async () => {
    const { key } = await keyOfTenant(total(2n * WORST, { model: 'priced' }));
    await expectApart(asking(key), asking(key, { model: 'other' }));
  });

  test('everybody’s, whoever comes first', async () => {
    const keys = [(await keyOfTenant()).key, (await keyOfTenant()).key];
    const sent = await burst(cluster, 40, (i) => asking(keys[i % 2]!, { model: 'everybodys' }));
    expect(statuses(sent)).toEqual({ 200: 2, 429: 38 });
    expect((await send(cluster, asking(keys[0]!))).status).toBe(200);
  });
});

test('a soft budget refuses nothing, and tells once of each mark that is passed', async () => {
  const { tenant, key } = await keyOfTenant(total(2n * WORST, { mode: 'soft' }));
  for (let i = 0; i < 5; i++) expect((await send(cluster, asking(key, { gateway: i % 2 }))).status).toBe(200);
  const told = (): string[] => cluster.logged('soft budget is used up').filter(({ text }) => text.includes(`"${tenant}"`)).map(({ from }) => from).sort();
  await eventually('both gateways to tell', () => told().length >= 2);
  expect(told()).toEqual(['gateway-1', 'gateway-2']);
  expect(await metric(cluster, 'gateway', 'deja_gateway_budgets_crossed_total', { scope: 'tenant', mode: 'soft', percent: '100' })).toBe(2);
});

describe('what was spent still counts', () => {
  /** A budget of four of which two are spent, and the ledger has it. */
  async function halfSpent(): Promise<{ tenant: string; key: string }> {
    const { tenant, key } = await keyOfTenant(total(4n * WORST));
    const sent = await burst(cluster, 2, asking(key));
    expect(await ledgerTotal(tenant, sent)).toBe(2n * WORST);
    return { tenant, key };
  }

  /** Exactly two more run, of many at once. */
  async function expectTwoLeft(key: string): Promise<void> {
    expect(statuses(await burst(cluster, 50, asking(key)))).toEqual({ 200: 2, 429: 48 });
    for (const one of await burst(cluster, 4, asking(key))) expectUsedUp(one);
  }

  test('when Redis has lost everything', async () => {
    const { tenant, key } = await halfSpent();
    await account(tenant, (redis) => redis.flushall());
    await expectTwoLeft(key);
  });

  test('for a gateway that has never seen the budget, on a Redis that does not know it', async () => {
    const { tenant, key } = await halfSpent();
    await cluster.killAndWait('gateway', 1);
    await cluster.killAndWait('gateway', 2);
    await account(tenant, (redis, at) => redis.del(at));
    await expectTwoLeft(key);
  }, 60_000);

  test('when the amount is changed', async () => {
    const { tenant, key } = await halfSpent();
    await admin.done('PATCH', `tenants/${tenant}`, { budgets: [total(2n * WORST)] });
    await eventually('both gateways to know', async () => statuses(await burst(cluster, 2, asking(key, { content: 'Use 0 tokens.' })))[429] === 2);
    await admin.done('PATCH', `tenants/${tenant}`, { budgets: [total(4n * WORST)] });
    await eventually('both gateways to know', async () => statuses(await burst(cluster, 2, asking(key, { content: 'Use 0 tokens.' })))[200] === 2);
    await expectTwoLeft(key);
  });

  test('when Redis says less than the ledger: it is put right, and the drift is told', async () => {
    const { tenant, key } = await halfSpent();
    await account(tenant, (redis, at) => redis.hset(at, 'spent', '5'));
    // A worker that starts compares at once, and every 30 s.
    await cluster.restart('usage-worker');
    await eventually('the account to be put right', async () => (await account(tenant, (redis, at) => redis.hget(at, 'spent'))) === (2n * WORST).toString());
    await eventually('the drift to be told', async () => cluster.logged('had drifted from the ledger').some(({ text }) => text.includes(tenant)));
    expect(await metric(cluster, 'usage-worker', 'deja_usage_budget_corrections_total', { direction: 'raised' })).toBeGreaterThanOrEqual(1);
    expect(await metric(cluster, 'usage-worker', 'deja_usage_budget_drift_total', { direction: 'raised' })).toBeGreaterThanOrEqual(Number(2n * WORST - 5n) / 1e9);
    await expectTwoLeft(key);
  }, 60_000);
});

test('without usage-worker and Postgres requests are served, known budgets hold, and the ledger has all of it afterwards', async () => {
  const known = await keyOfTenant(total(4n * WORST));
  const unknown = await keyOfTenant(total(4n * WORST, { degraded: 'local_share' }));
  const before = await burst(cluster, 2, asking(known.key));
  // Gateways know the key, and nobody the budget.
  for (const gateway of [0, 1]) await fetch(`${cluster.urls[gateway]}/v1/models`, { headers: { authorization: `Bearer ${unknown.key}` } });
  expect(await ledgerTotal(known.tenant, before)).toBe(2n * WORST);
  await cluster.suspend('usage-worker');
  await cluster.suspend('postgres');
  const ofKnown = await burst(cluster, 50, asking(known.key));
  expect(statuses(ofKnown)).toEqual({ 200: 2, 429: 48 });
  // Nobody can say what was spent of it: each gateway admits its share.
  const ofUnknown = await burst(cluster, 50, asking(unknown.key, { patient: false }));
  expect(admitted(ofUnknown).length).toBeGreaterThanOrEqual(1);
  await cluster.resume('postgres');
  await cluster.resume('usage-worker');
  await cluster.waitReady();
  expect(await ledgerTotal(known.tenant, [...before, ...ofKnown])).toBe(4n * WORST);
  const spent = await ledgerTotal(unknown.tenant, ofUnknown);
  expect(spent).toBe(BigInt(admitted(ofUnknown).length) * WORST);
  await eventually('Redis to know what was spent without it', async () => {
    const { status } = await send(cluster, asking(unknown.key, { more: { max_tokens: 1 }, content: 'Use 0 tokens.' }));
    const [inRedis] = await account(unknown.tenant, (redis, at) => redis.hmget(at, 'spent'));
    return inRedis === spent.toString() && (status === 200) === (spent < 4n * WORST);
  });
}, 90_000);
