import { jest } from '@jest/globals';
import { GROUPS, type ReplyOf } from '@deja/admin-api';
import { v7 } from 'uuid';
import { orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { Cleanup } from './infrastructure.ts';
import { hit, HOUR_MS, NOW, Questions } from './questions.ts';
import { attemptRecord, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const cleanup = new Cleanup();
let asked: Questions;

beforeAll(async () => {
  asked = await Questions.of(cleanup);
});
afterAll(() => cleanup.run());
beforeEach(() => asked.clear());

describe('usage', () => {
  test('without groups is one row of everything, also of nothing', async () => {
    const none = { requests: 0, errors: 0, cancelled: 0, blocked: 0, orphaned: 0, cache_hits_exact: 0, cache_hits_semantic: 0, prompt_tokens: 0, cached_tokens: 0, cache_write_tokens: 0, completion_tokens: 0, reasoning_tokens: 0, saved_ms: 0, unpriced_requests: 0 };
    const empty = { ...none, cost_usd: '0', saved_usd: '0', cache_hit_rate: null, error_rate: null, latency_p50_ms: null, latency_p95_ms: null, latency_p99_ms: null };
    expect(await asked.usage()).toEqual({ object: 'list', data: [empty], has_more: false, next_cursor: null });
    await asked.received(NOW - 1);
    await asked.received(NOW - 2, { ...hit, durationMs: 1.25, savedMs: 800 });
    await asked.received(NOW - 3, { ...hit, cache: 'HIT-SEMANTIC', savedPrice: null, durationMs: 1.25 });
    await asked.received(NOW - 4, { outcome: 'error', status: 502, usage: null, usageSource: 'none', attempts: [attemptRecord({ price: null })], durationMs: 2.25 });
    await asked.received(NOW - 5, { outcome: 'cancelled', cache: 'BYPASS', usage: null, usageSource: 'none', attempts: [], durationMs: 2.25 });
    await asked.ledger.insert({ rows: [orphanedRows(openOperation({ id: v7({ msecs: NOW - 6 }), receivedAtMs: NOW - 6, estimatedCostNanoUsd: '7' }))], late: [], rejected: [] });
    expect((await asked.usage()).data).toEqual([{
      requests: 6, errors: 1, cancelled: 1, blocked: 0, orphaned: 1, cache_hits_exact: 1, cache_hits_semantic: 1, prompt_tokens: 1012, cached_tokens: 400, cache_write_tokens: 0, completion_tokens: 500, reasoning_tokens: 200,
      cost_usd: '0.000420007', saved_usd: '0.00042', saved_ms: 800, unpriced_requests: 1, cache_hit_rate: 0.5, error_rate: 0.1667, latency_p50_ms: 2.2, latency_p95_ms: expect.closeTo(861, 0), latency_p99_ms: expect.closeTo(861, 0),
    }]);
  });

  test('is of sums that stay when the rows are gone, but for the quarters of an hour that a question cuts', async () => {
    await asked.ledger.partitions.ensureAhead(NOW - 48 * HOUR_MS);
    for (const ms of [Date.parse('2026-03-28T12:00:00Z'), Date.parse('2026-03-29T23:59:59Z'), NOW - 900_000, NOW]) await asked.received(ms);
    await asked.pool.query('truncate usage.operations');
    const requests = async (query: Record<string, string>) => (await asked.usage(query)).data.map((row) => row.requests);
    expect(await requests({ to: '2026-03-31T12:01:00Z' })).toEqual([4]);
    expect(await requests({ group_by: 'day', time_zone: 'Asia/Kathmandu' })).toEqual([1, 1, 1]);
    expect(await requests({ group_by: 'day,user', time_zone: 'Asia/Kathmandu', tag: 'team=search' })).toEqual([]);
    expect(await requests({ group_by: 'week,tag' })).toEqual([2, 1]);
    expect(await requests({ user: 'ann', from: '2026-03-28T12:00:00.001Z' })).toEqual([2]);
  });

  test('of each group is by all of them together, in the order of their names, and none comes last', async () => {
    for (const [tenant, user, times] of [['b', null, 1], ['a', 'Zoe', 2], ['a', 'ann', 1], ['a', null, 3], ['b', 'ünal', 1]] as const) {
      for (let i = 0; i < times; i += 1) await asked.received(NOW - HOUR_MS, { tenant, user });
    }
    const { data } = await asked.usage({ group_by: 'tenant, user' });
    expect(data.map(({ tenant, user, requests }) => [tenant, user, requests])).toEqual([['a', 'Zoe', 2], ['a', 'ann', 1], ['a', null, 3], ['b', 'ünal', 1], ['b', null, 1]]);
    expect(data.every((row) => !('key' in row))).toBe(true);
  });

  test('by a tag counts a request for each of its tags, and those without under none', async () => {
    await asked.received(NOW - 1, { tags: { team: 'search', env: 'prod' } });
    await asked.received(NOW - 2, { tags: { team: 'search' } });
    await asked.received(NOW - 3, { tags: {} });
    const { data } = await asked.usage({ group_by: 'tag' });
    expect(data.map(({ tag, requests }) => [tag, requests])).toEqual([['env=prod', 1], ['team=search', 2], [null, 1]]);
  });

  test('by day is by days of the asked time zone, also where clocks change', async () => {
    // In Zurich the 29th of March 2026 has 23 hours, and begins at 23:00 UTC.
    const times = ['2026-03-28T22:59:59Z', '2026-03-28T23:00:00Z', '2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z'];
    for (const time of times) await asked.received(Date.parse(time));
    const days = async (query: Record<string, string>) => (await asked.usage({ group_by: 'day', ...query })).data.map(({ day, requests }) => [day, requests]);
    expect(await days({ time_zone: 'Europe/Zurich' })).toEqual([['2026-03-27T23:00:00Z', 1], ['2026-03-28T23:00:00Z', 2], ['2026-03-29T22:00:00Z', 1]]);
    expect(await days({})).toEqual([['2026-03-28T00:00:00Z', 2], ['2026-03-29T00:00:00Z', 2]]);
  });

  test('by week begins on Mondays', async () => {
    for (const time of ['2026-03-22T22:59:59Z', '2026-03-22T23:00:00Z', '2026-03-29T21:59:59Z', '2026-03-29T22:00:00Z']) await asked.received(Date.parse(time));
    const weeks = (await asked.usage({ group_by: 'week', time_zone: 'Europe/Zurich' })).data.map(({ week, requests }) => [week, requests]);
    expect(weeks).toEqual([['2026-03-15T23:00:00Z', 1], ['2026-03-22T23:00:00Z', 2], ['2026-03-29T22:00:00Z', 1]]);
  });

  test('can be asked for by what it is grouped by', async () => {
    await asked.received(NOW - 1);
    await asked.received(NOW - 2, { provider: 'azure', endpoint: 'embeddings', cache: 'BYPASS', tags: { team: 'sales', env: 'prod' }, user: 'bob' });
    for (const query of [{ provider: 'azure' }, { endpoint: 'embeddings' }, { cache: 'BYPASS' }, { tag: 'team=sales' }, { tag: 'env' }, { tag: 'team=sales', user: 'bob' }] as Record<string, string>[]) {
      expect((await asked.usage({ ...query, group_by: 'endpoint' })).data).toMatchObject([{ endpoint: 'embeddings', requests: 1 }]);
    }
    expect((await asked.usage({ group_by: 'tag', tag: 'team=sales' })).data.map(({ tag }) => tag)).toEqual(['env=prod', 'team=sales']);
    expect((await asked.usage({ tag: 'tea' })).data).toMatchObject([{ requests: 0 }]);
  });

  test('by month, hour and minute begins where they do', async () => {
    await asked.received(Date.parse('2026-03-15T10:20:30Z'));
    const { data } = await asked.usage({ group_by: 'month,hour,minute', time_zone: 'Asia/Kathmandu' });
    expect(data).toMatchObject([{ month: '2026-02-28T18:15:00Z', hour: '2026-03-15T10:15:00Z', minute: '2026-03-15T10:20:00Z' }]);
  });

  test.each(['Europe/Nowhere', '+01:00', 'x', "UTC'; drop table usage.operations; --"])('in the time zone %j is refused with a 400', async (zone) => {
    for (const query of [{ group_by: 'day', time_zone: zone }, { time_zone: zone }] as Record<string, string>[]) await expect(asked.usage(query)).rejects.toMatchObject({ code: 'invalid_value', param: 'time_zone' });
  });

  test.each(GROUPS)('can be grouped by %s', async (group) => {
    await asked.received(NOW - 1);
    const { data } = await asked.usage({ group_by: group });
    expect(data).toMatchObject([{ [group]: expect.any(String), requests: 1 }]);
  });

  test('comes page by page, each group once, of the time of the first page', async () => {
    for (const user of ['a', 'b', 'c', 'd', 'ü', null]) await asked.received(NOW - 1000, { user });
    const seen: unknown[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: ReplyOf<'getUsage'> = await asked.usage({ group_by: 'user,endpoint', limit: '2', ...(cursor && { cursor }) }, { nowMs: NOW + seen.length * HOUR_MS });
      seen.push(...page.data.map(({ user, requests }) => [user, requests]));
      cursor = page.next_cursor;
      await asked.received(NOW + 1, { user: 'b' });
    }
    expect(seen).toEqual([['a', 1], ['b', 1], ['c', 1], ['d', 1], ['ü', 1], [null, 1]]);
    const { next_cursor: cursor } = await asked.usage({ group_by: 'user', limit: '1' });
    await expect(asked.usage({ group_by: 'tenant', limit: '1', cursor: cursor! })).rejects.toMatchObject({ code: 'invalid_value', param: 'cursor' });
  });

  test('of another tenant is not there for the token of one', async () => {
    await asked.received(NOW - 2, { tenant: 'acme' });
    await asked.received(NOW - 1, { tenant: 'other' });
    expect((await asked.usage({ group_by: 'tenant' }, { scope: 'acme' })).data).toMatchObject([{ tenant: 'acme', requests: 1 }]);
    expect((await asked.usage({ group_by: 'tenant', tenant: 'other' }, { scope: 'acme' })).data).toEqual([]);
  });
});

describe('an export', () => {
  test('has a line for each request of the time of its first page, the earliest first, however many there are', async () => {
    const records = Array.from({ length: 1203 }, (_, i) => operationRecord({ id: v7({ msecs: NOW - 5000 + i }), receivedAtMs: NOW - 5000 + i }));
    await asked.ledger.insert({ rows: records.map(settledRows), late: [], rejected: [] });
    await asked.received(NOW + 1);
    const lines = await asked.exported({});
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(records.map(({ id }) => id));
    const table = await asked.exported({ format: 'csv', user: 'ann' });
    expect(table).toHaveLength(1204);
    expect(table[0]).toMatch(/^id,tenant,key,user,tags,/);
    expect(table[1]).toContain(records[0]!.id);
  });

  test('as a table runs no formula and keeps its columns, whatever clients wrote', async () => {
    await asked.received(NOW - 1, { user: '=cmd|"/c calc"!A1', tags: { a: 'x', b: 'y' }, requestedModel: 'two\nlines' });
    const [header, line] = await asked.exported({ format: 'csv' });
    expect(line).toContain(`,"'=cmd|""/c calc""!A1","a=x,b=y",`);
    expect(line).toContain(',"two\nlines",');
    const columns = line!.replaceAll('""', '').replaceAll(/"[^"]*"/g, '').split(',');
    expect(columns).toHaveLength(header!.split(',').length);
    expect(columns[header!.split(',').indexOf('cost_usd')]).toBe('0.00042');
  });

  test('of nothing is empty, or a header alone', async () => {
    expect(await asked.exported({})).toEqual([]);
    expect(await asked.exported({ format: 'csv' })).toHaveLength(1);
  });

  test('has none of another tenant’s rows', async () => {
    await asked.received(NOW - 2, { tenant: 'acme' });
    await asked.received(NOW - 1, { tenant: 'other' });
    expect((await asked.exported({}, { scope: 'acme' })).map((line) => (JSON.parse(line) as { tenant: string }).tenant)).toEqual(['acme']);
  });
});
