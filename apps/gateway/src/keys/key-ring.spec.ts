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

  test.each([{}, { authorization: 'Basic x' }, { authorization: 'Bearer' }, { authorization: `Bearer ${'x'.repeat(600)}` }])('%j is no key', async (headers) => {
    await expect(new KeyRing(async () => active).authenticate(headers)).rejects.toMatchObject({ code: 'invalid_api_key' });
  });
});
