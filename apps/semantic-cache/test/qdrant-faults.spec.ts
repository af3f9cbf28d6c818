// What the Qdrant index does when the server, or the way to it, is not as it should be.
import { eventually, FakeQdrant } from '@deja/testing';
import type { Invalidation } from '@deja/contracts';
import { QdrantFailure } from '../src/index/qdrant/failure.ts';
import type { IndexEntry, Search } from '../src/index/entry.ts';
import { QdrantIndex, type QdrantIndexOptions } from '../src/index/qdrant/qdrant-index.ts';
import { CONTRACT_DIMENSIONS, idOf, NOW_MS, vectorOf } from './index-contract.ts';

const HERE = { tenant: 'acme', scope: 'tenant', fingerprint: 'f'.repeat(64) };
const search: Search = { vector: vectorOf(1), limit: 10, floor: 0.5, nowMs: NOW_MS };
const entry = (n: number, more: Partial<IndexEntry> = {}): IndexEntry => ({ ...HERE, entry: idOf(n), text: `question ${n}`, expiresAtMs: NOW_MS + 1000, made: { createdAtMs: NOW_MS, model: 'fast' }, bytes: 100, ...more });
const ofAll: Invalidation = { id: idOf(999), tenant: null, model: null, tag: null, entry: null, beforeMs: NOW_MS, madeAtMs: NOW_MS };

let fake: FakeQdrant;
let clockMs = NOW_MS;
let waits: number[] = [];
const open: QdrantIndex[] = [];

beforeEach(async () => {
  fake = await FakeQdrant.start();
  clockMs = NOW_MS;
  waits = [];
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((index) => index.close()));
  await fake.stop();
});

function indexWith(more: Partial<QdrantIndexOptions> = {}): QdrantIndex {
  const index = new QdrantIndex({
    url: fake.url,
    embedder: { name: 'static-256@1', dimensions: CONTRACT_DIMENSIONS },
    timeoutMs: 10_000,
    bounds: { maxEntriesPerTenant: 1000, maxBytesPerTenant: 1_000_000 },
    logger: { info: () => undefined, warn: () => undefined },
    now: () => clockMs,
    // No test waits: what would be waited for is written down.
    wait: async (ms) => void waits.push(ms),
    ...more,
  });
  open.push(index);
  return index;
}

async function readyIndex(more: Partial<QdrantIndexOptions> = {}): Promise<QdrantIndex> {
  const index = indexWith(more);
  index.start();
  await index.whenReady();
  return index;
}

const found = async (index: QdrantIndex): Promise<string[]> => (await index.search(HERE, search)).map((candidate) => candidate.entry.entry);
const troubleOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => 'none', (error: unknown) => (error instanceof QdrantFailure ? error.trouble : String(error)));
const sentTo = (path: RegExp): number => fake.requests.filter((request) => path.test(request.path)).length;

