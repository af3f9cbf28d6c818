// What every vector index of this app guarantees. Each implementation's spec calls `describeIndexContract`; what only one of them promises
// (bounds, recovery) stands in its own spec. Everything is fixed (ids, vectors, clock), so that recorded replies can answer for a server.
import type { Invalidation, SemanticPartition } from '@deja/contracts';
import type { IndexEntry, Search, VectorIndex } from '../src/index/entry.ts';

export interface OpenIndex {
  /** Empty at first. */
  index: VectorIndex;
  close(): Promise<void>;
}

export const CONTRACT_DIMENSIONS = 32;
/** Vectors may be kept in 127 steps of their largest component; what is read back is this near to the true cosine. */
export const TOLERANCE = 0.01;
export const NOW_MS = 1_795_440_000_000;
const LATER_MS = NOW_MS + 3_600_000;

/** A vector whose cosine with `vectorOf(1)` is the one given. */
export function vectorOf(cosine: number): Float32Array {
  const vector = new Float32Array(CONTRACT_DIMENSIONS);
  vector[3] = cosine;
  vector[CONTRACT_DIMENSIONS - 1] = Math.sqrt(1 - cosine * cosine);
  return vector;
}

/** The n-th id: a UUIDv7, as ids of answers are. */
export const idOf = (n: number): string => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;

const HERE = { tenant: 'acme', scope: 'tenant', fingerprint: 'f'.repeat(64) } as const;
const QUESTION = vectorOf(1);

function entry(n: number, more: Partial<IndexEntry> = {}): IndexEntry {
  return { ...HERE, entry: idOf(n), text: `question ${n}`, expiresAtMs: LATER_MS, made: { createdAtMs: NOW_MS, model: 'fast' }, bytes: 100, ...more };
}

const rule = (more: Partial<Invalidation> = {}): Invalidation => ({
  id: idOf(999), tenant: null, model: null, tag: null, entry: null, beforeMs: NOW_MS + 1000, madeAtMs: NOW_MS + 1000, ...more,
});

/** Registers the tests under `name`. `open` gives an empty index for CONTRACT_DIMENSIONS to each of them. */
export function describeIndexContract(name: string, open: () => Promise<OpenIndex>): void {
  describe(name, () => {
    let opened: OpenIndex;
    let index: VectorIndex;
    beforeEach(async () => {
      opened = await open();
      ({ index } = opened);
    });
    afterEach(() => opened.close());

    const search = (more: Partial<Search> = {}): Search => ({ vector: QUESTION, limit: 10, floor: 0.5, nowMs: NOW_MS, ...more });
    const found = async (more: Partial<Search> = {}, partition: SemanticPartition = HERE): Promise<string[]> =>
      (await index.search(partition, search(more))).map((candidate) => candidate.entry.entry);
    const foundInAll = async (tenant: string | null, more: Partial<Search> = {}): Promise<string[]> =>
      (await index.searchAll(tenant, search(more))).map((candidate) => candidate.entry.entry);
    const context: Context = { index: () => index, search, found, foundInAll };

    describe('hard filters', () => registerFilters(context));
    describe('nearness', () => registerNearness(context));
    describe('keeping', () => registerKeeping(context));
    describe('taking away', () => registerTakingAway(context));
    describe('looking at all', () => registerSearchAll(context));
  });
}

interface Context {
  index: () => VectorIndex;
  search: (more?: Partial<Search>) => Search;
  /** Ids in the order they came. */
  found: (more?: Partial<Search>, partition?: SemanticPartition) => Promise<string[]>;
  foundInAll: (tenant: string | null, more?: Partial<Search>) => Promise<string[]>;
}

