import { describe, expect, test } from '@jest/globals';
import type { CredentialRef, Deployment, PublicModel, RoutingSnapshot, Settings } from '@deja/contracts';
import fc from 'fast-check';
import { planRequest } from './plan.ts';

const NOW = 1_000_000;

const credential = (id: string, over: Partial<CredentialRef> = {}): CredentialRef => ({ id, version: 'v', weight: 1, limits: {}, unavailableUntilMs: 0, ...over });

const deployment = (id: string, credentials: CredentialRef[], over: Partial<Deployment> = {}): Deployment => ({
  id, provider: id.split('/')[0]!, kind: 'openai', baseUrl: 'https://x/v1', apiVersion: null, upstreamModel: id.split('/')[1]!, credentials, unavailableUntilMs: 0, ...over,
});

const model = (name: string, deployments: (string | { id: string; weight?: number; priority?: number })[], over: Partial<PublicModel> = {}): PublicModel => ({
  name, strategy: 'weighted', fallbacks: [], ...over,
  deployments: deployments.map((d) => (typeof d === 'string' ? { id: d, weight: 1, priority: 1 } : { weight: 1, priority: 1, ...d })),
});

const snapshot = (models: PublicModel[], deployments: Deployment[]): RoutingSnapshot => ({ version: 7, issuedAtMs: 0, models, deployments, settings: {} as Settings });

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function names(table: RoutingSnapshot, wanted: string, maxAttempts = 4, seed = 1): string[] {
  const result = planRequest(table, { model: wanted }, { nowMs: NOW, random: seeded(seed), maxAttempts });
  if ('refused' in result) throw new Error(result.refused);
  return result.plan.candidates.map((c) => `${c.deployment.id}#${c.credential?.id ?? '-'}`);
}