describe('the connection', () => {
  test('a query or a write whose connection breaks is sent again, once', async () => {
    const index = await readyIndex();
    fake.fail('reset', { path: /batch/ });
    await index.add(entry(1), vectorOf(1));
    fake.fail('reset', { path: /query/ });
    expect(await found(index)).toEqual([idOf(1)]);
    expect([sentTo(/batch/), sentTo(/query/)]).toEqual([2, 2]);
    fake.fail('reset', { path: /query/, times: 2 });
    expect(await troubleOf(index.search(HERE, search))).toBe('unreachable');
    expect(index.isUp()).toBe(false);
    expect(await found(index)).toEqual([idOf(1)]);
    expect(index.isUp()).toBe(true);
  });

  test('a server that does not answer costs a search its time-out, and no more', async () => {
    const index = await readyIndex({ timeoutMs: 500 });
    fake.fail('hang', { path: /query/ });
    expect(await troubleOf(index.search(HERE, search))).toBe('too_late');
    expect(sentTo(/query/)).toBe(1);
    expect(index.isUp()).toBe(false);
  });

  test('a server that is away fails searches, adds and invalidations, and is taken up again when it is back', async () => {
    const index = await readyIndex();
    const { port } = fake;
    await fake.stop();
    expect(await troubleOf(index.search(HERE, search))).toBe('unreachable');
    expect(await troubleOf(index.add(entry(1), vectorOf(1)))).toBe('unreachable');
    expect(await troubleOf(index.invalidate(ofAll))).toBe('unreachable');
    fake = await FakeQdrant.start({ port });
    // It lost its data as well: what is missing is made anew.
    expect(await troubleOf(index.search(HERE, search))).toBe('missing');
    await eventually('the collection is there again', async () => index.isUp());
    await index.add(entry(1), vectorOf(1));
    expect(await found(index)).toEqual([idOf(1)]);
  });

  test('a query refused for the rate of requests is a miss, and the next ones are not sent until a pause is over', async () => {
    const index = await readyIndex();
    fake.fail({ status: 429, error: 'Rate limiting exceeded', retryAfterS: 20 }, { path: /query/, times: 2 });
    expect(await troubleOf(index.search(HERE, search))).toBe('rate_limited');
    clockMs += 249;
    expect(await troubleOf(index.search(HERE, search))).toBe('rate_limited');
    expect(sentTo(/query/)).toBe(1);
    clockMs += 1;
    expect(await troubleOf(index.search(HERE, search))).toBe('rate_limited');
    expect(sentTo(/query/)).toBe(2);
    clockMs += 499; // the second pause is twice as long
    expect(await troubleOf(index.search(HERE, search))).toBe('rate_limited');
    clockMs += 1;
    expect(await found(index)).toEqual([]);
    expect(sentTo(/query/)).toBe(3);
  });

  test('a write refused for the rate of requests waits by its own rule and comes again, four times at most', async () => {
    const index = await readyIndex();
    fake.fail({ status: 429, error: 'Rate limiting exceeded', retryAfterS: 20 }, { path: /batch/, times: 2 });
    await index.add(entry(1), vectorOf(1));
    expect(waits).toEqual([250, 500]);
    fake.fail({ status: 429, error: 'Rate limiting exceeded' }, { path: /batch/, times: 5 });
    expect(await troubleOf(index.add(entry(2), vectorOf(1)))).toBe('rate_limited');
    expect(waits).toEqual([250, 500, 250, 500, 1000, 2000]);
    expect(await found(index)).toEqual([idOf(1)]);
  });

  test('every request asks for an answer that is not compressed, and searches for scores of the whole vectors', async () => {
    const index = await readyIndex();
    await index.add(entry(1), vectorOf(1));
    await found(index);
    await index.sweep(NOW_MS);
    expect(new Set(fake.requests.map(({ headers }) => headers['accept-encoding']))).toEqual(new Set(['identity']));
    const query = fake.requests.find(({ path }) => path.endsWith('/points/query'));
    expect(query?.body).toMatchObject({ params: { quantization: { rescore: true, oversampling: 2 } }, with_payload: true });
  });

  test('a key is sent with each request, and without it nothing is prepared', async () => {
    await fake.stop();
    fake = await FakeQdrant.start({ apiKey: 'a-key' });
    const warnings: string[] = [];
    const without = indexWith({ logger: { info: () => undefined, warn: ({ err }: { err?: Error }) => void warnings.push(String(err?.message)) } });
    without.start();
    await eventually('the refusal is said', () => warnings.includes('Qdrant answered 401: Must provide an API key or an Authorization bearer token'));
    await without.close();
    const index = await readyIndex({ apiKey: 'a-key' });
    expect(await found(index)).toEqual([]);
  });
});

