import fc from 'fast-check';
import type { IndexEntry } from '../entry.ts';
import { EmbeddedIndex } from './embedded-index.ts';

const DIMENSIONS = 8;
const LATER_MS = 1_000_000;
const bounds = { maxEntriesPerTenant: 1000, maxEntries: 100_000, maxBytesPerTenant: 1e9 };
const options = { dimensions: DIMENSIONS, ...bounds };
const search = { limit: 10, floor: 0.5, nowMs: 0 };

const vectorOf = (angle: number): Float32Array => Float32Array.from({ length: DIMENSIONS }, (_, j) => (j === 0 ? Math.cos(angle) : j === 1 ? Math.sin(angle) : 0));
const same = vectorOf(0);
const entry = (id: string, more: Partial<IndexEntry> = {}): IndexEntry => ({ tenant: 't', scope: 'tenant', fingerprint: 'f', entry: id, text: `text of ${id}`, expiresAtMs: LATER_MS, ...more });
const here = { tenant: 't', scope: 'tenant', fingerprint: 'f' };
const found = (index: EmbeddedIndex, partition = here, vector = same, nowMs = 0): string[] => index.search(partition, { ...search, vector, nowMs }).map((candidate) => candidate.entry.entry);

test('no search ever sees an entry of another tenant, scope or fingerprint, also with equal vectors', () => {
  const part = fc.record({ tenant: fc.constantFrom('a', 'b', 'a","b'), scope: fc.constantFrom('tenant', 'key:1', 'user:1', '1","f'), fingerprint: fc.constantFrom('f1', 'f2', '"]') });
  const action = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), id: fc.nat(60), partition: part, text: fc.nat(8), expiresAtMs: fc.constantFrom(5, LATER_MS) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: fc.nat(60), partition: part }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), part, fc.constantFrom(0, 10), (actions, asking, nowMs) => {
      const index = new EmbeddedIndex({ ...options, maxEntriesPerTenant: 20, maxEntries: 30 });
      const model = new Map<string, IndexEntry>(); // what may be found at most, by tenant and id
      for (const step of actions) {
        if (step.kind === 'add') {
          const added = entry(`e${step.id}`, { ...step.partition, text: `text ${step.text}`, expiresAtMs: step.expiresAtMs });
          if (index.add(added, same)) model.set(`${added.tenant} ${added.entry}`, added);
        } else if (step.kind === 'delete') {
          index.delete(step.partition.tenant, `e${step.id}`);
          model.delete(`${step.partition.tenant} e${step.id}`);
        } else index.sweep(10);
      }
      const candidates = index.search(asking, { ...search, vector: same, limit: 1000, nowMs });
      for (const { entry: hit } of candidates) {
        expect({ tenant: hit.tenant, scope: hit.scope, fingerprint: hit.fingerprint }).toEqual(asking);
        expect(model.get(`${hit.tenant} ${hit.entry}`)).toEqual(hit);
        expect(hit.expiresAtMs).toBeGreaterThan(nowMs);
      }
      expect(new Set(candidates.map(({ entry: hit }) => hit.entry)).size).toBe(candidates.length);
      expect(index.size).toBeLessThanOrEqual(30);
    }),
    { numRuns: 500 },
  );
});

test('every live entry is found, nearest first, however often the block grew and shrank', () => {
  const index = new EmbeddedIndex(options);
  for (let i = 0; i < 300; i++) index.add(entry(`e${i}`), vectorOf(i / 1000));
  for (let i = 0; i < 300; i += 3) expect(index.delete('t', `e${i}`)).toBe(true);
  for (let i = 100; i < 300; i++) index.delete('t', `e${i}`);
  const ids = index.search(here, { ...search, vector: same, limit: 1000 }).map((candidate) => candidate.entry.entry);
  const expected = Array.from({ length: 100 }, (_, i) => i).filter((i) => i % 3 !== 0).map((i) => `e${i}`);
  expect(new Set(ids)).toEqual(new Set(expected));
  expect(index.size).toBe(expected.length);
  const similarities = index.search(here, { ...search, vector: same, limit: 1000 }).map((candidate) => candidate.similarity);
  expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
});

test('only neighbours above the floor come back, and never more than asked for', () => {
  const index = new EmbeddedIndex(options);
  for (let i = 0; i < 50; i++) index.add(entry(`near${i}`), vectorOf(0.01 * i));
  index.add(entry('far'), vectorOf(Math.PI / 2));
  expect(found(index)).toEqual(Array.from({ length: 10 }, (_, i) => `near${i}`));
  expect(found(index, here, vectorOf(Math.PI / 2 + 1))).toEqual(['far']);
});

