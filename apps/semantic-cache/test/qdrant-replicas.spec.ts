// Several replicas on one Qdrant, what they write in batches, and what is swept.
import { eventually, FakeQdrant } from '@deja/testing';
import { covers, type Invalidation } from '@deja/contracts';
import fc from 'fast-check';
import { cachedAnswer, type IndexEntry, type Search } from '../src/index/entry.ts';
import { QdrantIndex, type QdrantIndexOptions } from '../src/index/qdrant/qdrant-index.ts';
import { CONTRACT_DIMENSIONS, idOf, NOW_MS, vectorOf } from './index-contract.ts';

const HERE = { tenant: 'acme', scope: 'tenant', fingerprint: 'f'.repeat(64) };
const search: Search = { vector: vectorOf(1), limit: 100, floor: -1, nowMs: NOW_MS };
const made = (createdAtMs: number): { made: { createdAtMs: number; model: string } } => ({ made: { createdAtMs, model: 'fast' } });
const entry = (n: number, more: Partial<IndexEntry> = {}): IndexEntry => ({ ...HERE, entry: idOf(n), text: `question ${n}`, expiresAtMs: NOW_MS + 1000, ...made(NOW_MS), bytes: 100, ...more });
const rule = (more: Partial<Invalidation>): Invalidation => ({ id: idOf(999), tenant: null, model: null, tag: null, entry: null, beforeMs: NOW_MS, madeAtMs: NOW_MS, ...more });

let fake: FakeQdrant;
const open: QdrantIndex[] = [];
beforeEach(async () => {
  fake = await FakeQdrant.start();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((index) => index.close()));
  await fake.stop();
});

async function replica(more: Partial<QdrantIndexOptions> = {}): Promise<QdrantIndex> {
  const index = new QdrantIndex({
    url: fake.url,
    embedder: { name: 'static-256@1', dimensions: CONTRACT_DIMENSIONS },
    timeoutMs: 10_000,
    bounds: { maxEntriesPerTenant: 1000, maxBytesPerTenant: Infinity },
    logger: { info: () => undefined, warn: () => undefined },
    now: () => NOW_MS,
    ...more,
  });
  open.push(index);
  index.start();
  await index.whenReady();
  return index;
}

const found = async (index: QdrantIndex, tenant = HERE.tenant): Promise<string[]> => (await index.search({ ...HERE, tenant }, search)).map((candidate) => candidate.entry.entry).sort();
const updates = (): { upsert?: { points: unknown[] } }[] => fake.requests.filter(({ path }) => path.endsWith('/points/batch')).flatMap(({ body }) => (body as { operations: { upsert?: { points: unknown[] } }[] }).operations);

describe('replicas', () => {
  test('what one adds or takes away, the others find or find no more', async () => {
    const [one, other] = [await replica(), await replica()];
    await one.add(entry(1), vectorOf(1));
    await other.add(entry(2), vectorOf(0.9));
    expect([await found(one), await found(other)]).toEqual([[1, 2].map(idOf), [1, 2].map(idOf)]);
    await one.invalidate(rule({ entry: idOf(2) }));
    expect(await found(other)).toEqual([idOf(1)]);
  });

  test('of answers to the same words written at once by several, one is left, and it is the newest', async () => {
    const replicas = await Promise.all(Array.from({ length: 4 }, () => replica()));
    await Promise.all(replicas.map((index, n) => index.add(entry(n, { text: 'same words', ...made(NOW_MS - n) }), vectorOf(1))));
    for (const index of replicas) expect(await found(index)).toEqual([idOf(0)]);
  });

  test('an older answer that comes late is not served in place of the newer', async () => {
    const [one, other] = [await replica(), await replica()];
    await one.add(entry(2, { text: 'same words', ...made(NOW_MS) }), vectorOf(1));
    await other.add(entry(1, { text: 'same words', ...made(NOW_MS - 5000) }), vectorOf(1));
    expect(await found(one)).toEqual([idOf(2)]);
  });

  test('an invalidation reaches what other embedders have, also where no replica uses them', async () => {
    const before = await replica({ embedder: { name: 'static-256@0', dimensions: CONTRACT_DIMENSIONS } });
    await before.add(entry(1), vectorOf(1));
    await before.add(entry(2), vectorOf(1));
    await (await replica()).invalidate(rule({ entry: idOf(1) }));
    expect(await found(before)).toEqual([idOf(2)]);
  });

  test('an invalidation comes after what was being collected before it', async () => {
    const index = await replica();
    const adding = index.add(entry(1), vectorOf(1));
    await index.invalidate(rule({}));
    await adding;
    expect(await found(index)).toEqual([]);
  });
});

describe('batches', () => {
  test('what is added at once goes in few requests, and each add resolves when its own is in', async () => {
    const index = await replica();
    await Promise.all(Array.from({ length: 600 }, (_, n) => index.add(entry(n, { tenant: `tenant ${n % 3}` }), vectorOf(1))));
    expect(updates().flatMap(({ upsert }) => (upsert === undefined ? [] : [upsert.points.length])).sort((a, b) => a - b)).toEqual([88, 256, 256]);
    expect((await index.searchAll(null, { ...search, limit: 1000 })).length).toBe(600);
  });

  test('an entry that the server refuses does not take the others of its batch with it', async () => {
    const index = await replica();
    fake.fail({ status: 400, error: 'Wrong input' }, { path: /batch/, times: 2 }); // the batch, then its first point alone
    const added = await Promise.allSettled([1, 2, 3].map((n) => index.add(entry(n), vectorOf(1))));
    expect(added.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await found(index)).toEqual([2, 3].map(idOf));
  });

  test('an index that is closed has sent what it had collected', async () => {
    const index = await replica();
    const adding = index.add(entry(1), vectorOf(1));
    await index.close();
    await adding;
    expect(await found(await replica())).toEqual([idOf(1)]);
  });
});

