import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AdminClient } from './admin-client.ts';
import { burst, insist, numberIn, send, statuses, type Sending } from './bursts.ts';
import { eventually } from './client.ts';
import { LimitedCluster } from './limited-cluster.ts';
import { newKey, newKeyWithId } from './tenant-keys.ts';

const GATEWAYS = [0, 1, 2];
/** Changes hold everywhere within a second. */
const SECOND_MS = 1000;

let at: LimitedCluster;
beforeAll(async () => {
  at = await LimitedCluster.start();
}, 60_000);
beforeEach(() => at.gate.open());
afterAll(() => at?.stop());

test('the tightest of all limits stands in the headers', async () => {
  const tenant = at.newTenant();
  await new AdminClient(at.cluster).done('POST', 'tenants', { id: tenant, limits: { requests_per_minute: 500, tokens_per_minute: 90_000 } });
  const key = await newKey(at.cluster, tenant, {
    limits: { requests_per_minute: 50, tokens_per_day: 80_000, models: { 'gpt-4o': { requests_per_day: 10, tokens_per_minute: 70_000 } } },
    per_user: { requests_per_minute: 20, tokens_per_minute: 100_000 },
  });
  const seen = async (sending: Partial<Sending>): Promise<unknown[]> => {
    const { headers } = await send(at.cluster, { key, ...sending });
    return ['limit-requests', 'remaining-requests', 'limit-tokens'].map((name) => headers.get(`x-ratelimit-${name}`));
  };
  expect(await seen({})).toEqual(['50', '49', '80000']);
  expect(await seen({ more: { user: 'ada' } })).toEqual(['20', '19', '80000']);
  const daily = await send(at.cluster, { key, model: 'gpt-4o', more: { user: 'ada' } });
  expect(['limit-requests', 'remaining-requests', 'limit-tokens'].map((name) => daily.headers.get(`x-ratelimit-${name}`))).toEqual(['10', '9', '70000']);
  expect(daily.headers.get('x-ratelimit-reset-requests')).toMatch(/^(23h59m[0-9]+s|24h0m[01]s)$/);
});

