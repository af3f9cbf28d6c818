import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { CLIENT_KEY_PREFIX, keySha256, makeKey, type Principal, type RouterRpc } from '@deja/contracts';
import { KeyRing, type Caller } from './key-ring.ts';

type Reply = RouterRpc['resolve_key']['reply'];
const principal: Principal = {
  tenant: 'acme', revision: 1, key: 'k1', models: null, endpoints: null, networks: null, tags: {}, cache: {}, expiresAtMs: null,
  limits: { tenant: {}, key: {}, perUser: {} }, budgets: { tenant: [], key: [], perUser: [] },
};
const active: Reply = { status: 'active', principal };
const from = (headers: Caller['headers'], over: Partial<Caller> = {}): Caller => ({ headers, address: '192.0.2.1', endpoint: 'chat/completions', ...over });
const bearer = (key: string, over: Partial<Caller> = {}): Caller => from({ authorization: `Bearer ${key}` }, over);
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('client keys in a gateway', () => {
  test('the router is asked once per key, by its hash only', async () => {
    const asked: string[] = [];
    const ring = new KeyRing({ resolve: async ({ keySha256: hash }) => (asked.push(hash), active) });
    await Promise.all([ring.authenticate(bearer('sk-deja-a-b')), ring.authenticate(from({ 'api-key': 'sk-deja-a-b' }))]);
    await ring.authenticate(from({ 'x-api-key': 'sk-deja-a-b' }));
    expect(asked).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  test('one that is known needs no wait, and is held to the same', async () => {
    let reply = active;
    let nowMs = 0;
    const ring = new KeyRing({ resolve: async () => reply, now: () => nowMs });
    expect(ring.authenticateKnown(bearer('k'))).toBeNull();
    expect(() => ring.authenticateKnown(from({}))).toThrow(expect.objectContaining({ code: 'invalid_api_key' }));
    await ring.authenticate(bearer('k'));
    expect(ring.authenticateKnown(bearer('k'))).toBe(principal);
    ring.forget();
    expect(ring.authenticateKnown(bearer('k'))).toBeNull();
    reply = { status: 'active', principal: { ...principal, networks: ['192.0.2.0/24'], endpoints: ['chat'], expiresAtMs: 5000 } };
    await ring.authenticate(bearer('k'));
    expect(() => ring.authenticateKnown(bearer('k', { address: '198.51.100.1' }))).toThrow(expect.objectContaining({ code: 'network_not_allowed' }));
    expect(() => ring.authenticateKnown(bearer('k', { endpoint: 'files' }))).toThrow(expect.objectContaining({ code: 'endpoint_not_allowed' }));
    nowMs = 5000;
    expect(() => ring.authenticateKnown(bearer('k'))).toThrow(expect.objectContaining({ code: 'key_expired' }));
  });

  test('the priority of one is told from memory alone; null where it is not known', async () => {
    const asked: string[] = [];
    const replies: Record<string, Reply> = { [keySha256('batch')]: { status: 'active', principal: { ...principal, priority: 'batch' } }, [keySha256('plain')]: active };
    const ring = new KeyRing({ resolve: async ({ keySha256: hash }) => (asked.push(hash), replies[hash]!) });
    expect(ring.priorityOf({ 'api-key': 'batch' })).toBeNull();
    expect(asked).toEqual([]);
    await Promise.all([ring.authenticate(bearer('batch')), ring.authenticate(bearer('plain'))]);
    expect([{ 'api-key': 'batch' }, { authorization: 'Bearer plain' }, { 'api-key': 'other' }, {}].map((headers) => ring.priorityOf(headers))).toEqual(['batch', 'interactive', null, null]);
  });

  test('a thousand keys are asked about at once, and whoever comes with one more is told to come back', async () => {
    const release = Promise.withResolvers<Reply>();
    const ring = new KeyRing({ resolve: () => release.promise });
    const asked = Array.from({ length: 1000 }, (_, i) => ring.authenticate(bearer(`k${i}`)));
    await expect(ring.authenticate(bearer('one-more'))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    const again = ring.authenticate(bearer('k0'));
    release.resolve(active);
    expect(await Promise.all([...asked, again])).toHaveLength(1001);
    expect(await ring.authenticate(bearer('one-more'))).toBe(principal);
  });

  test('a flood of one unknown key asks the router once', async () => {
    let asked = 0;
    const ring = new KeyRing({ resolve: async () => (asked++, { status: 'unknown', principal: null }) });
    for (let i = 0; i < 50; i++) await expect(ring.authenticate(bearer('nope'))).rejects.toMatchObject({ code: 'invalid_api_key' });
    expect(asked).toBe(1);
  });

  test('a changed key is asked about again, also when an older answer was under way', async () => {
    let reply: Reply = active;
    let release: (() => void) | undefined;
    let gate: Promise<void> = new Promise((resolve) => (release = resolve));
    const resolve = async (): Promise<Reply> => {
      const answer = reply;
      await gate;
      return answer;
    };
    const ring = new KeyRing({ resolve });
    const before = ring.authenticate(bearer('k'));
    reply = { status: 'disabled', principal: null };
    ring.forget();
    release?.();
    gate = Promise.resolve();
    await before;
    await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'key_disabled' });
  });

  test('a key that expires while it is cached stops at that moment', async () => {
    let now = 1000;
    const ring = new KeyRing({ resolve: async () => ({ status: 'active', principal: { ...principal, expiresAtMs: 2000 } }), now: () => now });
    await ring.authenticate(bearer('k'));
    now = 2000;
    await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'key_expired' });
  });

  test('an unreachable router is 503 for an unknown key, and nothing for a known one', async () => {
    let up = true;
    const resolve = async (): Promise<Reply> => {
      if (!up) throw new Error('no answer');
      return active;
    };
    const ring = new KeyRing({ resolve });
    await ring.authenticate(bearer('known'));
    up = false;
    await ring.authenticate(bearer('known'));
    await expect(ring.authenticate(bearer('other'))).rejects.toMatchObject({ code: 'overloaded' });
  });

  describe('that are due to be asked about while no router answers', () => {
    /** A ring that knows key `k`, at a time that the test keeps, and a router that answers or not. */
    async function knowing(): Promise<{ ring: KeyRing; at: { nowMs: number }; router: { reply: Reply | null; asked: number } }> {
      const at = { nowMs: 0 };
      const router: { reply: Reply | null; asked: number } = { reply: active, asked: 0 };
      const resolve = async (): Promise<Reply> => {
        router.asked += 1;
        if (router.reply === null) throw new Error('no answer');
        return router.reply;
      };
      const ring = new KeyRing({ resolve, now: () => at.nowMs, staleOkMs: () => 30_000 });
      await ring.authenticate(bearer('k'));
      router.reply = null;
      return { ring, at, router };
    }

    test.each<[string, (known: Awaited<ReturnType<typeof knowing>>) => void]>([
      ['because they were not for long', ({ at }) => (at.nowMs = 300_000)],
      ['because changes may have been missed', ({ ring }) => ring.forget()],
      ['because their tenant was changed', ({ ring }) => ring.forgetTenant('acme')],
    ])('%s: they are good for stale_ok_s, and no longer', async (_why, makeDue) => {
      const known = await knowing();
      makeDue(known);
      const { ring, at } = known;
      expect(await ring.authenticate(bearer('k'))).toEqual(principal);
      at.nowMs += 29_999;
      expect(await ring.authenticate(bearer('k'))).toEqual(principal);
      at.nowMs += 1;
      await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'overloaded' });
    });

    test('are asked about all the while, and what is heard then counts', async () => {
      const { ring, router } = await knowing();
      ring.forget();
      for (let i = 0; i < 3; i++) {
        await ring.authenticate(bearer('k'));
        await settled();
      }
      expect(router.asked).toBe(4);
      router.reply = { status: 'disabled', principal: null };
      expect(await ring.authenticate(bearer('k'))).toEqual(principal); // this one does not wait
      await settled();
      await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'key_disabled' });
    });

    test('are good no more when a router has named them', async () => {
      const { ring, router } = await knowing();
      ring.forget();
      await ring.authenticate(bearer('k'));
      router.reply = { status: 'unknown', principal: null };
      ring.forget();
      await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'invalid_api_key' });
      router.reply = null;
      ring.forget();
      await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'overloaded' });
    });

    test('are good no more when they were changed', async () => {
      const { ring } = await knowing();
      ring.forget([keySha256('k')]);
      await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'overloaded' });
    });
  });

  test('of a key that was made here, the router is told its public id, and of another none', async () => {
    const asked: (string | null)[] = [];
    const ring = new KeyRing({ resolve: async ({ publicId }) => (asked.push(publicId), active) });
    const { key, publicId } = makeKey(CLIENT_KEY_PREFIX, randomBytes, randomBytes(32));
    for (const given of [key, `${key}x`, 'planted']) await ring.authenticate(bearer(given));
    expect(asked).toEqual([publicId, null, null]);
  });

  test.each([
    ['disabled', 'key_disabled', 'have it enabled'],
    ['expired', 'key_expired', 'Use a new one'],
    ['tenant_disabled', 'tenant_disabled', 'Ask the operator'],
    ['unknown', 'invalid_api_key', 'Incorrect API key'],
  ] as const)('a key that is %s is refused as %s, and the message says what to do', async (status, code, hint) => {
    const ring = new KeyRing({ resolve: async () => ({ status, principal: null }) });
    await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code, message: expect.stringContaining(hint) });
  });

  describe('that are for some networks and endpoints', () => {
    const ringFor = (over: Partial<Principal>): KeyRing => new KeyRing({ resolve: async () => ({ status: 'active', principal: { ...principal, ...over } }) });

    test.each(['203.0.113.9', '2001:db9::1', null])('are refused from %s', async (address) => {
      const ring = ringFor({ networks: ['192.0.2.0/24', '2001:db8::/32'] });
      expect(await ring.authenticate(bearer('k', { address: '192.0.2.200' }))).toMatchObject({ key: 'k1' });
      expect(await ring.authenticate(bearer('k', { address: '2001:db8::5' }))).toMatchObject({ key: 'k1' });
      await expect(ring.authenticate(bearer('k', { address }))).rejects.toMatchObject({ code: 'network_not_allowed', status: 403, message: expect.stringContaining("key's networks") });
    });

    test('are refused for other endpoints, and good for what is below theirs', async () => {
      const ring = ringFor({ endpoints: ['chat/completions', 'files', 'audio'] });
      for (const endpoint of ['chat/completions', 'files', 'files/{id}/content', 'audio/speech']) expect(await ring.authenticate(bearer('k', { endpoint }))).toMatchObject({ key: 'k1' });
      for (const endpoint of ['completions', 'chat', 'filesystem', 'responses/{id}', 'models', '']) {
        await expect(ring.authenticate(bearer('k', { endpoint }))).rejects.toMatchObject({ code: 'endpoint_not_allowed', status: 403, message: expect.stringContaining("key's endpoints") });
      }
    });
  });

  test('are asked about every second while no router is heard', async () => {
    let [asked, nowMs, isHeard] = [0, 0, true];
    const ring = new KeyRing({ resolve: async () => (asked++, active), now: () => nowMs, pushHealthy: () => isHeard });
    await ring.authenticate(bearer('k'));
    nowMs = 60_000;
    await ring.authenticate(bearer('k'));
    expect(asked).toBe(1);
    isHeard = false;
    for (; nowMs < 62_000; nowMs += 100) await ring.authenticate(bearer('k'));
    expect(asked).toBe(3);
    isHeard = true;
    nowMs += 100_000;
    await ring.authenticate(bearer('k'));
    expect(asked).toBe(3);
  });

  test('a flood of made-up keys leaves known ones known', async () => {
    let asked = 0;
    const ring = new KeyRing({ resolve: async ({ keySha256: hash }) => (asked++, hash === keySha256('k') ? active : { status: 'unknown', principal: null }) });
    await ring.authenticate(bearer('k'));
    for (let i = 0; i < 11_000; i++) await ring.authenticate(bearer(`made-up-${i}`)).catch(() => undefined);
    const before = asked;
    await ring.authenticate(bearer('k'));
    await ring.authenticate(bearer('made-up-10999')).catch(() => undefined);
    expect(asked).toBe(before);
    await ring.authenticate(bearer('made-up-0')).catch(() => undefined); // what was first is forgotten: the memory is bounded
    expect(asked).toBe(before + 1);
  });

  test.each([{}, { authorization: 'Basic x' }, { authorization: 'Bearer' }, { authorization: `Bearer ${'x'.repeat(600)}` }])('%j is no key', async (headers) => {
    await expect(new KeyRing({ resolve: async () => active }).authenticate(from(headers))).rejects.toMatchObject({ code: 'invalid_api_key' });
  });
});
