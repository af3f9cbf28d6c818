import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { GATEWAYS_KEY, gatewayAliveKey, usdText, type DegradedMode } from '@deja/contracts';
import { answer, fakeProvider, testCluster, type FakeProvider, type ScriptStep, type TestCluster } from '@deja/testing';
import { admitted, burst, Gate, metric, send, statuses, type Sending, type Sent } from './bursts.ts';
import { eventually } from './client.ts';
import { newKey } from './tenant-keys.ts';

const GATEWAYS = [0, 1, 2];
const LIMIT = 30;
const SHARE = LIMIT / GATEWAYS.length;
/** Of one answer, integer nano-USD. */
const COST = 1_000_000n;
const LEASE_S = 3;

/** Redis is there and says nothing; or it is gone. */
const TROUBLES = ['paused', 'killed'] as const;
type Trouble = (typeof TROUBLES)[number];

let provider: FakeProvider;
let cluster: TestCluster;
/** Questions that say "wait" are answered when it is open. */
const gate = new Gate();

const obedient: ScriptStep = async ({ body }) => {
  const text = JSON.stringify(body);
  if (text.includes('Please wait')) await gate.pass();
  return answer('Done.', { usage: { promptTokens: 10, completionTokens: text.includes('Cost nothing') ? 0 : 100 } });
};

beforeAll(async () => {
  provider = await fakeProvider({ otherwise: obedient });
  cluster = await testCluster({
    config: {
      providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
      models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
      prices: { 'gpt-4o-mini': { input_usd_per_million: 0, output_usd_per_million: 10 } },
    },
    scale: { gateway: 3 },
    env: { DEJA_LEASE_S: String(LEASE_S), DEJA_REDIS_DEADLINE_MS: '50' },
  });
  await gatewaysKnowEachOther();
}, 60_000);
afterEach(async () => {
  gate.open();
  await end();
});
afterAll(async () => {
  await cluster?.stop();
  await provider?.close();
});

/** A gateway learns how many there are with each of its heartbeats. */
async function gatewaysKnowEachOther(): Promise<void> {
  const redis = new Redis(cluster.redisUrl);
  const instances = await eventually('three gateways', async () => {
    const all = await redis.smembers(GATEWAYS_KEY);
    return all.length === GATEWAYS.length ? all : null;
  });
  await Promise.all(instances.map(async (instance) => {
    let leftMs = await redis.pttl(gatewayAliveKey(instance));
    await eventually('another heartbeat', async () => {
      const nowMs = await redis.pttl(gatewayAliveKey(instance));
      const isRenewed = nowMs > leftMs;
      leftMs = nowMs;
      return isRenewed;
    });
  }));
  redis.disconnect();
}

let paused: number | null = null;
let killed = false;

async function begin(trouble: Trouble): Promise<void> {
  const pid = cluster.pid('redis');
  if (pid === null) throw new Error('this cluster has no Redis of its own');
  if (trouble === 'paused') {
    process.kill(pid, 'SIGSTOP');
    paused = pid;
    return;
  }
  killed = true;
  await cluster.cluster.suspend('redis', 1, 0);
}

/** Redis is back, and decides. */
async function end(): Promise<void> {
  if (paused !== null) process.kill(paused, 'SIGCONT');
  if (killed) await cluster.resume('redis');
  [paused, killed] = [null, false];
  await eventually('Redis to decide again', async () => (await metric(cluster, 'gateway', 'deja_gateway_limits_degraded')) === 0, 30_000);
}

/** Every gateway has seen that Redis does not answer. */
async function noticed(by: Sending): Promise<Sent[]> {
  const sent: Sent[] = [];
  await eventually('all gateways to notice', async () => {
    sent.push(...(await burst(cluster, GATEWAYS.length, by)));
    return (await metric(cluster, 'gateway', 'deja_gateway_limits_degraded')) === GATEWAYS.length;
  });
  return sent;
}

let made = 0;
const newTenant = (): string => `tenant-${++made}`;

/** A key that every gateway has seen. */
async function unlimitedKey(): Promise<string> {
  const key = await newKey(cluster, newTenant());
  expect(statuses(await burst(cluster, GATEWAYS.length, { key }))).toEqual({ 200: GATEWAYS.length });
  return key;
}