function registerFilters({ index, found }: Context): void {
  const others: [string, Partial<SemanticPartition>][] = [
    ['tenant', { tenant: 'other' }],
    ['scope', { scope: 'user:1' }],
    ['fingerprint', { fingerprint: 'e'.repeat(64) }],
  ];
  test.each(others)('an entry of another %s is never found, also with an equal vector and equal words', async (_, other) => {
    await index().add(entry(1), QUESTION);
    await index().add(entry(2, { ...other, text: 'question 1' }), QUESTION);
    expect(await found()).toEqual([idOf(1)]);
    expect(await found({}, { ...HERE, ...other })).toEqual([idOf(2)]);
  });

  test('names that hold quotes, commas and brackets do not run into each other', async () => {
    const partitions = [
      { tenant: 'a', scope: 'b","c', fingerprint: 'd' },
      { tenant: 'a', scope: 'b', fingerprint: 'c","d' },
      { tenant: 'a","b', scope: 'c', fingerprint: 'd' },
      { tenant: 'a', scope: 'b:c', fingerprint: 'd' },
      { tenant: 'a:b', scope: 'c', fingerprint: 'd' },
    ];
    for (const [n, partition] of partitions.entries()) await index().add(entry(n, { ...partition, text: 'same words' }), QUESTION);
    for (const [n, partition] of partitions.entries()) expect(await found({}, partition)).toEqual([idOf(n)]);
  });

  test('a partition that nobody wrote to has nothing', async () => {
    await index().add(entry(1), QUESTION);
    expect(await found({}, { ...HERE, scope: 'key:1' })).toEqual([]);
  });

  test('an entry is found until its time is over, and not from then on', async () => {
    await index().add(entry(1, { expiresAtMs: NOW_MS + 1 }), QUESTION);
    expect(await found({ nowMs: NOW_MS })).toEqual([idOf(1)]);
    expect(await found({ nowMs: NOW_MS + 1 })).toEqual([]);
  });

  test('what may not be found does not use up the limit', async () => {
    for (let n = 0; n < 6; n++) await index().add(entry(n, { expiresAtMs: NOW_MS }), vectorOf(0.99));
    for (let n = 10; n < 16; n++) await index().add(entry(n, { tenant: 'other' }), vectorOf(0.98));
    await index().add(entry(20), vectorOf(0.9));
    await index().add(entry(21), vectorOf(0.8));
    expect(await found({ limit: 2 })).toEqual([idOf(20), idOf(21)]);
  });
}

function registerNearness({ index, search, found }: Context): void {
  test('the nearest come first, each with its cosine', async () => {
    const cosines = [0.6, 0.95, 0.7, 0.99, 0.85];
    for (const [n, cosine] of cosines.entries()) await index().add(entry(n), vectorOf(cosine));
    const candidates = await index().search(HERE, search());
    expect(candidates.map((candidate) => candidate.entry.entry)).toEqual([3, 1, 4, 2, 0].map(idOf));
    for (const [at, cosine] of cosines.toSorted((a, b) => b - a).entries()) {
      expect(Math.abs((candidates[at]?.similarity ?? Number.NaN) - cosine)).toBeLessThanOrEqual(TOLERANCE);
    }
  });

  test('neither the length of a vector nor that of the question counts', async () => {
    await index().add(entry(1), vectorOf(0.9).map((x) => x * 0.05));
    const [candidate] = await index().search(HERE, search({ vector: QUESTION.map((x) => x * 20) }));
    expect(Math.abs((candidate?.similarity ?? Number.NaN) - 0.9)).toBeLessThanOrEqual(TOLERANCE);
  });

  test('an equal vector is as near as can be', async () => {
    const vector = Float32Array.from({ length: CONTRACT_DIMENSIONS }, (_, j) => Math.sin(1 + j * 7));
    await index().add(entry(1), vector);
    const [candidate] = await index().search(HERE, search({ vector }));
    expect(candidate?.similarity).toBeCloseTo(1, 4);
  });

  test('what is found says all that was kept', async () => {
    const kept = entry(1, { scope: 'user:1', text: 'Wie geht’s?\u2028 "x" 🙂', made: { createdAtMs: NOW_MS - 5, model: 'fast', asked: 'auto', tags: { team: 'a=b', app: '' } } });
    await index().add(kept, QUESTION);
    const candidates = await index().search({ ...HERE, scope: 'user:1' }, search());
    expect(candidates.map((candidate) => candidate.entry)).toEqual([kept]);
  });

  test('what is farther than the floor is not found, what is opposite neither', async () => {
    await index().add(entry(1), vectorOf(0.8));
    await index().add(entry(2), vectorOf(0.6));
    await index().add(entry(3), vectorOf(-1));
    expect(await found({ floor: 0.7 })).toEqual([idOf(1)]);
    expect(await found({ floor: 0.5 })).toEqual([1, 2].map(idOf));
  });

  test('never more than the limit, and those are the nearest', async () => {
    for (let n = 0; n < 30; n++) await index().add(entry(n), vectorOf(0.5 + ((n * 7) % 30) / 61));
    expect(await found({ limit: 3 })).toEqual([17, 4, 21].map(idOf)); // n × 7 mod 30 = 29, 28, 27
  });

  test.each([['zero', 0], ['not a number', Number.NaN]])('a vector that is %s is not kept, and finds nothing', async (_, value) => {
    const vector = new Float32Array(CONTRACT_DIMENSIONS).fill(value);
    await index().add(entry(1), vector);
    await index().add(entry(2), QUESTION);
    expect(await found({ vector, floor: -1 })).toEqual([]);
    expect(await found({ floor: -1 })).toEqual([idOf(2)]);
  });
}

