import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import type { RequestObject } from '@deja/admin-api';
import { usdText } from '@deja/contracts';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { parquetFile } from './parquet-file.ts';

const compressors = { ZSTD: (bytes: Uint8Array): Uint8Array => zstdDecompressSync(bytes) };
const MAX_BIGINT = 2n ** 63n - 1n;

const request = (over: Partial<RequestObject> = {}): RequestObject => ({
  object: 'request', id: '0198c0de-0000-7000-8000-000000000001', tenant: 'acme', key: null, user: 'ann', tags: { team: 'search' }, endpoint: 'chat/completions', requested_model: 'auto', model: 'gpt-4o',
  provider: 'openai', deployment: 'openai/gpt-4o', credential: 'openai/a', status: 200, outcome: 'ok', error_code: null, cache: 'MISS', cache_reason: 'no_entry', cache_entry: null, cache_similarity: null,
  stream: false, usage: { prompt_tokens: 10, cached_tokens: 4, completion_tokens: 5, reasoning_tokens: 2, total_tokens: 15 }, usage_source: 'upstream', cost_usd: '0.00042', saved_usd: '0', saved_ms: null,
  price_version: 'v1', safety_flags: ['email'], received_at: '2026-03-31T12:00:00.123Z', first_byte_ms: 120.5, duration_ms: 801.25, trace_id: null, attempts: [], ...over,
});
const lines = (requests: readonly RequestObject[]): string => requests.map((one) => `${JSON.stringify(one)}\n`).join('');

async function* portionsOf(...portions: RequestObject[][]): AsyncGenerator<string> {
  for (const portion of portions) yield lines(portion);
}

async function fileOf(portions: AsyncIterable<string>, rows?: number): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of parquetFile(portions, rows === undefined ? undefined : { rows, chars: Infinity })) chunks.push(chunk);
  return Uint8Array.from(Buffer.concat(chunks)).buffer;
}

const read = (file: ArrayBuffer): Promise<Record<string, unknown>[]> => parquetReadObjects({ file, compressors });

test('a file has a row for each request, with types: text, instants, numbers, and money exact in nano-dollars', async () => {
  const attempt = { n: 1, provider: 'openai', cost_usd: '0.00042' } as RequestObject['attempts'][number];
  const [row] = await read(await fileOf(portionsOf([request({ attempts: [attempt], saved_ms: 12 })])));
  expect(row).toEqual({
    id: '0198c0de-0000-7000-8000-000000000001', tenant: 'acme', key: null, user: 'ann', tags: '{"team":"search"}', endpoint: 'chat/completions', requested_model: 'auto', model: 'gpt-4o', provider: 'openai',
    deployment: 'openai/gpt-4o', credential: 'openai/a', status: 200, outcome: 'ok', error_code: null, cache: 'MISS', cache_reason: 'no_entry', cache_entry: null, cache_similarity: null, stream: false,
    prompt_tokens: 10, cached_tokens: 4, completion_tokens: 5, reasoning_tokens: 2, total_tokens: 15n, usage_source: 'upstream', cost_usd: 0.00042, cost_nano_usd: 420_000n, saved_usd: 0, saved_nano_usd: 0n,
    saved_ms: 12, price_version: 'v1', safety_flags: '["email"]', received_at: new Date('2026-03-31T12:00:00.123Z'), first_byte_ms: 120.5, duration_ms: 801.25, trace_id: null, attempts: JSON.stringify([attempt]),
  });
});

test('what is not known is null, never 0', async () => {
  const unknown = { model: null, status: null, usage: null, cost_usd: null, saved_usd: null, saved_ms: null, first_byte_ms: null, duration_ms: null } satisfies Partial<RequestObject>;
  const [row] = await read(await fileOf(portionsOf([request(unknown)])));
  expect(row).toMatchObject({ model: null, status: null, prompt_tokens: null, total_tokens: null, cost_usd: null, cost_nano_usd: null, saved_usd: null, saved_nano_usd: null, saved_ms: null, first_byte_ms: null, duration_ms: null });
});

test('a file of nothing has its columns, and no row', async () => {
  const file = await fileOf(portionsOf());
  expect(await read(file)).toEqual([]);
  expect(parquetMetadata(file).schema.map(({ name }) => name)).toEqual(expect.arrayContaining(['id', 'cost_usd', 'attempts']));
});

test('any rows in any portions come back as they were, in their order, to the nano-dollar', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  const money = fc.option(fc.bigInt({ min: 0n, max: MAX_BIGINT }));
  const rows = fc.array(fc.record({ user: fc.option(text), tags: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }), cost: money, stream: fc.boolean(), duration_ms: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })) }), { maxLength: 12 });
  await fc.assert(fc.asyncProperty(fc.array(rows, { maxLength: 4 }), fc.integer({ min: 1, max: 10 }), async (portions, groupRows) => {
    const given = portions.map((portion) => portion.map(({ cost, ...fields }) => request({ ...fields, cost_usd: cost === null ? null : usdText(cost) })));
    const found = await read(await fileOf(portionsOf(...given), groupRows));
    const expected = JSON.parse(JSON.stringify(given.flat())) as RequestObject[];
    expect(found.map((row) => [row['user'], JSON.parse(row['tags'] as string), row['cost_nano_usd'], row['stream'], row['duration_ms']])).toEqual(
      expected.map((row, i) => [row.user, row.tags, portions.flat()[i]?.cost, row.stream, row.duration_ms]),
    );
  }), { numRuns: 50 });
});

test('no more rows are held than a group has and the portion under way, however long the file', async () => {
  let [handed, most] = [0, 0];
  async function* counted(): AsyncGenerator<string> {
    for (let portion = 0; portion < 40; portion += 1) {
      handed += 50;
      yield lines(Array.from({ length: 50 }, () => request()));
    }
  }
  const reached: number[] = [];
  for await (const chunk of parquetFile(counted(), { rows: 200, chars: Infinity })) {
    reached.push(chunk.length);
    // Each group begins to leave before the next portion is taken: what was handed over and is not yet written is one group.
    most = Math.max(most, handed - Math.floor((reached.length - 1) / 37) * 200);
  }
  expect([handed, reached.length]).toEqual([2000, 1 + 10 * 37 + 1]);
  expect(most).toBeLessThanOrEqual(200);
});

test('rows that are long make small groups', async () => {
  const long = Array.from({ length: 8 }, () => request({ user: 'x'.repeat(1000) }));
  const chunks: Uint8Array[] = [];
  for await (const chunk of parquetFile(portionsOf(long), { rows: 1000, chars: 4000 })) chunks.push(chunk);
  expect(parquetMetadata(Uint8Array.from(Buffer.concat(chunks)).buffer).row_groups.map(({ num_rows: rows }) => rows)).toEqual([3n, 3n, 2n]);
});

test('a file that breaks off has no end, so that no reader takes it for whole', async () => {
  async function* broken(): AsyncGenerator<string> {
    yield lines([request()]);
    throw new Error('the ledger is away');
  }
  await expect(fileOf(broken())).rejects.toThrow('the ledger is away');
});