/** A key that every gateway has seen, and of whose limits nothing to speak of is used. */
async function keyWith(degraded: DegradedMode, options: { limits?: object; budgets?: object[] }): Promise<string> {
  const key = await newKey(cluster, newTenant(), { ...options, limits: { ...options.limits, degraded } });
  expect(statuses(await burst(cluster, GATEWAYS.length, { key, more: { max_tokens: 100 }, patient: true }))).toEqual({ 200: GATEWAYS.length });
  return key;
}

async function ledgerHas(sent: readonly Sent[]): Promise<void> {
  const ids = admitted(sent).map(({ id }) => id);
  await eventually('all that was served to be in the ledger', async () => {
    const [row] = await cluster.sql<{ count: number }>('select count(*)::int as count from usage.operations where id = any($1)', [ids]);
    return row?.count === ids.length;
  }, 30_000);
}

const limited = (degraded: DegradedMode, limits: object = { requests_per_minute: LIMIT }): Promise<string> => keyWith(degraded, { limits });

/** So many requests each 10 ms with each key, from before the trouble until well into it. */
async function load<Name extends string>(keys: Record<Name, string>, during: () => Promise<void>): Promise<Record<Name, Sent[]>> {
  const sent = Object.fromEntries(Object.keys(keys).map((name) => [name, [] as Promise<Sent>[]])) as Record<Name, Promise<Sent>[]>;
  let isOver = false;
  const sending = (async () => {
    for (let i = 0; !isOver; i++) {
      for (const name of Object.keys(keys) as Name[]) sent[name].push(send(cluster, { key: keys[name], gateway: i % GATEWAYS.length }));
      await delay(10);
    }
  })();
  await during();
  isOver = true;
  await sending;
  const all = await Promise.all((Object.keys(keys) as Name[]).map(async (name) => [name, await Promise.all(sent[name])] as const));
  return Object.fromEntries(all) as Record<Name, Sent[]>;
}

const expectUndecidable = (what: 'Limits' | 'Budgets', { status, error, headers }: Sent): void => {
  expect([status, headers.get('x-should-retry')]).toEqual([503, 'true']);
  expect(error).toMatchObject({ code: 'overloaded', message: `${what} cannot be checked at the moment. Try again shortly.` });
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
};