function registerKeeping({ index, found }: Context): void {
  test('the newer answer to the same words takes the place of the older', async () => {
    await index().add(entry(1, { text: 'same words' }), QUESTION);
    await index().add(entry(2, { text: 'same words' }), QUESTION);
    expect(await found()).toEqual([idOf(2)]);
    await index().add(entry(3, { text: 'Same words' }), QUESTION); // other words, though only by a letter's case
    expect((await found()).sort()).toEqual([2, 3].map(idOf));
  });

  test('an id that is there already changes nothing', async () => {
    await index().add(entry(1), QUESTION);
    await index().add(entry(1), QUESTION);
    await index().add(entry(1, { text: 'other words', expiresAtMs: LATER_MS + 1 }), vectorOf(0.6));
    await index().add(entry(1, { scope: 'user:1' }), QUESTION);
    expect(await found()).toEqual([idOf(1)]);
    expect(await found({ nowMs: LATER_MS })).toEqual([]);
    expect(await found({}, { ...HERE, scope: 'user:1' })).toEqual([]);
  });

  test('two tenants may use one id', async () => {
    await index().add(entry(1), QUESTION);
    await index().add(entry(1, { tenant: 'other' }), QUESTION);
    await index().invalidate(rule({ tenant: 'other', entry: idOf(1) }));
    expect(await found()).toEqual([idOf(1)]);
    expect(await found({}, { ...HERE, tenant: 'other' })).toEqual([]);
  });

  test('an id that was taken away can come again', async () => {
    await index().add(entry(1), QUESTION);
    await index().invalidate(rule());
    await index().add(entry(1, { text: 'other words' }), QUESTION);
    expect(await found()).toEqual([idOf(1)]);
  });
}

