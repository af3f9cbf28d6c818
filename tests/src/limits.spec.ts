import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { answer, fakeProvider, startRedisCluster, testCluster, type FakeProvider, type RedisCluster, type ScriptStep, type TestCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { admitted, burst, Gate, insist, numberIn, refused, send, statuses, type Sending } from './bursts.ts';
import { eventually } from './client.ts';
import { newKey, newKeyWithId } from './tenant-keys.ts';

const GATEWAYS = [0, 1, 2];
const BURST = 300;
const LIMIT = 100;
/** Changes hold everywhere within a second. */
const SECOND_MS = 1000;
/** A dead gateway's operations are given up after so long. */
const LEASE_S = 3;

let provider: FakeProvider;
let cluster: TestCluster;
/** Questions that say "wait" are answered when it is open. */
const gate = new Gate();

const text = (body: unknown): string => JSON.stringify((body as { messages: unknown }).messages);
const obedient: ScriptStep = async ({ body }) => {
  if (text(body).includes('wait')) await gate.pass();
  return answer('Done.', { usage: { promptTokens: 10, completionTokens: 2 }, ...(text(body).includes('Take your time') && { beforeFirstByteMs: 20 }) });
};

/** What `deja.yaml` says; limits of everybody are of models that only their own test asks for. */
const configuration = (more: object = {}): object => ({
  providers: { fake: { kind: 'openai', base_url: provider.url, credentials: [{ name: 'a', value: 'sk-upstream-a' }] } },
  models: [{ name: '*', deployments: [{ provider: 'fake', model: '*' }] }],
  limits: { global: { models: { 'everybody-minute': { requests_per_minute: LIMIT }, 'everybody-day': { requests_per_day: LIMIT } } } },
  ...more,
});

async function start(redisUrl?: string): Promise<void> {
  provider = await fakeProvider({ otherwise: obedient });
  cluster = await testCluster({ config: configuration(), scale: { gateway: 3 }, env: { DEJA_LEASE_S: String(LEASE_S) }, ...(redisUrl !== undefined && { redisUrl }) });
}
async function stop(): Promise<void> {
  gate.open();
  await cluster?.stop();
  await provider?.close();
}

type Measure = 'requests_per_minute' | 'requests_per_day';
let made = 0;
const newTenant = (): string => `tenant-${++made}`;

/** How each scope is limited, and how its refusals name it. */
const SCOPES: Record<string, { owner: string; sending: (limits: Partial<Record<Measure, number>>, measure: Measure) => Promise<Sending | ((i: number) => Sending)> }> = {
  tenant: {
    owner: 'this tenant',
    sending: async (limits) => {
      const tenant = newTenant();
      await new AdminClient(cluster).done('POST', 'tenants', { id: tenant, limits });
      const keys = [await newKey(cluster, tenant), await newKey(cluster, tenant)]; // they share it
      return (i) => ({ key: keys[i % 2]! });
    },
  },
  key: { owner: 'this key', sending: async (limits) => ({ key: await newKey(cluster, newTenant(), { limits }) }) },
  user: {
    owner: 'this user',
    sending: async (limits) => {
      const tenant = newTenant();
      const keys = [await newKey(cluster, tenant, { per_user: limits }), await newKey(cluster, tenant, { per_user: limits })]; // one user, whichever key
      return (i) => ({ key: keys[i % 2]!, more: { user: 'ada' } });
    },
  },
  'model of a key': { owner: 'this key for the model gpt-4o', sending: async (limits) => ({ model: 'gpt-4o', key: await newKey(cluster, newTenant(), { limits: { models: { 'gpt-4o': limits } } }) }) },
  'model of everybody': {
    owner: 'everybody together for the model',
    sending: async (_limits, measure) => {
      const keys = [await newKey(cluster, newTenant()), await newKey(cluster, newTenant())];
      return (i) => ({ key: keys[i % 2]!, model: measure === 'requests_per_minute' ? 'everybody-minute' : 'everybody-day' });
    },
  },
};
const CASES = Object.keys(SCOPES).flatMap((scope) => [[scope, 'requests_per_minute' as const], [scope, 'requests_per_day' as const]] as const);

/** Of 300 at once exactly as many run as may, and each refusal says what a client needs to know. */
async function exactlyTheLimit(sending: Sending | ((i: number) => Sending), room: number, { owner, measure }: { owner: string; measure: Measure }): Promise<void> {
  const before = provider.requests.length;
  const sent = await burst(cluster, BURST, sending);
  expect(statuses(sent)).toEqual({ 200: room, 429: BURST - room });
  expect(provider.requests.length - before).toBe(room);
  expect(admitted(sent).map((one) => numberIn(one, 'x-ratelimit-remaining-requests')).sort((a, b) => a - b)).toEqual(Array.from({ length: room }, (_, i) => i));
  const windowS = measure === 'requests_per_minute' ? 60 : 86_400;
  for (const one of refused(sent)) {
    expect(one.error).toMatchObject({ code: 'rate_limit_exceeded', type: 'requests', message: expect.stringContaining(`The limit of ${LIMIT} requests per ${windowS === 60 ? 'minute' : 'day'} of ${owner}`) });
    expect([one.headers.get('x-ratelimit-limit-requests'), one.headers.get('x-ratelimit-remaining-requests')]).toEqual([String(LIMIT), '0']);
    expect(one.headers.get('x-ratelimit-reset-requests')).toMatch(windowS === 60 ? /^([0-9]+s|1m[01]s)$/ : /^(23h59m[0-9]+s|24h0m[01]s)$/);
    const waitS = numberIn(one, 'retry-after');
    expect(waitS).toBeGreaterThanOrEqual(1);
    expect(waitS).toBeLessThanOrEqual(windowS + 1);
    expect(Math.ceil(numberIn(one, 'retry-after-ms') / 1000)).toBe(waitS);
    expect(one.headers.get('x-should-retry')).toBe('true');
  }
}

describe('three gateways on one Redis', () => {
  beforeAll(() => start(), 60_000);
  afterAll(stop);
  beforeEach(() => gate.open());

  describe('300 requests at once under a limit of 100: exactly 100 run', () => {
    test.each(CASES)('of one %s, by %s', async (scope, measure) => {
      const { owner, sending } = SCOPES[scope]!;
      await exactlyTheLimit(await sending({ [measure]: LIMIT }, measure), LIMIT, { owner, measure });
    });

    test('of everybody and all models, from the moment on that it is in force', async () => {
      const keys = [await newKey(cluster, newTenant()), await newKey(cluster, newTenant()), await newKey(cluster, newTenant())];
      await cluster.configure(configuration({ limits: { global: { requests_per_minute: LIMIT } } }));
      let room = LIMIT;
      for (const gateway of GATEWAYS) {
        await eventually(`the limit on gateway ${gateway}`, async () => {
          const sent = await send(cluster, { key: keys[0]!, gateway });
          if (sent.headers.has('x-ratelimit-limit-requests')) room = numberIn(sent, 'x-ratelimit-remaining-requests');
          return sent.headers.has('x-ratelimit-limit-requests');
        });
      }
      await exactlyTheLimit((i) => ({ key: keys[i % 3]! }), room, { owner: 'everybody together', measure: 'requests_per_minute' });
      await cluster.configure(configuration());
      for (const gateway of GATEWAYS) await eventually(`no limit on gateway ${gateway}`, async () => (await send(cluster, { key: keys[0]!, gateway })).status === 200);
    }, 60_000);
  });

  test('whoever is refused by one of several limits is charged by none of them', async () => {
    const key = await newKey(cluster, newTenant(), { limits: { requests_per_minute: 1000, models: { 'gpt-4o': { requests_per_minute: 3 } } } });
    expect(statuses(await burst(cluster, 30, { key, model: 'gpt-4o' }))).toEqual({ 200: 3, 429: 27 });
    expect(numberIn(await send(cluster, { key }), 'x-ratelimit-remaining-requests')).toBe(1000 - 3 - 1);
  });

  test('the tightest of all limits stands in the headers', async () => {
    const tenant = newTenant();
    await new AdminClient(cluster).done('POST', 'tenants', { id: tenant, limits: { requests_per_minute: 500, tokens_per_minute: 90_000 } });
    const key = await newKey(cluster, tenant, {
      limits: { requests_per_minute: 50, tokens_per_day: 80_000, models: { 'gpt-4o': { requests_per_day: 10, tokens_per_minute: 70_000 } } },
      per_user: { requests_per_minute: 20, tokens_per_minute: 100_000 },
    });
    const seen = async (sending: Partial<Sending>): Promise<unknown[]> => {
      const { headers } = await send(cluster, { key, ...sending });
      return ['limit-requests', 'remaining-requests', 'limit-tokens'].map((name) => headers.get(`x-ratelimit-${name}`));
    };
    expect(await seen({})).toEqual(['50', '49', '80000']);
    expect(await seen({ more: { user: 'ada' } })).toEqual(['20', '19', '80000']);
    const daily = await send(cluster, { key, model: 'gpt-4o', more: { user: 'ada' } });
    expect(['limit-requests', 'remaining-requests', 'limit-tokens'].map((name) => daily.headers.get(`x-ratelimit-${name}`))).toEqual(['10', '9', '70000']);
    expect(daily.headers.get('x-ratelimit-reset-requests')).toMatch(/^(23h59m[0-9]+s|24h0m[01]s)$/);
  });

  test('an answer from the cache counts as a request, and not as tokens', async () => {
    const key = await newKey(cluster, newTenant(), { limits: { requests_per_minute: 100, tokens_per_minute: 100_000 } });
    const cached = { key, content: `What is cached of ${key}?`, headers: { 'x-cache-mode': 'exact' }, more: { max_tokens: 50 } };
    const [first, second] = [await send(cluster, cached), await send(cluster, { ...cached, gateway: 1 })];
    expect([first, second].map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT-EXACT']);
    // Each reply counts itself, tokens as reserved: at most 50 of answer, of which nothing stays.
    const third = await send(cluster, cached);
    expect(numberIn(third, 'x-ratelimit-remaining-requests')).toBe(100 - 3);
    const reserved = 100_000 - numberIn(first, 'x-ratelimit-remaining-tokens');
    expect(100_000 - numberIn(third, 'x-ratelimit-remaining-tokens')).toBe(12 + reserved);
  });

  describe('tokens', () => {
    test('what may be answered is reserved; what was not used is given back, and the next one runs', async () => {
      gate.close();
      const key = await newKey(cluster, newTenant(), { limits: { tokens_per_minute: 2000 } });
      const long = { key, content: 'Please wait.', more: { max_tokens: 1500 } };
      const before = provider.requests.length;
      const running = send(cluster, long);
      await provider.waitFor(() => provider.requests.length > before);
      const refusal = await send(cluster, { ...long, gateway: 1 });
      expect(refusal.error).toMatchObject({ code: 'rate_limit_exceeded', type: 'tokens', message: 'The limit of 2000 tokens per minute of this key is used up.' });
      expect(numberIn(refusal, 'retry-after')).toBeGreaterThanOrEqual(1);
      gate.open();
      expect((await running).status).toBe(200);
      expect((await insist(cluster, { ...long, gateway: 1 })).status).toBe(200);
    });

    test('what is charged in the end is what the provider counted, to the token', async () => {
      const key = await newKey(cluster, newTenant(), { limits: { tokens_per_minute: 100_000 } });
      const first = await send(cluster, { key, more: { max_tokens: 100 } });
      const reserved = 100_000 - numberIn(first, 'x-ratelimit-remaining-tokens');
      expect(statuses(await burst(cluster, 29, { key, more: { max_tokens: 100 } }))).toEqual({ 200: 29 });
      const last = await send(cluster, { key, gateway: 2, more: { max_tokens: 100 } });
      expect(100_000 - numberIn(last, 'x-ratelimit-remaining-tokens')).toBe(30 * 12 + reserved);
    });

    test('what can never fit is refused, and told not to come again', async () => {
      const key = await newKey(cluster, newTenant(), { limits: { tokens_per_minute: 100 } });
      const refusal = await send(cluster, { key, more: { max_tokens: 500 } });
      expect([refusal.status, refusal.headers.get('x-should-retry'), refusal.headers.get('retry-after')]).toEqual([429, 'false', null]);
      expect(refusal.error?.message).toBe('This request alone needs more than the limit of 100 tokens per minute of this key.');
    });

    test('a stream that outgrows what was reserved is charged while it runs, and in the end with what it was', async () => {
      gate.close();
      const [limit, words] = [100_000, 4000];
      const key = await newKey(cluster, newTenant(), { limits: { tokens_per_minute: limit } });
      const pieces = Array.from({ length: words }, (_, i) => ` word${i % 10}`);
      provider.script({ deltas: [...pieces, ' end'], gate: (chunk) => (chunk === words ? gate.pass() : undefined), usage: { promptTokens: 10, completionTokens: 9000 } });
      const stream = send(cluster, { key, more: { stream: true, stream_options: { include_usage: true } } });
      await provider.waitFor(() => provider.inFlight > 0);
      // Another's reply counts what it reserved itself: its prompt and the 2 that it may answer.
      const charged = async (): Promise<number> => limit - numberIn(await send(cluster, { key, gateway: 1, content: 'x', more: { max_tokens: 2 } }), 'x-ratelimit-remaining-tokens');
      let others = 0;
      const whileRunning = await eventually('the stream to be charged with what it has written', async () => {
        const now = await charged();
        others += 12;
        return now > words + others ? now : null;
      });
      expect(whileRunning).toBeLessThan(9000);
      gate.open();
      expect((await stream).status).toBe(200);
      await eventually('the stream’s own count', async () => {
        const now = await charged();
        others += 12;
        return now >= 9010 && now < 9010 + others + 50;
      });
    });
  });

  describe('concurrency', () => {
    test('over all gateways no more than the limit are with the provider, and all who insist are served', async () => {
      const key = await newKey(cluster, newTenant(), { limits: { concurrency: 5 } });
      provider.reset();
      const served = await Promise.all(Array.from({ length: 90 }, (_, i) => insist(cluster, { key, gateway: i % 3, content: 'Take your time.' })));
      expect(statuses(served)).toEqual({ 200: 90 });
      expect(provider.maxInFlight).toBeLessThanOrEqual(5);
      expect(provider.maxInFlight).toBeGreaterThan(1);
    });

    test('a refusal says so, and that it may come again in a second', async () => {
      gate.close();
      const key = await newKey(cluster, newTenant(), { limits: { concurrency: 2 } });
      provider.reset();
      const running = [0, 1].map((gateway) => send(cluster, { key, gateway, content: 'Please wait.' }));
      await provider.waitFor(() => provider.inFlight === 2);
      const sent = await burst(cluster, 30, { key, content: 'Please wait.' });
      expect(statuses(sent)).toEqual({ 429: 30 });
      for (const { error, headers } of sent) {
        expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'requests', message: 'The limit of 2 concurrent requests of this key is reached.' });
        expect([headers.get('retry-after'), headers.get('x-should-retry')]).toEqual(['1', 'true']);
      }
      gate.open();
      expect(statuses(await Promise.all(running))).toEqual({ 200: 2 });
    });

    /** As many as may run do, and nobody else: what was held before is free again. */
    async function roomFor(key: string, count: number): Promise<void> {
      gate.close();
      const running: Promise<unknown>[] = [];
      for (let i = 0; i < count; i++) {
        const before = provider.inFlight;
        running.push(insist(cluster, { key, gateway: i % 3, content: 'Please wait.' }));
        await provider.waitFor(() => provider.inFlight > before, 20_000);
      }
      expect(statuses(await burst(cluster, 6, { key, content: 'Please wait.' }))).toEqual({ 429: 6 });
      gate.open();
      await Promise.all(running);
    }

    test('clients that leave, before and in the middle of their answers, take nothing with them', async () => {
      const key = await newKey(cluster, newTenant(), { limits: { concurrency: 4 } });
      for (const stream of [false, true]) {
        gate.close();
        provider.reset();
        const leaving = new AbortController();
        const gone = GATEWAYS.concat(0).map((gateway) => send(cluster, { key, gateway, content: 'Please wait.', more: { stream }, signal: leaving.signal }));
        await provider.waitFor(() => provider.inFlight === 4);
        leaving.abort();
        expect(statuses(await Promise.all(gone))).toEqual({ 0: 4 });
        await provider.waitFor(() => provider.inFlight === 0);
        await roomFor(key, 4);
      }
    });

    test('a request that outlasts many leases keeps its place', async () => {
      gate.close();
      const key = await newKey(cluster, newTenant(), { limits: { concurrency: 1 } });
      provider.reset();
      const running = send(cluster, { key, content: 'Please wait.' });
      await provider.waitFor(() => provider.inFlight === 1);
      const until = Date.now() + 2 * LEASE_S * 1000;
      await eventually('two leases to be over', async () => {
        expect((await send(cluster, { key, gateway: 1 })).status).toBe(429);
        return Date.now() > until;
      });
      gate.open();
      expect((await running).status).toBe(200);
    });

    test('what a gateway held that was killed is free again when its lease is over', async () => {
      gate.close();
      const key = await newKey(cluster, newTenant(), { limits: { concurrency: 3 } });
      provider.reset();
      const running = GATEWAYS.map((gateway) => send(cluster, { key, gateway, content: 'Please wait.' }));
      await provider.waitFor(() => provider.inFlight === 3);
      await cluster.killAndWait('gateway', 3);
      await provider.waitFor(() => provider.inFlight === 2);
      expect((await running[2])?.status).toBe(0);
      gate.open();
      expect(statuses(await Promise.all(running.slice(0, 2)))).toEqual({ 200: 2 });
      await roomFor(key, 3);
    }, 60_000);
  });

  describe('a limit that is changed', () => {
    test.each(['tenant', 'key'] as const)('of a %s holds on all gateways within a second, against what was counted before', async (whose) => {
      const tenant = newTenant();
      const { id, key } = await newKeyWithId(cluster, tenant, { limits: { requests_per_minute: 200 } });
      const admin = new AdminClient(cluster);
      await admin.done('PATCH', `tenants/${tenant}`, { limits: { requests_per_minute: 300 } });
      expect(statuses(await burst(cluster, 9, { key }))).toEqual({ 200: 9 });
      const change = (requests: number): Promise<unknown> => admin.done('PATCH', whose === 'key' ? `keys/${id}` : `tenants/${tenant}`, { limits: { requests_per_minute: requests } });
      await change(9);
      const changedAtMs = Date.now();
      await Promise.all(GATEWAYS.map((gateway) => eventually(`the new limit on gateway ${gateway}`, async () => (await send(cluster, { key, gateway })).status === 429, SECOND_MS)));
      expect(Date.now() - changedAtMs).toBeLessThan(SECOND_MS);
      await change(100);
      await Promise.all(GATEWAYS.map((gateway) => eventually(`room on gateway ${gateway}`, async () => (await send(cluster, { key, gateway })).headers.get('x-ratelimit-limit-requests') === '100', SECOND_MS)));
    });
  });
});

