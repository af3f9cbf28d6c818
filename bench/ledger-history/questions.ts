import type { LedgerCall } from '../../apps/usage-worker/src/queries/usage-queries.ts';
import { END_MS, keyId } from './generate.ts';

/** What a dashboard asks. */
export interface Question {
  name: string;
  operation: LedgerCall['operation'];
  query: Record<string, string>;
  params?: Record<string, string>;
}

const zone = { time_zone: 'Europe/Zurich' };
const since = (days: number): string => new Date(END_MS - days * 86_400_000).toISOString();
const usage = (name: string, query: Record<string, string>): Question => ({ name: `usage ${name}`, operation: 'getUsage', query });
const requests = (name: string, query: Record<string, string>): Question => ({ name: `requests ${name}`, operation: 'listRequests', query });
const key = keyId(0, 3);

/** All of 30 days unless they say otherwise. `latest` is a request that there is. */
export const questions = (latest: { id: string; trace_id: string; cache_entry: string }): Question[] => [
  usage('in one row', {}),
  usage('by day', { group_by: 'day' }),
  usage('by day, in Zurich', { group_by: 'day', ...zone }),
  usage('by day, of 60 days', { group_by: 'day', from: since(60) }),
  usage('by hour, of a day', { group_by: 'hour', from: since(1), ...zone }),
  usage('by hour, of 7 days', { group_by: 'hour', from: since(7), limit: '1000' }),
  usage('by minute, of an hour', { group_by: 'minute', from: since(1 / 24) }),
  usage('by month, in Zurich, of 60 days', { group_by: 'month', from: since(60), ...zone }),
  usage('by model', { group_by: 'model' }),
  usage('by tenant', { group_by: 'tenant' }),
  usage('by day and tenant', { group_by: 'day,tenant', limit: '1000' }),
  usage('by key', { group_by: 'key' }),
  usage('by user', { group_by: 'user' }),
  usage('by tag', { group_by: 'tag' }),
  usage('by day, of the largest tenant', { group_by: 'day', tenant: 'tenant-0' }),
  usage('by day, of the largest tenant, in Zurich', { group_by: 'day', tenant: 'tenant-0', ...zone }),
  usage('by user, of the largest tenant', { group_by: 'user', tenant: 'tenant-0' }),
  usage('by tag, of the largest tenant', { group_by: 'tag', tenant: 'tenant-0' }),
  usage('by day, of a small tenant', { group_by: 'day', tenant: 'tenant-40' }),
  usage('by day, of a key', { group_by: 'day', key }),
  usage('by hour, of a key, of 7 days', { group_by: 'hour', key, from: since(7), limit: '1000' }),
  usage('by day, of a user', { group_by: 'day', user: 'user-0-1-7', tenant: 'tenant-0' }),
  usage('by day, of a user, in Zurich', { group_by: 'day', user: 'user-0-1-7', ...zone }),
  usage('by day, of a tag', { group_by: 'day', tag: 'team=team-3' }),
  usage('by user, of a tag and a day (rows)', { group_by: 'user', tag: 'team=team-3', tenant: 'tenant-0', from: since(1) }),
  { name: 'invoice of the largest tenant', operation: 'getInvoice', query: { tenant: 'tenant-0', month: '2026-06' } },
  { name: 'invoice of the largest tenant, in Zurich', operation: 'getInvoice', query: { tenant: 'tenant-0', month: '2026-05', ...zone } },
  requests('of all', {}),
  requests('by tenant', { tenant: 'tenant-40' }),
  requests('by key', { key }),
  requests('by user', { user: 'user-0-1-7' }),
  requests('by a user that there is not', { user: 'nobody' }),
  requests('by model', { model: 'model-11' }),
  requests('by requested model', { requested_model: 'auto' }),
  requests('by provider', { provider: 'provider-3' }),
  requests('by deployment', { deployment: 'provider-3/model-11' }),
  requests('by a deployment that there is not', { deployment: 'nowhere' }),
  requests('by credential', { credential: 'provider-3/a' }),
  requests('by endpoint', { endpoint: 'embeddings' }),
  requests('by status', { status: '5xx' }),
  requests('by outcome', { outcome: 'orphaned' }),
  requests('by error code', { error_code: 'content_policy_violation' }),
  requests('by an error code that there is not', { error_code: 'nothing' }),
  requests('by what the cache did', { cache: 'HIT-SEMANTIC' }),
  requests('by why it did it', { cache_reason: 'tools' }),
  requests('by entry', { cache_entry: latest.cache_entry }),
  requests('by an entry that there is not', { cache_entry: 'none' }),
  requests('by trace', { trace_id: latest.trace_id }),
  requests('by a trace that there is not', { trace_id: '0'.repeat(32) }),
  requests('by safety flag', { safety_flag: 'email' }),
  requests('by a safety flag that there is not', { safety_flag: 'none' }),
  requests('by tag', { tag: 'env=staging' }),
  requests('by a tag that there is not', { tag: 'team=none' }),
  requests('by a name of a tag that there is not', { tag: 'none' }),
  requests('by price version', { price_version: '2026-05-table' }),
  requests('of unknown cost', { unpriced: 'true' }),
  requests('that cost much', { min_cost_usd: '0.02' }),
  requests('that cost more than any', { min_cost_usd: '1000' }),
  requests('that took long', { min_duration_ms: '60000' }),
  requests('that took longer than any', { min_duration_ms: '999999999' }),
  { name: 'one request', operation: 'getRequest', query: {}, params: { id: latest.id } },
  { name: 'first page of an export', operation: 'exportUsage', query: { from: since(30) } },
];
