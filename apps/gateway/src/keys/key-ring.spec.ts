import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { Principal, RouterRpc } from '@deja/contracts';
import { KeyRing } from './key-ring.ts';

type Reply = RouterRpc['resolve_key']['reply'];
const principal: Principal = { tenant: 'acme', key: 'k1', models: null, limits: { tenant: {}, key: {}, perUser: {} }, expiresAtMs: null };
const active: Reply = { status: 'active', principal };
const bearer = (key: string): { authorization: string } => ({ authorization: `Bearer ${key}` });

describe('client keys in a gateway', () => {
  test('the router is asked once per key, by its hash only', async () => {
    const asked: string[] = [];
    const ring = new KeyRing(async (hash) => (asked.push(hash), active));
    await Promise.all([ring.authenticate(bearer('sk-deja-a-b')), ring.authenticate({ 'api-key': 'sk-deja-a-b' })]);
    await ring.authenticate({ 'x-api-key': 'sk-deja-a-b' });
    expect(asked).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  test('a flood of one unknown key asks the router once, and many unknown keys do not grow the memory', async () => {
    let asked = 0;
    const ring = new KeyRing(async () => (asked++, { status: 'unknown', principal: null }));
    for (let i = 0; i < 50; i++) await expect(ring.authenticate(bearer('nope'))).rejects.toMatchObject({ code: 'invalid_api_key' });
    expect(asked).toBe(1);
  });

  test('a changed key is asked about again, also when an older answer was under way', async () => {
    let reply: Reply = active;
    let release: (() => void) | undefined;
    let gate: Promise<void> = new Promise((resolve) => (release = resolve));
    const ring = new KeyRing(async () => {
      const answer = reply;
      await gate;
      return answer;
    });
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
    const ring = new KeyRing(async () => ({ status: 'active', principal: { ...principal, expiresAtMs: 2000 } }), () => now);
    await ring.authenticate(bearer('k'));
    now = 2000;
    await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'key_expired' });
  });

  test('an unreachable router is 503 for an unknown key, and nothing for a known one', async () => {
    let up = true;
    const ring = new KeyRing(async () => {
      if (!up) throw new Error('no answer');
      return active;
    });
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
      const ring = new KeyRing(resolve, () => at.nowMs, () => 30_000);
      await ring.authenticate(bearer('k'));
      router.reply = null;
      return { ring, at, router };
    }

    test.each<[string, (known: Awaited<ReturnType<typeof knowing>>) => void]>([
      ['because they were not for long', ({ at }) => (at.nowMs = 300_000)],
      ['because changes may have been missed', ({ ring }) => ring.forget()],
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
      const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
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
      ring.forget([createHash('sha256').update('k').digest('hex')]);
      await expect(ring.authenticate(bearer('k'))).rejects.toMatchObject({ code: 'overloaded' });
    });
  });

  test.each([{}, { authorization: 'Basic x' }, { authorization: 'Bearer' }, { authorization: `Bearer ${'x'.repeat(600)}` }])('%j is no key', async (headers) => {
    await expect(new KeyRing(async () => active).authenticate(headers)).rejects.toMatchObject({ code: 'invalid_api_key' });
  });
});
