import { jest } from '@jest/globals';
import { GROUPS, type UsageRow } from '@deja/admin-api';
import { usdText, type OperationRecord } from '@deja/contracts';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { BUCKET_RATIO } from '../src/rollups/latency-buckets.ts';
import { Cleanup } from './infrastructure.ts';
import { hit, NOW, Questions } from './questions.ts';
import { attemptRecord, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(180_000);

const DAY_MS = 86_400_000;
const FIRST = Date.UTC(2026, 1, 25);
const ZONES = ['UTC', 'Europe/Zurich', 'America/St_Johns', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Atlantic/Azores', 'Pacific/Apia'];

/** Often beside the border of a minute, quarter, hour or day. */
const moment = fc.tuple(fc.integer({ min: 0, max: NOW - FIRST }), fc.constantFrom(1, 60_000, 900_000, 3_600_000, DAY_MS), fc.constantFrom(-1, 0, 0, 1, 30_001))
  .map(([ms, unit, off]) => Math.min(NOW - 1, FIRST + Math.max(0, Math.floor(ms / unit) * unit + off)));

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value);
const price = attemptRecord().price;
const operations: fc.Arbitrary<Partial<OperationRecord>> = fc.record({
  receivedAtMs: moment,
  tenant: fc.constantFrom('acme', 'other'),
  key: maybe(fc.constantFrom('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002')),
  user: maybe(fc.constantFrom('ann', 'bob', 'ü')),
  tags: fc.constantFrom<Record<string, string>>({}, { team: 'a' }, { team: 'b' }, { team: 'a', env: 'x' }, { teams: 'a' }),
  endpoint: fc.constantFrom('chat/completions', 'embeddings'),
  requestedModel: fc.constantFrom('auto', 'gpt-4o'),
  model: maybe(fc.constantFrom('gpt-4o', 'gpt-4.1')),
  provider: maybe(fc.constantFrom('openai', 'azure')),
  outcome: fc.constantFrom('ok', 'ok', 'error', 'cancelled', 'blocked'),
  durationMs: fc.double({ min: 0, max: 700_000, noNaN: true }).map((ms) => ms ** 2 / 700_000),
}).chain((fields) => fc.constantFrom<Partial<OperationRecord>[]>(
  [{ attempts: [attemptRecord()] }],
  [{ attempts: [attemptRecord({ price: null })] }],
  [{ cache: 'BYPASS', cacheReason: 'tools', attempts: [attemptRecord({ outcome: 'error', usage: null, usageSource: 'none' }), attemptRecord({ price: { ...price!, version: 'other', input: 1 } })] }],
  [{ ...hit, cacheReason: null, savedMs: 12.5 }],
  [{ ...hit, cache: 'HIT-SEMANTIC', savedPrice: null }],
  [{ cache: null, cacheReason: null, attempts: [] }],
).map(([over]) => ({ ...fields, ...over })));

const question = fc.record({
  group_by: fc.subarray([...GROUPS], { minLength: 0, maxLength: 3 }),
  time_zone: fc.constantFrom(...ZONES),
  time: fc.tuple(moment, moment).map((ends) => ends.toSorted((a, b) => a - b) as [number, number]),
  filters: fc.record({
    tenant: fc.constantFrom('acme', 'other', 'nobody'), key: fc.constantFrom('00000000-0000-4000-8000-000000000001'), user: fc.constantFrom('ann', 'ü'), model: fc.constantFrom('gpt-4o', 'auto'),
    provider: fc.constantFrom('openai'), endpoint: fc.constantFrom('embeddings'), cache: fc.constantFrom('MISS', 'HIT-EXACT'), tag: fc.constantFrom('team=a', 'team', 'env=x'),
  }, { requiredKeys: [] }).filter((filters) => Object.keys(filters).length < 4),
});
type AskedFor = typeof question extends fc.Arbitrary<infer T> ? T : never;

const cleanup = new Cleanup();
let asked: Questions;

beforeAll(async () => {
  asked = await Questions.of(cleanup);
  const settled = fc.sample(operations, { seed: 8, numRuns: 900 }).map((over) => settledRows(operationRecord({ ...over, id: v7({ msecs: over.receivedAtMs! }) })));
  const orphans = fc.sample(moment, { seed: 9, numRuns: 40 }).map((atMs) => orphanedRows(openOperation({ id: v7({ msecs: atMs }), receivedAtMs: atMs, tenant: 'acme', estimatedCostNanoUsd: atMs % 2 === 0 ? '7' : null })));
  await asked.ledger.insert({ rows: [...settled, ...orphans], late: [], rejected: [] });
});
afterAll(() => cleanup.run());

const COUNTS = ['requests', 'errors', 'cancelled', 'blocked', 'orphaned', 'cache_hits_exact', 'cache_hits_semantic', 'prompt_tokens', 'cached_tokens', 'cache_write_tokens', 'completion_tokens', 'reasoning_tokens', 'saved_ms', 'unpriced_requests'] as const;

/** The same, from the rows alone. */
async function counted({ group_by: groups, time_zone: zone, time: [from, to], filters }: AskedFor): Promise<Record<string, unknown>[]> {
  const values: unknown[] = [new Date(from), new Date(to), zone];
  const column = (name: string): string => {
    if (name === 'tag') return 't.tag';
    return ['minute', 'hour', 'day', 'week', 'month'].includes(name) ? `to_char(date_trunc('${name}', o.received_at, $3::text) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')` : `o."${name}"`;
  };
  const where = Object.entries(filters).map(([name, value]) => {
    const at = `$${values.push(value)}::text`;
    if (name === 'tag') return value.includes('=') ? `exists (select from jsonb_each_text(o.tags) where key || '=' || value = ${at})` : `o.tags ? ${at}`;
    return `${name === 'model' ? 'coalesce(o.model, o.requested_model)' : `o."${name}"`} = ${at}`;
  });
  const bought = (name: string): string => `coalesce(sum(o.${name}) filter (where o.usage_source <> 'cache'), 0)::int as ${name}`;
  const grouped = `select array[${groups.map(column).join(', ')}]::text[] as groups, $3::text as zone,
      count(*)::int as requests, ${['error', 'cancelled', 'blocked', 'orphaned'].map((name) => `count(*) filter (where o.outcome = '${name}')::int as ${name === 'error' ? 'errors' : name}`).join(', ')},
      count(*) filter (where o.cache = 'HIT-EXACT')::int as cache_hits_exact, count(*) filter (where o.cache = 'HIT-SEMANTIC')::int as cache_hits_semantic, count(*) filter (where o.cache = 'MISS')::int as misses,
      ${['prompt_tokens', 'cached_tokens', 'cache_write_tokens', 'completion_tokens', 'reasoning_tokens'].map(bought).join(', ')},
      coalesce(sum(floor(o.saved_ms + 0.5)), 0)::int as saved_ms, count(*) filter (where o.cost_nano_usd is null)::int as unpriced_requests,
      case when count(*) = 0 then '0' else sum(o.cost_nano_usd)::text end as cost, coalesce(sum(o.saved_nano_usd), 0)::text as saved,
      percentile_disc(array[0.5, 0.95, 0.99]) within group (order by o.duration_ms) as latency
    from usage.operations o ${groups.includes('tag') ? `left join lateral (select key || '=' || value as tag from jsonb_each_text(o.tags)) t on true` : ''}
    where o.received_at >= $1::timestamptz and o.received_at < $2::timestamptz ${where.map((condition) => `and ${condition}`).join(' ')}`;
  const order = groups.map((_, i) => `u.groups[${i + 1}] collate "C" nulls last`).join(', ');
  const { rows } = await asked.pool.query<Record<string, unknown>>(groups.length === 0 ? grouped : `select * from (${grouped} group by ${groups.map(column).join(', ')}) u order by ${order}`, values);
  return rows;
}

const near = (found: number | null, exact: number | null | undefined): boolean => (exact == null ? found === null : found !== null && found >= exact / BUCKET_RATIO - 1 && found <= exact * BUCKET_RATIO + 1);

async function everyPage(query: Record<string, string>): Promise<UsageRow[]> {
  const rows: UsageRow[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await asked.usage({ ...query, limit: '400', ...(cursor !== null && { cursor }) });
    rows.push(...page.data);
    cursor = page.next_cursor;
    if (cursor === null) return rows;
  }
}

test('sums by minute of most of the time are gone, as retention leaves them', async () => {
  const { rows: [minutes] } = await asked.pool.query<{ first: Date }>('select min(at) as first from usage.rollup_minutes');
  expect(minutes?.first.getTime()).toBeGreaterThan(NOW - 10 * DAY_MS);
});

test('usage is exactly what its rows add up to, in any groups, zone and time, and percentiles are right within a bucket', async () => {
  await fc.assert(fc.asyncProperty(question, async (one) => {
    const { group_by: groups, filters, time_zone, time: [from, to] } = one;
    const rows = await everyPage({ ...filters, ...(groups.length > 0 && { group_by: groups.join(',') }), time_zone, from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    const expected = await counted(one);
    const share = (part: number, all: number): number | null => (all === 0 ? null : Math.round((part / all) * 10_000) / 10_000);
    expect(rows.map((row) => [groups.map((group) => row[group]), ...COUNTS.map((name) => row[name]), row.cost_usd, row.saved_usd, row.cache_hit_rate, row.error_rate])).toEqual(
      expected.map((row) => {
        const hits = Number(row['cache_hits_exact']) + Number(row['cache_hits_semantic']);
        const rates = [share(hits, hits + Number(row['misses'])), share(Number(row['errors']), Number(row['requests']))];
        return [row['groups'], ...COUNTS.map((name) => row[name]), row['cost'] === null ? null : usdText(BigInt(row['cost'] as string)), usdText(BigInt(row['saved'] as string)), ...rates];
      }),
    );
    for (const [i, row] of rows.entries()) {
      const latency = (expected[i]?.['latency'] ?? []) as number[];
      const found = [row.latency_p50_ms, row.latency_p95_ms, row.latency_p99_ms];
      expect([found, latency, found.every((ms, at) => near(ms, latency[at]))]).toEqual([found, latency, true]);
    }
  }), { numRuns: 150 });
});
