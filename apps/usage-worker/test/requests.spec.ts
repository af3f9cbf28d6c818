import { jest } from '@jest/globals';
import { requestObject, type ReplyOf } from '@deja/admin-api';
import { newId, type OperationRecord } from '@deja/contracts';
import { openPool } from '@deja/postgres';
import { v7 } from 'uuid';
import { lateRow, orphanedRows } from '../src/ledger/rows.ts';
import { LedgerReader } from '../src/queries/ledger-reader.ts';
import { Cleanup, logger } from './infrastructure.ts';
import { hit, HOUR_MS, NOW, Questions } from './questions.ts';
import { attemptRecord, lateAttempt, openOperation } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const cleanup = new Cleanup();
let asked: Questions;

beforeAll(async () => {
  asked = await Questions.of(cleanup);
});
afterAll(() => cleanup.run());
beforeEach(() => asked.clear());

const KEY = 'a81bc81b-dead-4e5d-abff-90865d1e13b1';
const idsOf = ({ data }: ReplyOf<'listRequests'>): string[] => data.map(({ id }) => id);

describe('requests', () => {
  test('are as the schema of the admin API has them, with attempts, exact money and what is unknown as null', async () => {
    const record = await asked.received(NOW - HOUR_MS, { attempts: [attemptRecord(), attemptRecord({ n: 2, price: null })] });
    await asked.ledger.insert({ rows: [], late: [lateRow(lateAttempt(record.id))], rejected: [] });
    const { data } = await asked.list();
    expect(data.map((request) => requestObject.parse(request))).toEqual(data);
    expect(data).toMatchObject([{
      object: 'request', id: record.id, tenant: 'default', key: 'key-1', user: 'ann', tags: { team: 'search' }, status: 200, cost_usd: null, saved_usd: '0', safety_flags: ['email'], received_at: '2026-03-31T11:00:00.000Z',
      usage: { prompt_tokens: 1000, cached_tokens: 400, completion_tokens: 500, reasoning_tokens: 200, total_tokens: 1500 },
      attempts: [{ n: 1, shadow: false, cost_usd: '0.00042' }, { n: 2, cost_usd: null }, { n: 0, shadow: true, cost_usd: '0.00042' }],
    }]);
    expect((await asked.ask('getRequest', null, { params: { id: record.id.toUpperCase() } })).body).toEqual(data[0]);
  });

  test('of a gateway that died have the estimate of their prompt', async () => {
    const open = openOperation({ id: v7({ msecs: NOW - 1000 }), receivedAtMs: NOW - 1000, estimatedCostNanoUsd: '1800' });
    await asked.ledger.insert({ rows: [orphanedRows(open)], late: [], rejected: [] });
    expect((await asked.list()).data).toMatchObject([{ outcome: 'orphaned', status: null, cost_usd: '0.0000018', saved_usd: null, usage_source: 'estimated', usage: { prompt_tokens: 12, total_tokens: 12 }, attempts: [] }]);
  });

  test('come the latest first, page by page, each once, while new ones come in', async () => {
    const records = [];
    for (let i = 0; i < 7; i += 1) records.push(await asked.received(NOW - (7 - i) * 26 * HOUR_MS));
    const seen: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: ReplyOf<'listRequests'> = await asked.list({ limit: '3', ...(cursor && { cursor }) });
      seen.push(...idsOf(page));
      expect(page.has_more).toBe(page.next_cursor !== null);
      cursor = page.next_cursor;
      await asked.received(NOW);
    }
    expect(seen).toEqual(records.map(({ id }) => id).toReversed());
  });

  test.each([
    ['tenant', { tenant: 'acme' }, { tenant: 'acme' }],
    ['key', { key: KEY }, { key: KEY }],
    ['user', { user: 'bob' }, { user: 'bob' }],
    ['the model that served', { model: 'gpt-4.1' }, { model: 'gpt-4.1' }],
    ['the model that was asked for where none served', { model: 'none' }, { model: null, requestedModel: 'none' }],
    ['status', { status: '429' }, { status: 429 }],
    ['a class of status', { status: '4xx' }, { status: 429 }],
    ['what the cache did', { cache: 'HIT-EXACT' }, hit],
    ['the model that was asked for', { requested_model: 'auto' }, { requestedModel: 'auto' }],
    ['provider', { provider: 'azure' }, { provider: 'azure' }],
    ['deployment', { deployment: 'openai/x' }, { deployment: 'openai/x' }],
    ['credential', { credential: 'openai/b' }, { credential: 'openai/b' }],
    ['endpoint', { endpoint: 'embeddings' }, { endpoint: 'embeddings' }],
    ['outcome', { outcome: 'blocked' }, { outcome: 'blocked' }],
    ['error code', { error_code: 'overloaded' }, { errorCode: 'overloaded' }],
    ['why the cache did it', { cache_reason: 'tools' }, { cacheReason: 'tools' }],
    ['the entry that served', { cache_entry: 'e1' }, { cacheEntry: 'e1' }],
    ['who counted the tokens', { usage_source: 'estimated' }, { usageSource: 'estimated' }],
    ['price version', { price_version: 'v2' }, { attempts: [attemptRecord({ price: { ...attemptRecord().price!, version: 'v2' } })] }],
    ['trace', { trace_id: 'f'.repeat(32) }, { traceId: 'f'.repeat(32) }],
    ['a safety flag', { safety_flag: 'card' }, { flags: ['email', 'card'] }],
    ['being streamed', { stream: 'true' }, { stream: true }],
    ['a tag', { tag: 'team=sales' }, { tags: { team: 'sales', env: 'prod' } }],
    ['a tag, whatever its value', { tag: 'env' }, { tags: { team: 'search', env: 'prod' } }],
    ['a tag of no value', { tag: 'team=' }, { tags: { team: '' } }],
    ['a tag that looks like SQL', { tag: `a'b"=c\\` }, { tags: { [`a'b"`]: 'c\\' } }],
    ['what they cost at least', { min_cost_usd: '0.000420001' }, { attempts: [attemptRecord(), attemptRecord({ n: 2 })] }],
    ['what they took at least', { min_duration_ms: '802' }, { durationMs: 802 }],
    ['a cost that nobody knows', { unpriced: 'true' }, { attempts: [attemptRecord({ price: null })] }],
    ['several of them', { stream: 'true', tag: 'env', status: '200', min_duration_ms: '1' }, { stream: true, tags: { env: 'x' } }],
  ] as [string, Record<string, string>, Partial<OperationRecord>][])('are found by %s', async (_what, query, over) => {
    await asked.received(NOW - HOUR_MS);
    const record = await asked.received(NOW - 2 * HOUR_MS, over);
    await asked.received(NOW - 3 * HOUR_MS);
    expect(idsOf(await asked.list(query))).toEqual([record.id]);
  });

  test('are found by words of their captured prompts, as in a web search, within the time and tenant that is asked for', async () => {
    const asOperator = { role: 'operator' } as const;
    const captured = async (atMs: number, words: string, tenant = 'acme'): Promise<string> => {
      const { id } = await asked.received(atMs, { tenant });
      await asked.pool.query('select usage.ensure_capture_day($1::date)', [new Date(atMs).toISOString().slice(0, 10)]);
      await asked.pool.query(`insert into usage.captures (operation_id, tenant, mode, data_key, search) values ($1, $2, 'full', 'k', to_tsvector('simple', $3))`, [id, tenant, words]);
      return id;
    };
    const [first, second, other] = [await captured(NOW - 1000, 'The capital of France'), await captured(NOW - 40 * 24 * HOUR_MS, 'France, and its wine'), await captured(NOW - 3000, 'france again', 'other')];
    await asked.received(NOW - 10);
    expect(idsOf(await asked.list({ q: 'FRANCE' }, asOperator))).toEqual([first, other]);
    expect(idsOf(await asked.list({ q: 'france -capital', from: '2026-01-01T00:00:00Z' }, asOperator))).toEqual([other, second]);
    expect(idsOf(await asked.list({ q: '"capital of" or nothing' }, { ...asOperator, scope: 'acme' }))).toEqual([first]);
    expect(idsOf(await asked.list({ q: 'france' }, { ...asOperator, scope: 'acme' }))).toEqual([first]);
    expect(idsOf(await asked.list({ q: `'); drop` }, asOperator))).toEqual([]);
    expect((await asked.exported({ q: 'france', tenant: 'other' }, asOperator)).length).toBe(1);
  });

  test.each([{ stream: 'false' }, { unpriced: 'false' }, { min_duration_ms: '801' }, { min_cost_usd: '0.00042' }] as Record<string, string>[])('are not found by %j where it is otherwise', async (query) => {
    await asked.received(NOW - 1, { stream: true, attempts: [attemptRecord({ price: null })], durationMs: 800.9 });
    const record = await asked.received(NOW - 2);
    expect(idsOf(await asked.list(query))).toEqual([record.id]);
  });

  test('are those of the last 30 days unless the question says otherwise, and `to` is exclusive', async () => {
    const [old, then, now] = [await asked.received(NOW - 31 * 24 * HOUR_MS), await asked.received(NOW - 5 * HOUR_MS), await asked.received(NOW)];
    expect(idsOf(await asked.list())).toEqual([now.id, then.id]);
    expect(idsOf(await asked.list({ from: '2026-01-01T00:00:00+01:00' }))).toEqual([now.id, then.id, old.id]);
    expect(idsOf(await asked.list({ from: '2026-01-01T00:00:00Z', to: '2026-03-31T07:00:00Z' }))).toEqual([old.id]);
    expect(idsOf(await asked.list({ from: '1000-01-01T00:00:00Z', to: '9999-12-31T23:59:59Z' }))).toEqual([now.id, then.id, old.id]);
  });

  test('of another tenant are not there for the token of one, neither listed nor by their id', async () => {
    const [own, foreign] = [await asked.received(NOW - 2, { tenant: 'acme' }), await asked.received(NOW - 1, { tenant: 'other' })];
    expect(idsOf(await asked.list({}, { scope: 'acme' }))).toEqual([own.id]);
    expect(idsOf(await asked.list({ tenant: 'other' }, { scope: 'acme' }))).toEqual([]);
    expect((await asked.ask('getRequest', null, { scope: 'acme', params: { id: own.id } })).body).toMatchObject({ id: own.id });
    const refused = { code: 'not_found', message: expect.any(String) };
    const answers = await Promise.allSettled([foreign.id, newId(), 'no-id', '%00'].map((id) => asked.ask('getRequest', null, { scope: 'acme', params: { id } })));
    expect(answers).toEqual(answers.map(() => ({ status: 'rejected', reason: expect.objectContaining(refused) })));
    expect(new Set(answers.map((answer) => (answer.status === 'rejected' ? String(answer.reason) : ''))).size).toBe(1);
  });

  test('that clients filled with long texts make short pages, and none is lost', async () => {
    const user = 'ü'.repeat(4096);
    const tags = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, user]));
    for (let i = 0; i < 30; i += 1) await asked.received(NOW - 30 + i, { user, tags });
    const first = await asked.list({ limit: '1000' });
    expect(first.data.length).toBeLessThan(30);
    expect(first.has_more).toBe(true);
    const rest = await asked.list({ limit: '1000', cursor: first.next_cursor! });
    expect(new Set([...idsOf(first), ...idsOf(rest)]).size).toBe(first.data.length + rest.data.length);
  });

  test.each([
    ['tenant', `o.tenant = 'acme'`, 'tenant'],
    ['key', `o.key = '${KEY}'`, 'key'],
    ['user', `hashtextextended(o."user", 0) = hashtextextended('ann'::text, 0)`, 'hashtextextended'],
  ])('by %s come from an index that has them in order', async (_what, condition, indexed) => {
    await asked.received(NOW);
    const client = await asked.pool.connect();
    await client.query('begin; set local enable_seqscan = off; set local enable_sort = off; set local enable_bitmapscan = off');
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain select o.* from usage.operations o where o.id >= usage.first_id_at('2026-03-31T00:00:00Z') and ${condition} order by o.id desc limit 100`);
    await client.query('rollback');
    client.release();
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(new RegExp(`Index Scan Backward using operations_20260331\\S* .*\\n.*Index Cond: .*${indexed}`));
    expect(plan).not.toContain('Sort');
  });
});

test.each([
  ['listRequests', { limit: '0' }, 'limit'],
  ['listRequests', { status: '4x' }, 'status'],
  ['listRequests', { invented: '1' }, 'invented'],
  ['listRequests', { cursor: 'abc' }, 'cursor'],
  ['listRequests', { from: 'yesterday' }, 'from'],
  ['getUsage', { group_by: 'day,day' }, 'group_by'],
  ['getUsage', { group_by: 'password' }, 'group_by'],
  ['exportUsage', { format: 'xml' }, 'format'],
] as const)('%s of %j is refused with a 400 that names the parameter', async (operation, query, param) => {
  await expect(asked.ask(operation, query)).rejects.toMatchObject({ code: 'invalid_value', param });
});

test('text that Postgres cannot store finds what was made storable, and breaks nothing', async () => {
  const record = await asked.received(NOW - 1, { user: 'a\0b' });
  expect(idsOf(await asked.list({ user: 'a\0b' }))).toEqual([record.id]);
  expect(idsOf(await asked.list({ model: '\ud800' }))).toEqual([]);
});

test('a question that is too heavy ends with 503 overloaded, and the connection answers the next one', async () => {
  const short = new LedgerReader(openPool(asked.url, { name: 'short', logger, max: 1 }), 600);
  await expect(short.read((client) => client.query('select pg_sleep(30)'))).rejects.toMatchObject({ code: 'overloaded', status: 503 });
  await expect(short.read((client) => client.query('select pg_sleep(30)'), 5)).rejects.toMatchObject({ code: 'overloaded' });
  expect((await short.read((client) => client.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
  await short.close();
});