describe.each(TROUBLES)('while Redis is %s', (trouble) => {
  test('under load no request hangs: open ones run, closed ones are refused, and of a shared limit each gateway admits its part', async () => {
    const keys = { open: await limited('open'), closed: await limited('closed'), local_share: await limited('local_share'), unlimited: await unlimitedKey() };
    const before = provider.requests.length;
    const sent = await load(keys, async () => {
      await begin(trouble);
      await noticed({ key: keys.unlimited }); // nothing is decided for it, and it says nothing of limits
      await provider.waitFor(({ requests }) => requests.length > before + 300, 20_000);
    });
    const byMode = Object.fromEntries(Object.entries(sent).map(([mode, all]) => [mode, Object.keys(statuses(all)).map(Number)]));
    expect(byMode['unlimited']).toEqual([200]);
    expect(Object.values(byMode).flat()).not.toContain(0); // nobody was left without an answer
    // In the trouble, whatever came before.
    expect(statuses(await burst(cluster, 3 * LIMIT, { key: keys.open }))).toEqual({ 200: 3 * LIMIT });
    for (const one of await burst(cluster, LIMIT, { key: keys.closed })) expectUndecidable('Limits', one);
    const shared = await burst(cluster, 3 * LIMIT, { key: keys.local_share });
    expect(admitted([...sent.local_share, ...shared]).length).toBeLessThanOrEqual(2 * LIMIT - GATEWAYS.length);
    for (const { status, error } of shared.filter(({ status: of }) => of !== 200)) {
      expect([status, error?.message]).toEqual([429, `The limit of ${LIMIT} requests per minute of this key is used up.`]);
    }
    expect(await metric(cluster, 'gateway', 'deja_gateway_limits_decisions_total', { outcome: 'undecidable', by: 'closed' })).toBeGreaterThanOrEqual(LIMIT);
    await end();
    // Redis counts on from where it was: the limit holds over all gateways again.
    const after = await burst(cluster, 2 * LIMIT, { key: keys.closed, patient: true });
    expect(Object.keys(statuses(after)).filter((status) => !['200', '429'].includes(status))).toEqual([]);
    expect(admitted(after).length).toBeLessThanOrEqual(LIMIT - GATEWAYS.length);
  }, 60_000);

  test('a gateway’s part of a limit is the limit divided by the gateways, exactly', async () => {
    const [key, unlimited] = [await limited('local_share'), await unlimitedKey()];
    await gatewaysKnowEachOther();
    await begin(trouble);
    await noticed({ key: unlimited });
    const sent = await Promise.all(GATEWAYS.map((gateway) => Promise.all(Array.from({ length: 20 }, () => send(cluster, { key, gateway })))));
    expect(sent.map(statuses)).toEqual(GATEWAYS.map(() => ({ 200: SHARE, 429: 20 - SHARE })));
  }, 60_000);

  test('calls under way count for a gateway’s part of a concurrency limit, and those that began without Redis count there when it is back', async () => {
    gate.close();
    const [key, unlimited] = [await limited('local_share', { concurrency: 6 }), await unlimitedKey()];
    await gatewaysKnowEachOther();
    provider.reset();
    const waiting: Sending = { key, content: 'Please wait.' };
    const running = [send(cluster, waiting)];
    await provider.waitFor(() => provider.inFlight === 1);
    await begin(trouble);
    await noticed({ key: unlimited });
    // Two each, and one of the first gateway's runs already.
    const tried = GATEWAYS.map((gateway) => Array.from({ length: 5 }, () => send(cluster, { ...waiting, gateway })));
    running.push(...tried.flat());
    const isWaiting = ({ body }: { body: unknown }): boolean => JSON.stringify(body).includes('Please wait');
    await provider.waitFor(({ requests }) => requests.filter(isWaiting).length === 6);
    await end();
    await eventually('Redis to know of all six', async () => {
      const sent = await send(cluster, { key });
      return sent.status === 429 && (await burst(cluster, 6, { key })).every(({ status }) => status === 429);
    });
    expect(provider.requests.filter(isWaiting).length).toBe(6);
    gate.open();
    expect(statuses(await Promise.all(running))).toEqual({ 200: 6, 429: 10 });
    await eventually('all six to be free again', async () => (await send(cluster, { key })).status === 200);
  }, 60_000);

  test('budgets follow their modes, and of a shared one no more is spent than was left when it was last seen', async () => {
    const budgets = (count: bigint): object[] => [{ usd: usdText(count * COST), period: 'total' }];
    const [open, closed, shared] = [await keyWith('open', { budgets: budgets(4n) }), await keyWith('closed', { budgets: budgets(40n) }), await keyWith('local_share', { budgets: budgets(12n) })];
    const unlimited = await unlimitedKey();
    await gatewaysKnowEachOther();
    await begin(trouble);
    await noticed({ key: unlimited });
    const asking = (key: string): Sending => ({ key, more: { max_tokens: 100 } });
    const served = await burst(cluster, 30, asking(open));
    expect(statuses(served)).toEqual({ 200: 30 });
    for (const one of await burst(cluster, 9, asking(closed))) expectUndecidable('Budgets', one);
    const sent = await burst(cluster, 60, asking(shared));
    expect(admitted(sent).length).toBeGreaterThanOrEqual(GATEWAYS.length);
    expect(admitted(sent).length).toBeLessThanOrEqual(12 - GATEWAYS.length);
    for (const one of sent.filter(({ status }) => status !== 200)) expectUndecidable('Budgets', one);
    await end();
    // What was spent without Redis comes by the ledger; a worker that starts compares at once.
    await ledgerHas([...served, ...sent]);
    await cluster.restart('usage-worker');
    const left = 12 - GATEWAYS.length - admitted(sent).length;
    await eventually('Redis to count what was spent without it', async () => (await send(cluster, { ...asking(open), content: 'Cost nothing.' })).error?.code === 'budget_exceeded');
    await eventually('the same of the shared one', async () => (await send(cluster, { key: shared, content: 'Cost nothing.', more: { max_tokens: left * 100 + 1 } })).status === 429);
    expect(admitted(await burst(cluster, 30, asking(shared))).length).toBe(left);
  }, 60_000);
});
