import { describe, expect, test } from '@jest/globals';
import { keySha256, type Principal, type RouterRpc } from '@deja/contracts';
import { KeyRing, type Caller } from './key-ring.ts';

type Reply = RouterRpc['resolve_key']['reply'];
const principal: Principal = {
  tenant: 'acme', revision: 1, key: 'k1', models: null, endpoints: null, networks: null, tags: {}, cache: {}, expiresAtMs: null,
  limits: { tenant: {}, key: {}, perUser: {} }, budgets: { tenant: [], key: [], perUser: [] },
};
const active: Reply = { status: 'active', principal };
const bearer = (key: string): Caller => ({ headers: { authorization: `Bearer ${key}` }, address: '192.0.2.1', endpoint: 'chat/completions' });

describe('client keys in a gateway whose tenant has changed', () => {
  test('are asked about once, however many requests see it at the same time, and also where no push came', async () => {
    let asked = 0;
    let revision = 1;
    const ring = new KeyRing({ resolve: async () => (asked++, { status: 'active', principal: { ...principal, revision } }) });
    const before = await ring.authenticate(bearer('k'));
    revision = 2;
    expect(ring.isStale(before, 1)).toBe(false);
    expect(ring.isStale(before, null)).toBe(false);
    expect(ring.isStale(before, 2)).toBe(true);
    const after = await Promise.all(Array.from({ length: 20 }, () => ring.confirm(bearer('k'), before, 2)));
    expect(asked).toBe(2);
    expect(after.map((now) => now.revision)).toEqual(Array<number>(20).fill(2));
    expect(await ring.confirm(bearer('k'), await ring.authenticate(bearer('k')), 2)).toBe(after[0]);
    expect(asked).toBe(2);
  });

  test('are refused when they were revoked, though nobody said so', async () => {
    let reply: Reply = active;
    const ring = new KeyRing({ resolve: async () => reply });
    const before = await ring.authenticate(bearer('k'));
    reply = { status: 'unknown', principal: null };
    await expect(ring.confirm(bearer('k'), before, 2)).rejects.toMatchObject({ code: 'invalid_api_key' });
    await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'invalid_api_key' });
  });

  test('are refused also where a call reserves nothing: the revision is asked for, and where nobody knows it the key is good', async () => {
    let reply: Reply = active;
    let revision: number | null = 1;
    const asked: string[] = [];
    const ring = new KeyRing({ resolve: async () => reply, tenantRevision: async (tenant) => (asked.push(tenant), revision) });
    expect(await ring.authenticateAlone(bearer('k'))).toBe(principal);
    reply = { status: 'unknown', principal: null };
    revision = null;
    expect(await ring.authenticateAlone(bearer('k'))).toBe(principal);
    revision = 2;
    await expect(ring.authenticateAlone(bearer('k'))).rejects.toMatchObject({ code: 'invalid_api_key' });
    expect(asked).toEqual(['acme', 'acme', 'acme']);
  });

  test('are asked about once a second where the router knows no newer revision than they have', async () => {
    let [asked, nowMs] = [0, 0];
    const ring = new KeyRing({ resolve: async () => (asked++, { status: 'active', principal: { ...principal } }), now: () => nowMs });
    for (let i = 0; i < 50; i++) await ring.confirm(bearer('k'), await ring.authenticate(bearer('k')), 9);
    expect(asked).toBe(2);
    nowMs = 1000;
    for (let i = 0; i < 50; i++) await ring.confirm(bearer('k'), await ring.authenticate(bearer('k')), 9);
    expect(asked).toBe(3);
  });

  test('are good for stale_ok_s where no router answers', async () => {
    let [isUp, nowMs] = [true, 0];
    const resolve = async (): Promise<Reply> => {
      if (!isUp) throw new Error('no answer');
      return active;
    };
    const ring = new KeyRing({ resolve, now: () => nowMs, staleOkMs: () => 30_000 });
    const before = await ring.authenticate(bearer('k'));
    isUp = false;
    expect(await ring.confirm(bearer('k'), before, 2)).toBe(before);
    nowMs = 30_000;
    await expect(ring.confirm(bearer('k'), before, 2)).rejects.toMatchObject({ code: 'overloaded' });
  });

  test('are asked about before their next use when a push says so, those of other tenants are not, and those that may not be used are', async () => {
    const asked: string[] = [];
    const replies = new Map<string, Reply>([[keySha256('a'), active], [keySha256('b'), { status: 'active', principal: { ...principal, tenant: 'other' } }], [keySha256('c'), { status: 'tenant_disabled', principal: null }]]);
    const ring = new KeyRing({ resolve: async ({ keySha256: hash }) => (asked.push(hash), replies.get(hash) ?? active) });
    const all = (): Promise<unknown> => Promise.allSettled(['a', 'b', 'c'].map((key) => ring.authenticate(bearer(key))));
    await all();
    ring.forgetTenant('acme');
    await all();
    expect(asked.slice(3)).toEqual([keySha256('a'), keySha256('c')]);
  });
});
