import fc from 'fast-check';
import { LARGEST_BLOCK } from './buddies.ts';
import { Nearest } from './nearest.ts';
import { VectorBlock } from './vector-block.ts';
import { VectorMemory } from './vector-memory.ts';
import type { Quantised } from './quantise.ts';

/** The same numbers for the same seed (a linear congruential generator), −1 … 1. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 31 - 1;
}
const randomVector = (dimensions: number, next: () => number): Float32Array => Float32Array.from({ length: dimensions }, next);
function inSteps(memory: VectorMemory, vector: Float32Array): Quantised {
  const quantised = memory.quantised(vector);
  if (quantised === null) throw new Error('a vector without direction');
  return quantised;
}
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let j = 0; j < a.length; j++) {
    dot += a[j]! * b[j]!;
    aa += a[j]! ** 2;
    bb += b[j]! ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}
function nearest(block: VectorBlock, question: Quantised, limit: number, floor: number): readonly { item: number; cosine: number }[] {
  const found = new Nearest<number>({ limit, floor });
  block.search(question, floor, (row, near) => {
    found.offer(row, near);
    return found.floor;
  });
  return found.found;
}

test.each([1, 8, 16, 17, 256, 384, 768, 1536, 3072])('with %i dimensions, the search finds what comparing each by itself finds', (dimensions) => {
  const next = numbers(dimensions);
  const memory = new VectorMemory(dimensions);
  const block = new VectorBlock(memory);
  const rows = Array.from({ length: 60 }, () => inSteps(memory, randomVector(dimensions, next)));
  for (const [n, row] of rows.entries()) expect(block.add(row)).toBe(n);
  for (const floor of [-1, 0, 0.05]) {
    const question = inSteps(memory, randomVector(dimensions, next));
    const expected = rows.map((row, item) => ({ item, cosine: cosine(row.steps, question.steps) })).filter((one) => one.cosine >= floor);
    const found = nearest(block, question, 1000, floor);
    expect([...found].sort((a, b) => a.item - b.item).map(({ item }) => item)).toEqual(expected.map(({ item }) => item));
    for (const one of found) expect(one.cosine).toBeCloseTo(expected.find(({ item }) => item === one.item)!.cosine, 12);
    expect(nearest(block, question, 5, floor)).toEqual(found.slice(0, 5));
  }
});

test('the nearest of thousands of rows are those that comparing each by itself finds, in the same order, also where most are told by their head alone', () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(48, 64, 256, 272), fc.constantFrom(0, 0.9, 0.99), fc.constantFrom(1, 10, 5000), fc.constantFrom(-1, 0, 0.5, 0.95), (seed, dimensions, decay, limit, floor) => {
      const next = numbers(seed);
      const memory = new VectorMemory(dimensions);
      const block = new VectorBlock(memory);
      // Like embeddings: about few middles, and with most of their length in the first columns, or all of it.
      const middles = Array.from({ length: 5 }, () => randomVector(dimensions, next).map((x, j) => x * decay ** j));
      const vectors = Array.from({ length: 2500 }, (_, n) => middles[n % 5]!.map((x, j) => x + next() * 0.5 * decay ** j));
      const rows = vectors.map((vector) => inSteps(memory, vector));
      for (const row of rows) block.add(row);
      const question = inSteps(memory, vectors[7]!.map((x, j) => x + next() * 0.2 * decay ** j));
      const expected = new Nearest<number>({ limit, floor });
      for (const [row, { steps, squares }] of rows.entries()) {
        const dot = steps.reduce((sum, step, j) => sum + step * question.steps[j]!, 0);
        expected.offer(row, dot / Math.sqrt(question.squares * squares));
      }
      expect(nearest(block, question, limit, floor)).toEqual(expected.found);
    }),
    { numRuns: 30 },
  );
});

test.each([256, 384, 1536, 3072])('with %i dimensions, the cosine of vectors in steps is within 0.01 of the cosine of the vectors', (dimensions) => {
  const next = numbers(7);
  const memory = new VectorMemory(dimensions);
  const block = new VectorBlock(memory);
  const question = randomVector(dimensions, next);
  const vectors = Array.from({ length: 50 }, (_, n) => randomVector(dimensions, next).map((x, j) => x * (n / 50) + (question[j] ?? 0)));
  for (const vector of vectors) block.add(inSteps(memory, vector));
  for (const { item, cosine: found } of nearest(block, inSteps(memory, question), 1000, -1)) expect(Math.abs(found - cosine(vectors[item]!, question))).toBeLessThan(0.01);
});

test('a vector has a cosine of exactly 1 with itself at every scale, so that it is found at a floor of 1, and −1 with its opposite', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 32, maxLength: 32 }), fc.constantFrom(2 ** -40, 0.5, 1, 2 ** 20), (list, scale) => {
      fc.pre(list.some((x) => x !== 0));
      const memory = new VectorMemory(32);
      const [vector, scaled, opposite] = [1, scale, -scale].map((factor) => memory.quantised(Float32Array.from(list, (x) => x * factor)));
      const block = new VectorBlock(memory);
      block.add(vector!);
      expect(nearest(block, scaled!, 1, 1)).toEqual([{ item: 0, cosine: 1 }]);
      expect(nearest(block, opposite!, 1, -1)).toHaveLength(1);
      expect(nearest(block, opposite!, 1, -1)[0]!.cosine).toBeCloseTo(-1, 1);
    }),
    { numRuns: 50 },
  );
});

test('a vector without a direction has no steps, one of other dimensions is an error', () => {
  const memory = new VectorMemory(32);
  expect(memory.quantised(new Float32Array(32))).toBeNull();
  expect(memory.quantised(new Float32Array(32).fill(1).with(5, Number.NaN))).toBeNull();
  expect(memory.quantised(new Float32Array(32).fill(1).with(5, Infinity))).toBeNull();
  expect(() => memory.quantised(new Float32Array(16).fill(1))).toThrow(RangeError);
});

test('blocks of one memory come, grow, shrink and go without touching each other', () => {
  const kinds = fc.constantFrom('add', 'add', 'add', 'remove', 'remove', 'clear') as fc.Arbitrary<'add' | 'remove' | 'clear'>;
  const actions = fc.array(fc.record({ kind: kinds, block: fc.nat(3), n: fc.nat(), times: fc.constantFrom(1, 1, 2, 40, 1500) }), { maxLength: 40 });
  const memory = new VectorMemory(16);
  const vectors = Array.from({ length: 500 }, (_, value) => inSteps(memory, Float32Array.from({ length: 16 }, (_one, j) => Math.cos(value / 100 + j))));
  const vectorOf = (value: number): Quantised => vectors[value % vectors.length]!;
  const cosines = vectors.map((vector) => Math.round(cosine(vector.steps, vectorOf(0).steps) * 1e6));
  const check = (block: VectorBlock, rows: readonly number[]): void => {
    expect(block.size).toBe(rows.length);
    const seen: number[] = [];
    block.search(vectorOf(0), -1, (row, near) => {
      seen[row] = Math.round(near * 1e6);
      return -1;
    });
    expect(seen).toEqual(rows.map((value) => cosines[value % vectors.length]));
  };
  fc.assert(
    fc.property(actions, (list) => {
      const blocks = Array.from({ length: 4 }, () => ({ block: new VectorBlock(memory), rows: [] as number[] }));
      for (const { kind, block: which, n, times } of list) {
        const { block, rows } = blocks[which]!;
        if (kind === 'clear') {
          block.clear();
          rows.length = 0;
        }
        for (let time = 0; time < times && kind !== 'clear'; time++) {
          if (kind === 'add') {
            block.add(vectorOf(n + time));
            rows.push(n + time);
          } else if (rows.length > 0) {
            const row = (n + time * 7) % rows.length;
            block.remove(row);
            const last = rows.pop()!;
            if (row < rows.length) rows[row] = last;
          }
        }
      }
      for (const { block, rows } of blocks) check(block, rows);
      for (const { block } of blocks) block.clear();
    }),
    { numRuns: 60 },
  );
});

test('a million vectors come and go, in blocks of all sizes, and the memory stays within eight times what the most of them at once needed', () => {
  const next = numbers(1);
  const memory = new VectorMemory(16);
  const vector = inSteps(memory, randomVector(16, next));
  const upTo = (n: number): number => Math.floor(((next() + 1) / 2) * n);
  const blocks = Array.from({ length: 200 }, () => new VectorBlock(memory));
  let rows = 0;
  for (let done = 0; done < 1_000_000; ) {
    const block = blocks[upTo(blocks.length)]!;
    const most = upTo(8) === 0 ? 3000 : 20;
    while (block.size < most && rows < 20_000) {
      block.add(vector);
      rows++;
      done++;
    }
    const kept = upTo(block.size + 1);
    while (block.size > kept) {
      block.remove(upTo(block.size));
      rows--;
      done++;
    }
  }
  expect(memory.bytes).toBeLessThan(8 * 20_000 * 24);
  for (const block of blocks) block.clear();
  const bytes = memory.bytes;
  const large = new VectorBlock(memory);
  for (let n = 0; n < 20_000; n++) large.add(vector); // what many small ones had serves one large
  expect(memory.bytes).toBe(bytes);
});

test('a block of one row takes the room of one, a large one at most a segment more than its rows', () => {
  const memory = new VectorMemory(256);
  const vector = inSteps(memory, randomVector(256, numbers(3)));
  const blocks = Array.from({ length: LARGEST_BLOCK }, () => new VectorBlock(memory));
  for (const block of blocks) block.add(vector);
  expect(memory.bytes).toBeLessThan(LARGEST_BLOCK * 260 + 2 * 65_536);
  const large = new VectorBlock(memory);
  for (let n = 0; n < 10_000; n++) large.add(vector);
  expect(memory.bytes).toBeLessThan((13 * LARGEST_BLOCK) * 260 + 2 * 65_536);
});

test('a row that is not there cannot be removed', () => {
  const memory = new VectorMemory(16);
  const block = new VectorBlock(memory);
  block.add(inSteps(memory, new Float32Array(16).fill(1)));
  for (const row of [-1, 1, Number.NaN]) expect(() => block.remove(row)).toThrow(RangeError);
  expect(block.size).toBe(1);
});
