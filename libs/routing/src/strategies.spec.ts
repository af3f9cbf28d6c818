import { describe, expect, test } from '@jest/globals';
import type { PublicModel } from '@deja/contracts';
import fc from 'fast-check';
import { deployment, firstChoices, model, names, planOf, seeded, snapshot, view } from '../test/tables.ts';

const three = (strategy: PublicModel['strategy'], weights = [1, 1, 1]): PublicModel => model('m', ['a/m', 'b/m', 'c/m'].map((id, n) => ({ id, weight: weights[n]! })), { strategy });
const SEEDS = Array.from({ length: 30 }, (_, seed) => seed);

describe('priority', () => {
  test('keeps the order of the numbers, then of the file', () => {
    const table = snapshot([model('m', [{ id: 'a/m', priority: 2 }, 'b/m', 'c/m'], { strategy: 'priority' })]);
    for (const seed of SEEDS) expect(names(table, 'm', { seed })).toEqual(['b/m', 'c/m', 'a/m']);
  });
});

describe('cheapest', () => {
  test('goes by what this request costs there; an unknown price comes last', () => {
    const table = snapshot([three('cheapest')]);
    const costs: Record<string, number | null> = { a: null, b: 30, c: 20 };
    for (const seed of SEEDS) expect(names(table, 'm', { seed, costOf: ({ provider }) => costs[provider]! })).toEqual(['c/m', 'b/m', 'a/m']);
  });

  test('shares by weight between equals, and when no price is known', () => {
    const table = snapshot([three('cheapest', [3, 1, 1])]);
    for (const costOf of [() => 7, () => null]) {
      const shares = firstChoices(table, 'm', (seed) => ({ seed, costOf }));
      expect(shares['a/m']).toBeCloseTo(0.6, 1);
      expect(shares['b/m']).toBeCloseTo(0.2, 1);
    }
  });
});

describe('least_busy', () => {
  test('goes by calls in flight for the weight', () => {
    const table = snapshot([three('least_busy', [4, 1, 2])]);
    const here = view({ 'a/m': { inFlight: 4 }, 'b/m': { inFlight: 2 }, 'c/m': { inFlight: 1 } });
    for (const seed of SEEDS) expect(names(table, 'm', { seed, view: here })).toEqual(['c/m', 'a/m', 'b/m']);
  });

  test('draws by weight between equals', () => {
    const shares = firstChoices(snapshot([three('least_busy', [2, 1, 1])]), 'm', (seed) => ({ seed }));
    expect(shares['a/m']).toBeCloseTo(0.5, 1);
  });
});

describe('least_latency', () => {
  const table = snapshot([three('least_latency')], [deployment('a/m', [], { firstByteMs: 100 }), deployment('b/m', [], { firstByteMs: 200 }), deployment('c/m', [], { firstByteMs: 300 })]);

  test('takes the better of two drawn ones first, so the worst never, and the others from best to worst', () => {
    const shares = firstChoices(table, 'm', (seed) => ({ seed }));
    expect(shares['a/m']).toBeCloseTo(2 / 3, 1);
    expect(shares['b/m']).toBeCloseTo(1 / 3, 1);
    expect(shares['c/m']).toBeUndefined();
    for (const seed of SEEDS) expect([['a/m', 'b/m', 'c/m'], ['b/m', 'a/m', 'c/m']]).toContainEqual(names(table, 'm', { seed }));
  });

  test('of two, takes the one whose calls in flight, at its latency, are done first; what this gateway saw goes before the snapshot', () => {
    const two = snapshot([model('m', ['a/m', 'b/m'], { strategy: 'least_latency' })], table.deployments);
    const first = (of: Parameters<typeof view>[0]): Set<string> => new Set(SEEDS.map((seed) => names(two, 'm', { seed, view: view(of) })[0]!));
    expect(first({})).toEqual(new Set(['a/m']));
    expect(first({ 'a/m': { inFlight: 2 } })).toEqual(new Set(['b/m'])); // 300 against 200
    expect(first({ 'a/m': { firstByteMs: 900 } })).toEqual(new Set(['b/m']));
    expect(first({ 'a/m': { oldestWaitMs: 400, inFlight: 1 } })).toEqual(new Set(['b/m']));
  });

  test('tries what it knows nothing about', () => {
    const two = snapshot([model('m', ['a/m', 'n/m'], { strategy: 'least_latency' })], table.deployments);
    for (const seed of SEEDS) {
      expect(names(two, 'm', { seed })[0]).toBe('n/m');
      expect(names(two, 'm', { seed, view: view({ 'n/m': { inFlight: 1, oldestWaitMs: 150 } }) })[0]).toBe('a/m'); // it is known to be no quicker by now
    }
  });

  test('compares only those that can serve the request', () => {
    const quicker = Array.from({ length: 10 }, (_, n) => deployment(`q${n}/m`, [], { firstByteMs: 1 }));
    const crowded = snapshot([model('m', ['a/m', 'b/m', 'c/m', ...quicker.map(({ id }) => id)], { strategy: 'least_latency' })], [...table.deployments, ...quicker]);
    const shares = firstChoices(crowded, 'm', (seed) => ({ seed, suits: ({ provider }) => !provider.startsWith('q') }));
    expect(shares['b/m']).toBeCloseTo(1 / 3, 1);
  });
});

test('whatever the strategy: lower priorities first, and weight 0 only after all others of its tier', () => {
  const part = fc.record({ weight: fc.constantFrom(0, 1, 3), priority: fc.integer({ min: 1, max: 3 }), inFlight: fc.nat(9), firstByteMs: fc.option(fc.nat(500)) });
  const strategy = fc.constantFrom<PublicModel['strategy']>('weighted', 'least_latency', 'least_busy', 'cheapest', 'priority');
  fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), strategy, fc.integer(), fc.constantFrom(null, 'k'), (parts, by, seed, affinityKey) => {
    const table = snapshot([model('m', parts.map(({ weight, priority }, n) => ({ id: `p${n}/m`, weight, priority })), { strategy: by })]);
    const here = view(Object.fromEntries(parts.map(({ inFlight, firstByteMs }, n) => [`p${n}/m`, { inFlight, firstByteMs }])));
    const { candidates } = planOf(table, 'm', { random: seeded(seed), view: here, affinityKey, costOf: () => null });
    expect(candidates).toHaveLength(parts.length);
    const ranks = candidates.map(({ deployment: { id } }) => {
      const { priority, weight } = parts[Number(id.slice(1, -2))]!;
      return priority * 2 + Number(weight === 0);
    });
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  }));
});