test('equal vectors have a similarity of 1', () => {
  const index = new EmbeddedIndex(options);
  const vector = Float32Array.from([0.1, -0.3, 0.5, 0.2, 0.7, -0.1, 0.3, 0.05]);
  index.add(entry('e'), vector);
  expect(index.search(here, { ...search, vector })[0]?.similarity).toBeCloseTo(1, 6);
});

test('an entry that is over is not found, swept or not', () => {
  const index = new EmbeddedIndex(options);
  index.add(entry('brief', { expiresAtMs: 100 }), same);
  index.add(entry('long'), same);
  expect(found(index, here, same, 99)).toEqual(['brief', 'long']);
  expect(found(index, here, same, 100)).toEqual(['long']);
  expect(index.sweep(100)).toBe(1);
  expect(index.size).toBe(1);
  expect(found(index, here, same, 0)).toEqual(['long']);
});

test('adding an id twice changes nothing', () => {
  const index = new EmbeddedIndex(options);
  expect(index.add(entry('e'), same)).toBe(true);
  expect(index.add(entry('e', { text: 'other', fingerprint: 'g' }), same)).toBe(false);
  expect(index.size).toBe(1);
  expect(found(index, { ...here, fingerprint: 'g' })).toEqual([]);
});

test('two tenants may use one id', () => {
  const index = new EmbeddedIndex(options);
  index.add(entry('e'), same);
  index.add(entry('e', { tenant: 'u' }), same);
  expect(index.delete('u', 'e')).toBe(true);
  expect(found(index)).toEqual(['e']);
});

test('a newer answer to the same words takes the place of the older', () => {
  const index = new EmbeddedIndex(options);
  index.add(entry('old', { text: 'same words' }), same);
  index.add(entry('new', { text: 'same words' }), same);
  expect(found(index)).toEqual(['new']);
  expect(index.size).toBe(1);
});

test("the oldest entries of a tenant make room for its newest, and other tenants' do not", () => {
  const index = new EmbeddedIndex({ ...options, maxEntriesPerTenant: 3 });
  index.add(entry('theirs', { tenant: 'u' }), same);
  for (const id of ['a', 'b', 'c', 'd', 'e']) index.add(entry(id), same);
  expect(found(index).sort()).toEqual(['c', 'd', 'e']);
  expect(found(index, { ...here, tenant: 'u' })).toEqual(['theirs']);
});

test('when all is full, the tenant with the most entries gives way', () => {
  const index = new EmbeddedIndex({ ...options, maxEntries: 4 });
  for (const id of ['a', 'b', 'c']) index.add(entry(id), same);
  for (const id of ['x', 'y']) index.add(entry(id, { tenant: 'u' }), same);
  expect(found(index).sort()).toEqual(['b', 'c']);
  expect(found(index, { ...here, tenant: 'u' }).sort()).toEqual(['x', 'y']);
});

test("the oldest answers of a tenant make room when its bytes are too many, and other tenants' do not", () => {
  const evicted: string[] = [];
  const index = new EmbeddedIndex({ ...options, maxBytesPerTenant: 100, onEvicted: ({ entry: id }) => evicted.push(id) });
  index.add(entry('theirs', { tenant: 'u', bytes: 100 }), same);
  for (const id of ['a', 'b', 'c']) index.add(entry(id, { bytes: 40 }), same);
  expect(found(index).sort()).toEqual(['b', 'c']);
  index.add(entry('unknown'), same); // counted as nothing
  index.add(entry('d', { bytes: 100 }), same);
  expect(found(index).sort()).toEqual(['d', 'unknown']);
  expect(found(index, { ...here, tenant: 'u' })).toEqual(['theirs']);
  expect(evicted).toEqual(['a', 'b', 'c']);
});

test('an answer that alone is more than its tenant may keep is not kept, and costs no other its place', () => {
  const evicted: string[] = [];
  const index = new EmbeddedIndex({ ...options, maxBytesPerTenant: 100, onEvicted: ({ entry: id }) => evicted.push(id) });
  index.add(entry('a', { bytes: 60 }), same);
  expect(index.add(entry('huge', { bytes: 101 }), same)).toBe(false);
  expect(found(index)).toEqual(['a']);
  expect(evicted).toEqual(['huge']);
});