describe('a sweep', () => {
  test('leaves each tenant its newest entries up to the bound, and counts what is left', async () => {
    const index = await replica({ bounds: { maxEntriesPerTenant: 3, maxBytesPerTenant: Infinity } });
    for (let n = 0; n < 6; n++) await index.add(entry(n, made(NOW_MS - (n * 5) % 7)), vectorOf(1)); // ages 0, 5, 3, 1, 6, 4
    await index.add(entry(10, { tenant: 'small', ...made(0) }), vectorOf(1));
    await Promise.all([index.sweep(NOW_MS), (await replica({ bounds: { maxEntriesPerTenant: 3, maxBytesPerTenant: Infinity } })).sweep(NOW_MS)]);
    expect(await found(index)).toEqual([0, 2, 3].map(idOf));
    expect(await found(index, 'small')).toEqual([idOf(10)]);
    await index.sweep(NOW_MS);
    expect(index.size).toBe(4);
  });

  test('leaves each tenant its newest entries up to the bytes it may have', async () => {
    const index = await replica({ bounds: { maxEntriesPerTenant: 1000, maxBytesPerTenant: 250 } });
    for (let n = 0; n < 5; n++) await index.add(entry(n, made(NOW_MS - n)), vectorOf(1));
    await index.add(entry(10, { tenant: 'unknown', bytes: undefined }), vectorOf(1));
    await index.sweep(NOW_MS);
    expect(await found(index)).toEqual([0, 1].map(idOf));
    expect(await found(index, 'unknown')).toEqual([idOf(10)]);
    expect(index.size).toBe(3);
  });

  test('an answer that is more by itself than a tenant may keep is not taken, and other bounds hold from the next sweep on', async () => {
    const index = await replica({ bounds: { maxEntriesPerTenant: 1000, maxBytesPerTenant: 250 } });
    await index.add(entry(1, { bytes: 251 }), vectorOf(1));
    for (let n = 2; n < 6; n++) await index.add(entry(n, { ...made(NOW_MS - n), bytes: 1 }), vectorOf(1));
    await index.sweep(NOW_MS);
    expect(await found(index)).toEqual([2, 3, 4, 5].map(idOf));
    index.limit({ maxEntriesPerTenant: 1, maxBytesPerTenant: 250 });
    await index.sweep(NOW_MS);
    expect(await found(index)).toEqual([idOf(2)]);
  });

  test('takes what is over out of the collections of embedders that are used no more', async () => {
    const before = await replica({ embedder: { name: 'static-256@0', dimensions: CONTRACT_DIMENSIONS } });
    await before.add(entry(1, { expiresAtMs: NOW_MS + 1 }), vectorOf(1));
    await before.add(entry(2, { expiresAtMs: NOW_MS + 2 }), vectorOf(1));
    await (await replica()).sweep(NOW_MS + 1);
    expect(await found(before)).toEqual([idOf(2)]);
  });
});

test('an invalidation takes exactly the answers that `covers` of the contracts names, whatever they are', async () => {
  const index = await replica();
  const name = fc.constantFrom('a', 'b', 'large', 'large:cost', '', '"', '__proto__');
  const answer = fc.record({
    tenant: name,
    made: fc.option(fc.record({ createdAtMs: fc.integer({ min: NOW_MS - 2, max: NOW_MS + 2 }), model: name, asked: name, tags: fc.dictionary(name, name, { maxKeys: 2 }) }, { requiredKeys: ['createdAtMs', 'model'] }), { nil: undefined }),
  });
  const part = fc.option(name);
  const invalidation = fc.record({ tenant: part, model: part, tag: fc.option(fc.tuple(name, name).map((pair) => pair.join('='))), entry: fc.option(fc.nat(3).map(idOf)) });
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 6 }), invalidation, async (answers, conditions) => {
      const entries = answers.map((facts, n) => entry(n, facts));
      await index.invalidate(rule({ beforeMs: Number.MAX_SAFE_INTEGER }));
      await Promise.all(entries.map((one) => index.add(one, vectorOf(1))));
      await index.invalidate(rule(conditions));
      const left = (await index.searchAll(null, search)).map((candidate) => candidate.entry);
      const byId = (a: IndexEntry, b: IndexEntry): number => (a.entry < b.entry ? -1 : 1);
      expect(left.sort(byId)).toEqual(entries.filter((one) => !covers(rule(conditions), cachedAnswer(one))));
    }),
    { numRuns: 60 },
  );
});

test('never a delete without a condition, whatever is done', async () => {
  const index = await replica({ bounds: { maxEntriesPerTenant: 0, maxBytesPerTenant: 0 } });
  await index.invalidate(rule({}));
  await index.add(entry(1, { bytes: 0 }), vectorOf(1));
  await index.sweep(NOW_MS);
  await eventually('a delete was sent', () => fake.requests.some(({ path }) => path.endsWith('/points/delete')));
  const deletes = fake.requests.flatMap(({ path, body }): unknown[] => {
    if (path.endsWith('/points/delete')) return [body];
    return path.endsWith('/points/batch') ? (body as { operations: { delete?: unknown }[] }).operations.flatMap((operation) => (operation.delete === undefined ? [] : [operation.delete])) : [];
  }) as { filter: { must?: unknown[]; should?: unknown[] } }[];
  expect(deletes.length).toBeGreaterThan(2);
  for (const { filter } of deletes) expect((filter.must ?? filter.should ?? []).length).toBeGreaterThan(0);
});
