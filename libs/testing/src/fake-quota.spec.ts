import { FakeQuota, fakeProvider, type FakeQuotaRule } from './fake-provider.ts';

const START_MS = Date.parse('2026-03-01T12:00:00Z');

function quotaOf(rule: Partial<FakeQuotaRule>): { quota: FakeQuota; pass: (ms: number) => void; admit: (tokens?: number) => boolean; headers: () => Record<string, string> } {
  let nowMs = START_MS;
  const quota = new FakeQuota({ sk: { requests: 3, windowMs: 60_000, style: 'window', headers: true, ...rule } }, () => nowMs);
  return { quota, pass: (ms) => void (nowMs += ms), admit: (tokens) => quota.admit('sk', tokens)!.admitted, headers: () => quota.admit('sk')!.headers };
}

test('a window admits its quota, and is whole again at its end', () => {
  const { quota, pass, admit, headers } = quotaOf({});
  pass(20_000);
  expect([admit(), admit(), admit(), admit()]).toEqual([true, true, true, false]);
  expect(headers()).toEqual({
    'x-ratelimit-limit-requests': '3', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '40s', 'retry-after': '40', 'retry-after-ms': '40000',
  });
  pass(39_999);
  expect(admit()).toBe(false);
  pass(1);
  expect(admit()).toBe(true);
  expect(quota.counts('sk')).toEqual({ admitted: 4, refused: 3 });
});

test('a bucket comes back little by little, and tells how long the next request has to wait', () => {
  const { pass, admit, headers } = quotaOf({ style: 'bucket' });
  expect([admit(), admit(), admit(), admit()]).toEqual([true, true, true, false]);
  pass(15_000);
  expect(headers()).toMatchObject({ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '45s', 'retry-after-ms': '5000' });
  pass(5000);
  expect([admit(), admit()]).toEqual([true, false]);
});

test('tokens are a quota of their own; a quota may be hidden, and a refusal silent', () => {
  const { admit, quota } = quotaOf({ requests: 100, tokens: 50, headers: false, retryAfter: 'none' });
  expect([admit(30), admit(30), admit(20)]).toEqual([true, false, true]);
  expect(quota.admit('sk', 1)).toEqual({ admitted: false, headers: {} });
  expect(quota.admit('another')).toBeNull();
});

test('the provider refuses with a real 429 what is over a credential’s quota, and takes no step for it', async () => {
  const rule: FakeQuotaRule = { requests: 2, windowMs: 60_000, style: 'window', headers: true, tokens: 1000, retryAfter: 's' };
  const provider = await fakeProvider({ quotas: { rules: { 'sk-small': rule }, now: () => START_MS }, script: [{ deltas: ['one'] }, { deltas: ['two'] }, { deltas: ['three'] }] });
  const ask = async (key: string): Promise<Response> => fetch(`${provider.url}/chat/completions`, {
    method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hello you' }], max_tokens: 100 }),
  });
  const first = await ask('sk-small');
  expect([first.status, first.headers.get('x-ratelimit-remaining-requests'), first.headers.get('x-ratelimit-remaining-tokens')]).toEqual([200, '1', '897']);
  await ask('sk-small');
  const refused = await ask('sk-small');
  expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('retry-after-ms')]).toEqual([429, '60', null]);
  expect(await refused.json()).toMatchObject({ error: { code: 'rate_limit_exceeded' } });
  expect(await (await ask('sk-other')).text()).toContain('three');
  expect(provider.quota.counts('sk-small')).toEqual({ admitted: 2, refused: 1 });
  await provider.close();
});