describe('the start', () => {
  test('a server that is not there yet does not keep anything from starting', async () => {
    const { port, url } = fake;
    await fake.stop();
    const index = indexWith({ url });
    expect(await troubleOf(index.search(HERE, search))).toBe('not_ready');
    index.start();
    expect(await troubleOf(index.search(HERE, search))).toBe('not_ready');
    expect(index.isUp()).toBe(false);
    await eventually('it tries again, each time later', () => waits.length > 8);
    expect(waits.slice(0, 8)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    fake = await FakeQdrant.start({ port });
    await index.whenReady();
    expect(await found(index)).toEqual([]);
  });

  test('many replicas that start at once have one collection, reached through the alias', async () => {
    await Promise.all(Array.from({ length: 8 }, () => readyIndex()));
    const list = async (path: string): Promise<unknown> => ((await (await fetch(fake.url + path)).json()) as { result: unknown }).result;
    expect(await list('/collections')).toEqual({ collections: [{ name: 'deja_static-256_1_32_v1' }] });
    expect(await list('/aliases')).toEqual({ aliases: [{ alias_name: 'deja_static-256_1_32', collection_name: 'deja_static-256_1_32_v1' }] });
    expect(await list('/collections/deja_static-256_1_32')).toMatchObject({
      config: { params: { vectors: { size: CONTRACT_DIMENSIONS, distance: 'Cosine' } }, hnsw_config: { m: 0, payload_m: 16 }, metadata: { embedder: 'static-256@1', schema: 1 } },
      payload_schema: { tenant: { data_type: 'keyword' }, created_at: { data_type: 'integer' }, expires_at: { data_type: 'integer' }, entry: { data_type: 'keyword' } },
    });
    const tenantIndex = fake.requests.find(({ body }) => (body as { field_name?: string } | undefined)?.field_name === 'tenant');
    expect(tenantIndex?.body).toEqual({ field_name: 'tenant', field_schema: { type: 'keyword', is_tenant: true } });
  });

  const put = (path: string, body: object, method = 'PUT'): Promise<Response> => fetch(fake.url + path, { method, body: JSON.stringify(body) });
  const collection = (metadata: object): object => ({ vectors: { size: CONTRACT_DIMENSIONS, distance: 'Cosine' }, metadata });
  const alias = (name: string): Promise<Response> => put('/collections/aliases', { actions: [{ create_alias: { collection_name: name, alias_name: 'deja_static-256_1_32' } }] }, 'POST');

  test('an alias that was turned to another collection of this embedder and schema stays there; one of an older schema is turned', async () => {
    await put('/collections/copied', collection({ embedder: 'static-256@1', schema: 1 }));
    await alias('copied');
    await readyIndex();
    expect(sentTo(/^\/collections\/deja_static-256_1_32_v1$/)).toBe(0);
    await put('/collections/old', collection({ embedder: 'static-256@1', schema: 0 }));
    await alias('old');
    await readyIndex();
    expect(await (await fetch(`${fake.url}/aliases`)).json()).toMatchObject({ result: { aliases: [{ collection_name: 'deja_static-256_1_32_v1' }] } });
  });

  test.each([
    ['another embedder', { embedder: 'other@2', schema: 1 }, 'is not one of the embedder static-256@1'],
    ['a later version', { embedder: 'static-256@1', schema: 9 }, 'is of a later version of deja'],
  ])('a collection of %s is not touched', async (_, metadata, said) => {
    await put('/collections/theirs', collection(metadata));
    await alias('theirs');
    const warnings: string[] = [];
    const index = indexWith({ logger: { info: () => undefined, warn: ({ err }: { err?: Error }) => void warnings.push(String(err?.message)) } });
    index.start();
    await eventually('it is said', () => warnings.some((warning) => warning.includes(said)));
    expect(await troubleOf(index.search(HERE, search))).toBe('not_ready');
  });
});

test('what a search brings and its filters should have kept out is dropped and counted', async () => {
  const reasons: string[] = [];
  const index = await readyIndex({ onForeign: (reason) => void reasons.push(reason) });
  for (let n = 0; n < 8; n++) await index.add(entry(n), vectorOf(0.9));
  const wrong: object[] = [{ tenant: 'other' }, { scope: 'user:1' }, { fingerprint: 'e' }, { expires_at: NOW_MS }, { expires_at: 'soon' }, { embedder: 'other@1' }, { text: undefined }];
  fake.rewrite = (path, reply) => {
    if (!path.endsWith('/query')) return reply;
    const { points } = reply as { points: { id: string; payload: { entry: string } }[] };
    return { points: points.toSorted((a, b) => (a.payload.entry < b.payload.entry ? -1 : 1)).map((point, n) => ({ ...point, payload: { ...point.payload, ...wrong[n] } })) };
  };
  expect(await found(index)).toEqual([idOf(7)]);
  expect(reasons).toEqual(['tenant', 'scope', 'fingerprint', 'expired', 'unreadable', 'embedder', 'unreadable']);
  reasons.splice(0);
  expect((await index.searchAll('acme', search)).map((candidate) => candidate.entry.entry)).toEqual([1, 2, 7].map(idOf));
  expect(reasons).toEqual(['tenant', 'expired', 'unreadable', 'embedder', 'unreadable']);
});
