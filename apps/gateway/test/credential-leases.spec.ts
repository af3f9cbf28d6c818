import { describe, expect, test } from '@jest/globals';
import { MOST_LEASES, type CredentialRef, type RoutingSnapshot } from '@deja/contracts';
import { eventually } from '@deja/testing';
import { CredentialLeases, type FetchLeases } from '../src/attempt/credential-leases.ts';
import { sealing } from './sealed-leases.ts';

const VALUES = { 'p/a@1': 'sk-a1', 'p/a@2': 'sk-a2', 'p/b@1': 'sk-b' };
const ref = (name: string): { id: string; version: string } => ({ id: name.slice(0, name.indexOf('@')), version: name.slice(name.indexOf('@') + 1) });
const snapshot = (...names: string[]): Pick<RoutingSnapshot, 'deployments'> => ({ deployments: [{ credentials: names.map(ref) }] as unknown as RoutingSnapshot['deployments'] });

/** Leases of a router that counts what it is asked, and may be away. */
function world(): { leases: CredentialLeases; asked: string[]; warned: string[]; router: { away: boolean; before: Promise<void> }; time: { ms: number } } {
  const asked: string[] = [];
  const warned: string[] = [];
  const router = { away: false, before: Promise.resolve() };
  const time = { ms: 0 };
  const fetch: FetchLeases = async (request) => {
    asked.push(request.credentials.map(({ id, version }) => `${id}@${version}`).join(' '));
    await router.before;
    if (router.away) throw new Error('no router');
    return sealing(VALUES)(request);
  };
  return { leases: new CredentialLeases(fetch, { warn: (...about: unknown[]) => void warned.push(String(about[1])) }, () => time.ms), asked, warned, router, time };
}

describe('leases of credentials', () => {
  test('are fetched ahead of the first request, all at once, and then are at hand', async () => {
    const { leases, asked } = world();
    leases.prefetch(snapshot('p/a@1', 'p/b@1'));
    expect(await Promise.all([leases.value(ref('p/a@1')), leases.value(ref('p/b@1')), leases.value(ref('p/a@1'))])).toEqual(['sk-a1', 'sk-b', 'sk-a1']);
    expect(asked).toEqual(['p/a@1 p/b@1']);
  });

  test('are asked for in portions that the router takes, however many there are', async () => {
    const { leases, asked } = world();
    leases.prefetch(snapshot(...Array.from({ length: MOST_LEASES + 1 }, (_, i) => `p/${i}@1`), 'p/a@1'));
    expect(await leases.value(ref('p/a@1'))).toBe('sk-a1');
    expect(asked.map((names) => names.split(' ').length)).toEqual([MOST_LEASES, 2]);
  });

  test('that are held are used when no router can be reached; others cannot be had, and are not asked for again at once', async () => {
    const { leases, asked, router, time, warned } = world();
    leases.prefetch(snapshot('p/a@1'));
    await leases.value(ref('p/a@1'));
    router.away = true;
    expect(await leases.value(ref('p/a@1'))).toBe('sk-a1');
    leases.prefetch(snapshot('p/a@1', 'p/b@1'));
    expect([await leases.value(ref('p/b@1')), await leases.value(ref('p/b@1'))]).toEqual([null, null]);
    expect(asked).toHaveLength(2);
    expect(warned.length).toBeGreaterThan(0);
    router.away = false;
    time.ms += 1000;
    expect(await leases.value(ref('p/b@1'))).toBe('sk-b');
  });

  test('of a version that the snapshot names no more are gone, and are not kept when they arrive late', async () => {
    const { leases, asked, router } = world();
    leases.prefetch(snapshot('p/a@1', 'p/a@2'));
    await leases.value(ref('p/a@1'));
    leases.prefetch(snapshot('p/a@2'));
    const { promise, resolve } = Promise.withResolvers<void>();
    router.before = promise;
    const late = leases.value(ref('p/a@1'));
    await eventually('the question', () => asked.length === 2);
    resolve();
    expect(await late).toBeNull();
    expect(await leases.value(ref('p/a@2'))).toBe('sk-a2');
  });

  test('that are revoked are forgotten at once, in all versions or in one, also while they are on their way', async () => {
    const { leases, asked, router } = world();
    leases.prefetch(snapshot('p/a@1', 'p/a@2', 'p/b@1'));
    await leases.value(ref('p/a@1'));
    leases.revoke(['p/a@1']);
    expect(await leases.value(ref('p/a@2'))).toBe('sk-a2');
    expect(asked).toHaveLength(1);
    leases.revoke(['p/a']);
    const { promise, resolve } = Promise.withResolvers<void>();
    router.before = promise;
    const onItsWay = leases.value(ref('p/a@2'));
    await eventually('the question', () => asked.length === 2);
    leases.revoke(['p/a']);
    resolve();
    expect(await onItsWay).toBeNull();
    expect(await leases.value(ref('p/b@1'))).toBe('sk-b');
  });

  test('of a value that was replaced since a plan was made are those of its successor, for the same tenant and address alone', () => {
    const { leases } = world();
    const named = (name: string, more: Partial<CredentialRef> = {}): CredentialRef => ({ ...ref(name), weight: 1, limits: {}, unavailableUntilMs: 0, ...more });
    const planned = named('p/a@1');
    expect(leases.current(planned)).toBe(planned); // nothing else is known yet
    const take = (...credentials: CredentialRef[]): void => leases.prefetch({ deployments: [{ credentials }] as unknown as RoutingSnapshot['deployments'] });
    take(named('p/b@1'), named('p/a@3', { retiring: true }), named('p/a@2'));
    expect(leases.current(planned)).toMatchObject({ id: 'p/a', version: '2' });
    expect(leases.current(named('p/a@2'))).toMatchObject({ version: '2' });
    for (const other of [named('p/a@2', { tenant: 'acme' }), named('p/a@2', { baseUrl: 'https://elsewhere.example.com' }), named('p/b@2')]) {
      take(other);
      expect(leases.current(planned)).toBeNull();
    }
  });

  test('that the router does not give are none', async () => {
    const { leases } = world();
    expect(await leases.value(ref('p/unknown@1'))).toBeNull();
  });
});