function registerTakingAway({ index, found }: Context): void {
  const old: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS - 60_000, model: 'fast' } };
  const large: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS, model: 'large' } };
  const asked: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS, model: 'fast', asked: 'large' } };
  const preferred: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS, model: 'large:cost' } };
  const tagged: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS, model: 'fast', tags: { team: 'a=b' } } };
  const unknown: Partial<IndexEntry> = { made: undefined };
  const alike: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS, model: 'fast', tags: { team: 'a', app: 'a=b' } } };
  const newer: Partial<IndexEntry> = { made: { createdAtMs: NOW_MS + 5000, model: 'fast' } };
  const rules: [string, Partial<Invalidation>, Partial<IndexEntry>[], Partial<IndexEntry>][] = [
    ['by entry', { entry: idOf(100) }, [{}], alike],
    ['by age', { beforeMs: NOW_MS - 60_000 }, [old, unknown], alike],
    ['by model', { model: 'large' }, [large, asked, preferred], alike],
    ['by tag', { tag: 'team=a=b' }, [tagged], alike],
    ['by tag and model', { tag: 'team=a=b', model: 'fast' }, [tagged], alike],
    ['of a tenant', { tenant: HERE.tenant }, [{}, old, large, unknown], newer],
    ['of all', {}, [{}, old, large, { tenant: 'other' }, { scope: 'user:1' }], newer],
  ];
  test.each(rules)('invalidation %s takes what it covers, at once, and nothing else', async (_, more, covered, kept) => {
    for (const [n, facts] of covered.entries()) await index().add(entry(100 + n, facts), QUESTION);
    await index().add(entry(200, kept), QUESTION);
    await index().invalidate(rule(more));
    expect(await found()).toEqual([idOf(200)]);
    for (const { tenant = HERE.tenant, scope = HERE.scope } of covered) {
      if (tenant !== HERE.tenant || scope !== HERE.scope) expect(await found({}, { ...HERE, tenant, scope })).toEqual([]);
    }
  });

  test("one tenant's invalidation leaves another's entries", async () => {
    await index().add(entry(1), QUESTION);
    await index().add(entry(2, { tenant: 'other' }), QUESTION);
    await index().invalidate(rule({ tenant: HERE.tenant }));
    expect(await found()).toEqual([]);
    expect(await found({}, { ...HERE, tenant: 'other' })).toEqual([idOf(2)]);
  });

  test('conditions of one invalidation must all be met', async () => {
    await index().add(entry(1, large), QUESTION);
    await index().add(entry(2, tagged), QUESTION);
    await index().invalidate(rule({ model: 'large', tag: 'team=a=b' }));
    expect((await found()).sort()).toEqual([1, 2].map(idOf));
  });

  test('an entry of this very moment is covered, one of a millisecond later is not', async () => {
    await index().add(entry(1, { made: { createdAtMs: NOW_MS, model: 'fast' } }), QUESTION);
    await index().add(entry(2, { made: { createdAtMs: NOW_MS + 1, model: 'fast' } }), QUESTION);
    await index().invalidate(rule({ beforeMs: NOW_MS }));
    expect(await found()).toEqual([idOf(2)]);
  });

  test('a sweep takes what is over by then, of all tenants, and nothing else', async () => {
    await index().add(entry(1, { expiresAtMs: NOW_MS + 100 }), QUESTION);
    await index().add(entry(2, { expiresAtMs: NOW_MS + 100, tenant: 'other' }), QUESTION);
    await index().add(entry(3, { expiresAtMs: NOW_MS + 101 }), QUESTION);
    await index().sweep(NOW_MS + 100);
    expect(await found({ nowMs: NOW_MS })).toEqual([idOf(3)]);
    expect(await found({ nowMs: NOW_MS }, { ...HERE, tenant: 'other' })).toEqual([]);
  });
}

function registerSearchAll({ index, search, foundInAll }: Context): void {
  test("the nearest of all of a tenant's partitions, best first, and never another tenant's", async () => {
    await index().add(entry(1), vectorOf(0.7));
    await index().add(entry(2, { scope: 'user:1' }), vectorOf(0.9));
    await index().add(entry(3, { fingerprint: 'e'.repeat(64) }), vectorOf(0.8));
    await index().add(entry(4, { scope: 'key:1' }), vectorOf(0.1));
    await index().add(entry(5, { tenant: 'other' }), vectorOf(1));
    expect(await foundInAll(HERE.tenant)).toEqual([2, 3, 1].map(idOf));
    expect(await foundInAll('nobody')).toEqual([]);
  });

  test('of all tenants where none is named', async () => {
    await index().add(entry(1), vectorOf(0.7));
    await index().add(entry(2, { tenant: 'other' }), vectorOf(0.9));
    await index().add(entry(3, { tenant: 'third' }), vectorOf(0.8));
    const candidates = await index().searchAll(null, search());
    expect(candidates.map((candidate) => [candidate.entry.tenant, candidate.entry.entry])).toEqual([['other', idOf(2)], ['third', idOf(3)], [HERE.tenant, idOf(1)]]);
  });

  test('limit, floor and expiry hold over all partitions together', async () => {
    for (let n = 0; n < 12; n++) await index().add(entry(n, { scope: `user:${n % 5}` }), vectorOf(0.99 - n * 0.03));
    await index().add(entry(50, { scope: 'user:1', expiresAtMs: NOW_MS }), QUESTION);
    expect(await foundInAll(HERE.tenant, { limit: 4 })).toEqual([0, 1, 2, 3].map(idOf));
    expect(await foundInAll(null, { limit: 4 })).toEqual([0, 1, 2, 3].map(idOf));
    expect(await foundInAll(HERE.tenant, { floor: 0.95 })).toEqual([0, 1].map(idOf));
  });

  test('nothing is found any more after it was taken away', async () => {
    await index().add(entry(1), QUESTION);
    await index().add(entry(2, { scope: 'user:1' }), QUESTION);
    await index().invalidate(rule({ entry: idOf(2) }));
    expect(await foundInAll(HERE.tenant)).toEqual([idOf(1)]);
  });
}