test('bytes of what was replaced or deleted count no more', () => {
  const index = new EmbeddedIndex({ ...options, maxBytesPerTenant: 100 });
  index.add(entry('a', { bytes: 60, text: 'same words' }), same);
  index.add(entry('b', { bytes: 60, text: 'same words' }), same);
  index.add(entry('c', { bytes: 40 }), same);
  expect(found(index).sort()).toEqual(['b', 'c']);
  index.delete('t', 'b');
  index.add(entry('d', { bytes: 60 }), same);
  expect(found(index).sort()).toEqual(['c', 'd']);
});

test('only what has to go for want of room is reported', () => {
  const evicted: string[] = [];
  const index = new EmbeddedIndex({ ...options, maxEntriesPerTenant: 2, onEvicted: ({ entry: id }) => evicted.push(id) });
  index.add(entry('a', { text: 'same words' }), same);
  index.add(entry('b', { text: 'same words' }), same);
  index.add(entry('c', { expiresAtMs: 5 }), same);
  index.sweep(5);
  index.delete('t', 'b');
  expect(evicted).toEqual([]);
  for (const id of ['x', 'y', 'z']) index.add(entry(id), same);
  expect(evicted).toEqual(['x']);
});

test('bounds that change hold at once, and those that are wider let more in', () => {
  const evicted: string[] = [];
  const index = new EmbeddedIndex({ ...options, onEvicted: ({ entry: id }) => evicted.push(id) });
  for (const id of ['a', 'b', 'c']) index.add(entry(id, { bytes: 10 }), same);
  for (const id of ['x', 'y']) index.add(entry(id, { tenant: 'u', bytes: 100 }), same);
  index.limit({ ...bounds, maxBytesPerTenant: 100 });
  expect(evicted).toEqual(['x']);
  index.limit({ ...bounds, maxEntriesPerTenant: 2 });
  expect(evicted).toEqual(['x', 'a']);
  index.limit({ ...bounds, maxEntries: 1 });
  expect(index.size).toBe(1);
  index.limit(bounds);
  for (const id of ['k', 'l', 'm']) index.add(entry(id), same);
  expect(index.size).toBe(4);
});

test('room for nothing keeps nothing', () => {
  const index = new EmbeddedIndex({ ...options, maxEntries: 0 });
  index.add(entry('a'), same);
  expect(index.size).toBe(0);
  expect(found(index)).toEqual([]);
});

test('cleared, it is empty, gives its memory back, and is of use again', () => {
  const index = new EmbeddedIndex(options);
  const before = index.vectorBytes;
  for (let n = 0; n < 20_000; n++) index.add(entry(`e${n}`, { tenant: `t${n % 50}` }), same);
  expect(index.vectorBytes).toBeGreaterThan(before);
  index.clear();
  expect([index.size, index.vectorBytes, found(index)]).toEqual([0, before, []]);
  index.add(entry('new'), same);
  expect(found(index)).toEqual(['new']);
});

test('entries that come and go for ever, in many partitions, take no more memory than those of one moment', () => {
  const index = new EmbeddedIndex({ ...options, maxEntriesPerTenant: 500, maxEntries: 2000 });
  let afterFirst = 0;
  for (let n = 0; n < 60_000; n++) {
    index.add(entry(`e${n}`, { tenant: `t${n % 7}`, fingerprint: `f${(n * 31) % 997}` }), same);
    if (n === 10_000) afterFirst = index.vectorBytes;
  }
  expect(index.size).toBe(2000);
  expect(index.vectorBytes).toBeLessThanOrEqual(afterFirst);
});

test('a vector of other dimensions is an error, not a wrong answer', () => {
  const index = new EmbeddedIndex(options);
  expect(() => index.add(entry('e'), new Float32Array(DIMENSIONS * 2).fill(1))).toThrow(RangeError);
  expect(() => found(index, here, new Float32Array(DIMENSIONS - 1).fill(1))).toThrow(RangeError);
  expect(index.size).toBe(0);
});

test('the same words are kept once, among few and among many', () => {
  const index = new EmbeddedIndex(options);
  for (let n = 0; n < 100; n++) {
    index.add(entry(`old${n}`, { text: `words ${n}` }), same);
    index.add(entry(`new${n}`, { text: `words ${n}` }), same);
    index.add(entry(`newest${n >> 1}`, { text: `words ${n >> 1}` }), same);
  }
  const texts = index.search(here, { ...search, vector: same, limit: 1000 }).map((candidate) => candidate.entry.text);
  expect(texts.toSorted()).toEqual(Array.from({ length: 100 }, (_, n) => `words ${n}`).toSorted());
});