describe('a plan', () => {
  test('tries another credential, then the next deployment, then the fallback models', () => {
    const table = snapshot(
      [model('m', [{ id: 'a/m' }, { id: 'b/m', priority: 2 }], { fallbacks: ['f'] }), model('f', ['c/f'])],
      [deployment('a/m', [credential('a1', { weight: 1000 }), credential('a2', { weight: 0 })]), deployment('b/m', [credential('b1')]), deployment('c/f', [])],
    );
    expect(names(table, 'm')).toEqual(['a/m#a1', 'a/m#a2', 'b/m#b1', 'c/f#-']);
    const result = planRequest(table, { model: 'm' }, { nowMs: NOW, random: () => 0.5, maxAttempts: 4 });
    expect(result).toMatchObject({ plan: { snapshotVersion: 7, candidates: [{ model: 'm' }, { model: 'm' }, { model: 'm' }, { model: 'f', upstreamModel: 'f' }] } });
  });

  test('leaves an attempt for each further deployment and fallback when the first has many credentials', () => {
    const many = Array.from({ length: 10 }, (_, i) => credential(`a${i}`));
    const table = snapshot([model('m', ['a/m'], { fallbacks: ['f'] }), model('f', ['c/f'])], [deployment('a/m', many), deployment('c/f', [])]);
    const planned = names(table, 'm');
    expect(planned.slice(0, 3).every((name) => name.startsWith('a/m#'))).toBe(true);
    expect(planned[3]).toBe('c/f#-');
  });

  test('repeats a candidate only when there is nothing else', () => {
    const table = snapshot([model('m', ['a/m'])], [deployment('a/m', [credential('a1'), credential('a2')])]);
    const planned = names(table, 'm');
    expect(new Set(planned.slice(0, 2)).size).toBe(2);
    expect(planned.slice(2)).toEqual(planned.slice(0, 2));
  });

  test('serves any other name through the model "*", under the name the client sent', () => {
    const table = snapshot([model('m', ['a/m']), model('*', ['a/*'])], [deployment('a/m', []), deployment('a/*', [])]);
    expect(planRequest(table, { model: 'other' }, { nowMs: NOW, random: () => 0, maxAttempts: 1 })).toMatchObject({ plan: { candidates: [{ model: 'other', upstreamModel: 'other' }] } });
    expect(planRequest(table, { model: '*' }, { nowMs: NOW, random: () => 0, maxAttempts: 1 })).toEqual({ refused: 'model_not_found', retryAfterMs: null });
  });

  test('does not exist for an unknown model', () => {
    expect(planRequest(snapshot([model('m', ['a/m'])], [deployment('a/m', [])]), { model: 'n' }, { nowMs: NOW, random: () => 0, maxAttempts: 4 }))
      .toEqual({ refused: 'model_not_found', retryAfterMs: null });
  });

  test('skips what is unavailable until later, and takes it back when the time has come', () => {
    const table = snapshot([model('m', ['a/m', 'b/m'])], [
      deployment('a/m', [credential('a1', { unavailableUntilMs: NOW + 1 }), credential('a2', { unavailableUntilMs: NOW })]),
      deployment('b/m', [credential('b1')], { unavailableUntilMs: NOW + 1 }),
    ]);
    expect(new Set(names(table, 'm'))).toEqual(new Set(['a/m#a2']));
  });

  test('when everything is unavailable, says when the first candidate is usable again, fallbacks too', () => {
    const table = snapshot([model('m', ['a/m', 'b/m'], { fallbacks: ['f'] }), model('f', ['c/f'])], [
      deployment('a/m', [credential('a1', { unavailableUntilMs: NOW + 5000 }), credential('a2', { unavailableUntilMs: NOW + 9000 })], { unavailableUntilMs: NOW + 7000 }),
      deployment('b/m', [credential('b1')], { unavailableUntilMs: NOW + 8000 }),
      deployment('c/f', [], { unavailableUntilMs: NOW + 7500 }),
    ]);
    expect(planRequest(table, { model: 'm' }, { nowMs: NOW, random: () => 0, maxAttempts: 4 })).toEqual({ refused: 'no_deployment_available', retryAfterMs: 7000 });
  });

  test('with strategy priority keeps the order of the numbers, then of the file', () => {
    const table = snapshot([model('m', [{ id: 'a/m', priority: 2 }, 'b/m', 'c/m'], { strategy: 'priority' })], [deployment('a/m', []), deployment('b/m', []), deployment('c/m', [])]);
    for (let seed = 0; seed < 20; seed++) expect(names(table, 'm', 3, seed)).toEqual(['b/m#-', 'c/m#-', 'a/m#-']);
  });

  test('distributes first choices over deployments and credentials by weight', () => {
    const table = snapshot([model('m', [{ id: 'a/m', weight: 3 }, { id: 'b/m', weight: 1 }])], [
      deployment('a/m', [credential('a1', { weight: 2 }), credential('a2', { weight: 1 })]),
      deployment('b/m', []),
    ]);
    const random = seeded(42);
    const counts: Record<string, number> = {};
    for (let i = 0; i < 12_000; i++) {
      const result = planRequest(table, { model: 'm' }, { nowMs: NOW, random, maxAttempts: 1 });
      if ('refused' in result) throw new Error('refused');
      const [first] = result.plan.candidates;
      const name = first!.credential?.id ?? first!.deployment.id;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(counts['a1']! / 12_000).toBeCloseTo(0.5, 1);
    expect(counts['a2']! / 12_000).toBeCloseTo(0.25, 1);
    expect(counts['b/m']! / 12_000).toBeCloseTo(0.25, 1);
  });
});

const arbitraryTable = fc.array(
  fc.record({
    deployments: fc.array(fc.record({ weight: fc.nat(5), priority: fc.integer({ min: 1, max: 3 }), untilMs: fc.constantFrom(0, NOW + 10), credentials: fc.array(fc.record({ weight: fc.nat(3), untilMs: fc.constantFrom(0, NOW + 20) }), { maxLength: 4 }) }), { minLength: 1, maxLength: 4 }),
    fallbacks: fc.array(fc.nat(3), { maxLength: 3 }),
    strategy: fc.constantFrom('weighted' as const, 'priority' as const, 'cheapest' as const),
  }),
  { minLength: 1, maxLength: 4 },
).map((models) => snapshot(
  models.map((m, i) => model(`m${i}`, m.deployments.map((d, j) => ({ id: `p${i}/${j}`, weight: d.weight, priority: d.priority })), { strategy: m.strategy, fallbacks: m.fallbacks.map((n) => `m${n}`) })),
  models.flatMap((m, i) => m.deployments.map((d, j) => deployment(`p${i}/${j}`, d.credentials.map((c, k) => credential(`p${i}/${j}/${k}`, { weight: c.weight, unavailableUntilMs: c.untilMs })), { unavailableUntilMs: d.untilMs }))),
));

test('whatever the table: a plan is usable, within the attempts, without needless repetition, and the same for the same random numbers', () => {
  fc.assert(fc.property(arbitraryTable, fc.integer({ min: 1, max: 8 }), fc.integer(), (table, maxAttempts, seed) => {
    const plan = (): ReturnType<typeof planRequest> => planRequest(table, { model: 'm0' }, { nowMs: NOW, random: seeded(seed), maxAttempts });
    const result = plan();
    expect(plan()).toEqual(result);
    const refused = 'refused' in result;
    const candidates = refused ? [] : result.plan.candidates;
    expect(refused && (result.refused !== 'no_deployment_available' || result.retryAfterMs === null || result.retryAfterMs < 1)).toBe(false);
    expect(candidates).toHaveLength(refused ? 0 : maxAttempts);
    for (const c of candidates) {
      expect(c.deployment.unavailableUntilMs).toBeLessThanOrEqual(NOW);
      expect(c.credential?.unavailableUntilMs ?? 0).toBeLessThanOrEqual(NOW);
      expect(c.credential === null).toBe(c.deployment.credentials.length === 0);
    }
    const pairs = candidates.map((c) => `${c.deployment.id}#${c.credential?.id}`);
    const distinct = new Set(pairs).size;
    expect(new Set(pairs.slice(0, distinct)).size).toBe(distinct);
    const order = ['m0', ...(table.models[0]?.fallbacks ?? [])];
    const ranks = candidates.slice(0, distinct).map((c) => order.indexOf(c.model));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  }));
});