test('an answer from the cache counts as a request, and not as tokens', async () => {
  const key = await newKey(at.cluster, at.newTenant(), { limits: { requests_per_minute: 100, tokens_per_minute: 100_000 } });
  const cached = { key, content: `What is cached of ${key}?`, headers: { 'x-cache-mode': 'exact' }, more: { max_tokens: 50 } };
  const [first, second] = [await send(at.cluster, cached), await send(at.cluster, { ...cached, gateway: 1 })];
  expect([first, second].map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT-EXACT']);
  const reserved = 100_000 - numberIn(first, 'x-ratelimit-remaining-tokens');
  // Each reply counts itself, tokens as reserved, of which nothing stays; an answer is there a moment before its settlement is.
  let asked = 2;
  await eventually('the tokens of the one that was no hit', async () => {
    const again = await send(at.cluster, cached);
    asked += 1;
    expect(numberIn(again, 'x-ratelimit-remaining-requests')).toBe(100 - asked);
    return 100_000 - numberIn(again, 'x-ratelimit-remaining-tokens') === 12 + reserved;
  });
});

describe('tokens', () => {
  test('what may be answered is reserved; what was not used is given back, and the next one runs', async () => {
    at.gate.close();
    const key = await newKey(at.cluster, at.newTenant(), { limits: { tokens_per_minute: 2000 } });
    const long = { key, content: 'Please wait.', more: { max_tokens: 1500 } };
    const before = at.provider.requests.length;
    const running = send(at.cluster, long);
    await at.provider.waitFor(() => at.provider.requests.length > before);
    const refusal = await send(at.cluster, { ...long, gateway: 1 });
    expect(refusal.error).toMatchObject({ code: 'rate_limit_exceeded', type: 'tokens', message: 'The limit of 2000 tokens per minute of this key is used up.' });
    expect(numberIn(refusal, 'retry-after')).toBeGreaterThanOrEqual(1);
    at.gate.open();
    expect((await running).status).toBe(200);
    expect((await insist(at.cluster, { ...long, gateway: 1 })).status).toBe(200);
  });

  test('what is charged in the end is what the provider counted, to the token', async () => {
    const key = await newKey(at.cluster, at.newTenant(), { limits: { tokens_per_minute: 100_000 } });
    const first = await send(at.cluster, { key, more: { max_tokens: 100 } });
    const reserved = 100_000 - numberIn(first, 'x-ratelimit-remaining-tokens');
    expect(statuses(await burst(at.cluster, 29, { key, more: { max_tokens: 100 } }))).toEqual({ 200: 29 });
    let settled = 30;
    await eventually('all to be settled', async () => {
      const last = await send(at.cluster, { key, gateway: 2, more: { max_tokens: 100 } });
      return 100_000 - numberIn(last, 'x-ratelimit-remaining-tokens') === settled++ * 12 + reserved;
    });
  });

  test('what can never fit is refused, and told not to come again', async () => {
    const key = await newKey(at.cluster, at.newTenant(), { limits: { tokens_per_minute: 100 } });
    const refusal = await send(at.cluster, { key, more: { max_tokens: 500 } });
    expect([refusal.status, refusal.headers.get('x-should-retry'), refusal.headers.get('retry-after')]).toEqual([429, 'false', null]);
    expect(refusal.error?.message).toBe('This request alone needs more than the limit of 100 tokens per minute of this key.');
  });

  test('a stream that outgrows what was reserved is charged while it runs, and in the end with what it was', async () => {
    at.gate.close();
    const [limit, words] = [100_000, 4000];
    const key = await newKey(at.cluster, at.newTenant(), { limits: { tokens_per_minute: limit } });
    const pieces = Array.from({ length: words }, (_, i) => ` word${i % 10}`);
    at.provider.script({ deltas: [...pieces, ' end'], gate: (chunk) => (chunk === words ? at.gate.pass() : undefined), usage: { promptTokens: 10, completionTokens: 9000 } });
    const stream = send(at.cluster, { key, more: { stream: true, stream_options: { include_usage: true } } });
    await at.provider.waitFor(() => at.provider.inFlight > 0);
    // Another's reply counts what it reserved itself: its prompt and the 2 that it may answer.
    const charged = async (): Promise<number> => limit - numberIn(await send(at.cluster, { key, gateway: 1, content: 'x', more: { max_tokens: 2 } }), 'x-ratelimit-remaining-tokens');
    let others = 0;
    const whileRunning = await eventually('the stream to be charged with what it has written', async () => {
      const now = await charged();
      others += 12;
      return now > words + others ? now : null;
    });
    expect(whileRunning).toBeLessThan(9000);
    at.gate.open();
    expect((await stream).status).toBe(200);
    await eventually('the stream’s own count', async () => {
      const now = await charged();
      others += 12;
      return now >= 9010 && now < 9010 + others + 50;
    });
  });
});

describe('a limit that is changed', () => {
  test.each(['tenant', 'key'] as const)('of a %s holds on all gateways within a second, against what was counted before', async (whose) => {
    const tenant = at.newTenant();
    const { id, key } = await newKeyWithId(at.cluster, tenant, { limits: { requests_per_minute: 200 } });
    const admin = new AdminClient(at.cluster);
    await admin.done('PATCH', `tenants/${tenant}`, { limits: { requests_per_minute: 300 } });
    expect(statuses(await burst(at.cluster, 9, { key }))).toEqual({ 200: 9 });
    const change = (requests: number): Promise<unknown> => admin.done('PATCH', whose === 'key' ? `keys/${id}` : `tenants/${tenant}`, { limits: { requests_per_minute: requests } });
    await change(9);
    const changedAtMs = Date.now();
    await Promise.all(GATEWAYS.map((gateway) => eventually(`the new limit on gateway ${gateway}`, async () => (await send(at.cluster, { key, gateway })).status === 429, SECOND_MS)));
    expect(Date.now() - changedAtMs).toBeLessThan(SECOND_MS);
    await change(100);
    await Promise.all(GATEWAYS.map((gateway) => eventually(`room on gateway ${gateway}`, async () => (await send(at.cluster, { key, gateway })).headers.get('x-ratelimit-limit-requests') === '100', SECOND_MS)));
  });
});
