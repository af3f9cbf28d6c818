import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startRedisCluster, type RedisCluster } from '@deja/testing';
import { AdminClient } from './admin-client.ts';
import { admitted, burst, numberIn, refused, send, statuses, undisturbed, type Sending, type Sent } from './bursts.ts';
import { eventually } from './client.ts';
import { LimitedCluster } from './limited-cluster.ts';
import { newKey } from './tenant-keys.ts';

const BURST = 300;
const LIMIT = 100;
/** Limits of everybody together are of models of which each is asked for once. */
const OF_EVERYBODY = {
  global: {
    models: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [
      [`requests_per_minute-${i}`, { requests_per_minute: LIMIT }],
      [`requests_per_day-${i}`, { requests_per_day: LIMIT }],
      [`scarce-${i}`, { requests_per_minute: 3 }],
    ]).flat()),
  },
};

let at: LimitedCluster;
let models = 0;

type Measure = 'requests_per_minute' | 'requests_per_day';

/** How each scope is limited, and how its refusals name it. */
const SCOPES: Record<string, { owner: string; sending: (limits: Partial<Record<Measure, number>>, measure: Measure) => Promise<Sending | ((i: number) => Sending)> }> = {
  tenant: {
    owner: 'this tenant',
    sending: async (limits) => {
      const tenant = at.newTenant();
      await new AdminClient(at.cluster).done('POST', 'tenants', { id: tenant, limits });
      const keys = [await newKey(at.cluster, tenant), await newKey(at.cluster, tenant)]; // they share it
      return (i) => ({ key: keys[i % 2]! });
    },
  },
  key: { owner: 'this key', sending: async (limits) => ({ key: await newKey(at.cluster, at.newTenant(), { limits }) }) },
  user: {
    owner: 'this user',
    sending: async (limits) => {
      const tenant = at.newTenant();
      const keys = [await newKey(at.cluster, tenant, { per_user: limits }), await newKey(at.cluster, tenant, { per_user: limits })]; // one user, whichever key
      return (i) => ({ key: keys[i % 2]!, more: { user: 'ada' } });
    },
  },
  'model of a key': { owner: 'this key for the model gpt-4o', sending: async (limits) => ({ model: 'gpt-4o', key: await newKey(at.cluster, at.newTenant(), { limits: { models: { 'gpt-4o': limits } } }) }) },
  'model of everybody': {
    owner: 'everybody together for the model',
    sending: async (_limits, measure) => {
      const [keys, model] = [[await newKey(at.cluster, at.newTenant()), await newKey(at.cluster, at.newTenant())], `${measure}-${models++}`];
      return (i) => ({ key: keys[i % 2]!, model });
    },
  },
};
const CASES = Object.keys(SCOPES).flatMap((scope) => [[scope, 'requests_per_minute' as const], [scope, 'requests_per_day' as const]] as const);

/** Of 300 at once exactly as many run as may, and each refusal says what a client needs to know. */
async function expectExactly(sending: Sending | ((i: number) => Sending), room: number, { owner, measure }: { owner: string; measure: Measure }): Promise<void> {
  const before = at.provider.requests.length;
  const sent = await burst(at.cluster, BURST, sending);
  expect(statuses(sent)).toEqual({ 200: room, 429: BURST - room });
  expect(at.provider.requests.length - before).toBe(room);
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

describe.each(['one Redis', 'a Redis Cluster of three masters'])('three gateways on %s', (where) => {
  let redis: RedisCluster | null = null;

  beforeAll(async () => {
    redis = where === 'one Redis' ? null : await startRedisCluster();
    at = await LimitedCluster.start({ limits: OF_EVERYBODY, ...(redis !== null && { redisUrl: redis.url }) });
  }, 60_000);
  afterAll(async () => {
    await at?.stop();
    await redis?.stop();
  });

  test.each(CASES)('300 requests at once under a limit of 100: exactly 100 run, of one %s, by %s', async (scope, measure) => {
    const { owner, sending } = SCOPES[scope]!;
    await undisturbed(at.cluster, async () => expectExactly(await sending({ [measure]: LIMIT }, measure), LIMIT, { owner, measure }));
  }, 60_000);

  test('whoever is refused by one of several limits is charged by none of them', () => undisturbed(at.cluster, async () => {
    const key = await newKey(at.cluster, at.newTenant(), { limits: { requests_per_minute: 1000, models: { 'gpt-4o': { requests_per_minute: 3 } } } });
    expect(statuses(await burst(at.cluster, 30, { key, model: 'gpt-4o' }))).toEqual({ 200: 3, 429: 27 });
    expect(numberIn(await send(at.cluster, { key }), 'x-ratelimit-remaining-requests')).toBe(1000 - 3 - 1);
  }), 60_000);

  test('what a key’s limit admits and everybody’s refuses is charged to neither, wherever they are counted', () => undisturbed(at.cluster, async () => {
    const [key, model] = [await newKey(at.cluster, at.newTenant(), { limits: { requests_per_minute: 1000 } }), `scarce-${models++}`];
    const before = numberIn(await send(at.cluster, { key }), 'x-ratelimit-remaining-requests');
    expect(statuses(await burst(at.cluster, 30, { key, model }))).toEqual({ 200: 3, 429: 27 });
    expect(numberIn(await send(at.cluster, { key }), 'x-ratelimit-remaining-requests')).toBe(before - 3 - 1);
  }), 60_000);

  test('300 requests at once under a limit of 100: exactly 100 run, of everybody and all models, from the moment on that it is in force', () => undisturbed(at.cluster, async () => {
    const keys = [await newKey(at.cluster, at.newTenant()), await newKey(at.cluster, at.newTenant()), await newKey(at.cluster, at.newTenant())];
    await at.configure(OF_EVERYBODY);
    await inForce(keys[0]!, (sent) => !sent.headers.has('x-ratelimit-limit-requests'));
    const measure = models++ % 2 === 0 ? 'requests_per_minute' : 'requests_per_day'; // a window of its own where it is done again
    await at.configure({ global: { [measure]: LIMIT } });
    const last = await inForce(keys[0]!, (sent) => sent.headers.has('x-ratelimit-limit-requests'));
    await expectExactly((i) => ({ key: keys[i % 3]! }), numberIn(last, 'x-ratelimit-remaining-requests'), { owner: 'everybody together', measure });
  }), 120_000);

  /** One gateway after the other; the last reply of the last. */
  async function inForce(key: string, isSeen: (sent: Sent) => boolean): Promise<Sent> {
    let sent = await send(at.cluster, { key });
    for (const gateway of [0, 1, 2]) await eventually(`the configuration on gateway ${gateway}`, async () => isSeen((sent = await send(at.cluster, { key, gateway }))));
    return sent;
  }
});
