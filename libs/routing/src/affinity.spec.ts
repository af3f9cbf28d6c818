import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { credential, deployment, firstChoices, model, names, seeded, snapshot, view } from '../test/tables.ts';
import { affinityDraw, drawnByShare, hashOf } from './affinity.ts';

const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => `p${n}/m`);

describe('requests of one key', () => {
  test('have the same order, whatever the random numbers', () => {
    fc.assert(fc.property(fc.string(), fc.integer(), fc.integer(), (affinityKey, one, other) => {
      const table = snapshot([model('m', ids(6))], [deployment('p0/m', ['x', 'y', 'z'])]);
      expect(names(table, 'm', { affinityKey, seed: one })).toEqual(names(table, 'm', { affinityKey, seed: other }));
    }));
  });

  test('move only when theirs is taken away: the others keep their order', () => {
    const entries = fc.uniqueArray(fc.record({ id: fc.string({ minLength: 1 }).map((s) => `${s}/m`), weight: fc.integer({ min: 1, max: 9 }) }), { selector: ({ id }) => id, minLength: 2, maxLength: 10 });
    fc.assert(fc.property(entries, fc.string(), fc.nat(), (of, affinityKey, n) => {
      const gone = of[n % of.length]!.id;
      const all = names(snapshot([model('m', of)]), 'm', { affinityKey });
      const rest = names(snapshot([model('m', of.filter(({ id }) => id !== gone))]), 'm', { affinityKey });
      expect(rest).toEqual(all.filter((id) => id !== gone));
    }));
  });

  test('are by chance where the model wants no affinity, or goes by something else than weight', () => {
    for (const over of [{ affinity: false }, { strategy: 'least_busy' as const }, { strategy: 'cheapest' as const }]) {
      const table = snapshot([model('m', ids(4), over)]);
      expect(Object.keys(firstChoices(table, 'm', (seed) => ({ seed, affinityKey: 'k' }), 200))).toHaveLength(4);
    }
  });
});

describe('many keys', () => {
  test('are spread by weight over deployments and credentials', () => {
    const table = snapshot([model('m', [{ id: 'a/m', weight: 5 }, { id: 'b/m', weight: 3 }, { id: 'c/m', weight: 2 }])], [deployment('a/m', [credential('a/1', { weight: 3 }), 'a/2'])]);
    const shares = firstChoices(table, 'm', (n) => ({ affinityKey: `turns of ${n}` }), 12_000);
    expect(shares['a/m#a/1']).toBeCloseTo(0.375, 1);
    expect(shares['a/m#a/2']).toBeCloseTo(0.125, 1);
    expect(shares['b/m']).toBeCloseTo(0.3, 1);
    expect(shares['c/m']).toBeCloseTo(0.2, 1);
  });

  test('are spread by any weights, close to the shares', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 6 }), fc.string(), (weights, salt) => {
      const table = snapshot([model('m', weights.map((weight, n) => ({ id: `p${n}/m`, weight })))]);
      const shares = firstChoices(table, 'm', (n) => ({ affinityKey: `${salt}${n}` }), 2000);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, n) => expect(Math.abs((shares[`p${n}/m`] ?? 0) - weight / total)).toBeLessThan(0.06));
    }), { numRuns: 30 });
  });

  test('have draws that are even in [0, 1), and say nothing about one another', () => {
    const draws = Array.from({ length: 4000 }, (_, n) => [affinityDraw(hashOf(`k${n}`), hashOf('a/m')), affinityDraw(hashOf(`k${n}`), hashOf('b/m'))] as const);
    const mean = (of: number[]): number => of.reduce((sum, x) => sum + x, 0) / of.length;
    for (const which of [0, 1] as const) {
      expect(Math.min(...draws.map((pair) => pair[which]))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...draws.map((pair) => pair[which]))).toBeLessThan(1);
      expect(mean(draws.map((pair) => pair[which]))).toBeCloseTo(0.5, 1);
    }
    expect(mean(draws.map(([a, b]) => (a - 0.5) * (b - 0.5)))).toBeCloseTo(0, 2);
  });
});

describe('bounded load', () => {
  const table = snapshot([model('m', ids(4))]);
  const order = names(table, 'm', { affinityKey: 'k' });

  test('gives the first place to the next when the first has more than twice its share in flight', () => {
    const busy = (inFlight: number): string[] => names(table, 'm', { affinityKey: 'k', view: view({ [order[0]!]: { inFlight }, [order[2]!]: { inFlight: 8 } }) });
    expect(busy(8)).toEqual(order);
    expect(busy(9)).toEqual([order[1], order[0], order[2], order[3]]); // more than 8, and more than 2 × 17 / 4
    expect(names(table, 'm', { affinityKey: 'k', view: view(Object.fromEntries(order.map((id) => [id, { inFlight: 100 }]))) })).toEqual(order);
  });

  test('knows that a heavier one has more', () => {
    const heavy = snapshot([model('m', [{ id: 'a/m', weight: 98 }, 'b/m', 'c/m'])]);
    const key = Array.from({ length: 100 }, (_, n) => `k${n}`).find((affinityKey) => names(heavy, 'm', { affinityKey })[0] === 'a/m')!;
    expect(names(heavy, 'm', { affinityKey: key, view: view({ 'a/m': { inFlight: 98 }, 'b/m': { inFlight: 1 }, 'c/m': { inFlight: 1 } }) })[0]).toBe('a/m');
  });

  test('holds for credentials too', () => {
    const pool = snapshot([model('m', ['a/m'])], [deployment('a/m', ['x', 'y', 'z'])]);
    const [first, second, third] = names(pool, 'm', { affinityKey: 'k' });
    expect(names(pool, 'm', { affinityKey: 'k', view: view({}, { [`${first!.split('#')[1]}@v`]: { inFlight: 20 } }) })).toEqual([second, first, third]);
  });
});

test('of several with a share, each takes its part of the draws, and nobody the rest', () => {
  const random = seeded(3);
  const counts: Record<string, number> = {};
  for (let n = 0; n < 10_000; n++) {
    const taken = drawnByShare(['a', 'b'], (id) => (id === 'a' ? 0.1 : 0.3), random()) ?? 'nobody';
    counts[taken] = (counts[taken] ?? 0) + 1 / 10_000;
  }
  expect(counts['a']).toBeCloseTo(0.1, 1);
  expect(counts['b']).toBeCloseTo(0.3, 1);
  expect(counts['nobody']).toBeCloseTo(0.6, 1);
});