describe('three gateways on a Redis Cluster of three masters', () => {
  let redis: RedisCluster;

  beforeAll(async () => {
    redis = await startRedisCluster();
    await start(redis.url);
  }, 60_000);
  afterAll(async () => {
    await stop();
    await redis?.stop();
  });

  test.each(CASES)('of 300 requests at once under a limit of 100 exactly 100 run, of one %s, by %s', async (scope, measure) => {
    const { owner, sending } = SCOPES[scope]!;
    await exactlyTheLimit(await sending({ [measure]: LIMIT }, measure), LIMIT, { owner, measure });
  });

  test('what one shard admits and another refuses is charged on neither', async () => {
    const key = await newKey(cluster, newTenant(), { limits: { requests_per_minute: 1000 } });
    await cluster.configure(configuration({ limits: { global: { models: { scarce: { requests_per_minute: 3 } } } } }));
    await eventually('the limit', async () => (await send(cluster, { key, model: 'scarce' })).headers.get('x-ratelimit-limit-requests') === '3');
    const before = numberIn(await send(cluster, { key }), 'x-ratelimit-remaining-requests');
    expect(statuses(await burst(cluster, 30, { key, model: 'scarce' }))).toEqual({ 200: 2, 429: 28 });
    expect(numberIn(await send(cluster, { key }), 'x-ratelimit-remaining-requests')).toBe(before - 2 - 1);
  });
});
