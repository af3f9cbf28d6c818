import type { PoolClient } from '@deja/postgres';
import { queryOf } from '../../apps/usage-worker/src/admin/admin-call.ts';
import { cacheSavings } from '../../apps/usage-worker/src/queries/cache-savings.ts';
import { exportUsage } from '../../apps/usage-worker/src/queries/export-usage.ts';
import { getInvoice } from '../../apps/usage-worker/src/queries/get-invoice.ts';
import { getUsage } from '../../apps/usage-worker/src/queries/get-usage.ts';
import type { Asked } from '../../apps/usage-worker/src/queries/question.ts';
import { getRequest, listRequests } from '../../apps/usage-worker/src/queries/requests.ts';
import { DAY_MS, END_MS, keyId } from './generate.ts';

/** What a dashboard asks, and of which time as far as partitions tell (Unix ms). */
export interface Question {
  name: string;
  span: { fromMs: number; toMs: number };
  ask: (client: PoolClient) => Promise<unknown>;
}

/** An owner, of all tenants. */
const ASKED: Asked = { scope: null, nowMs: END_MS };

const zone = { time_zone: 'Europe/Zurich' };
const since = (days: number): string => new Date(END_MS - days * DAY_MS).toISOString();
const spanOf = ({ from }: Record<string, string>): Question['span'] => ({ fromMs: from === undefined ? END_MS - 30 * DAY_MS : Date.parse(from), toMs: END_MS + 2 * DAY_MS });
const usage = (name: string, query: Record<string, string>): Question => ({ name: `usage ${name}`, span: spanOf(query), ask: (client) => getUsage(client, ASKED, queryOf('getUsage', query)) });
const requests = (name: string, query: Record<string, string>): Question => ({ name: `requests ${name}`, span: spanOf(query), ask: (client) => listRequests(client, ASKED, queryOf('listRequests', query)) });
const invoice = (name: string, query: { tenant: string; month: string; time_zone?: string }): Question => {
  const fromMs = Date.parse(`${query.month}-01`);
  return { name: `invoice ${name}`, span: { fromMs: fromMs - DAY_MS, toMs: fromMs + 32 * DAY_MS }, ask: (client) => getInvoice(client, ASKED, queryOf('getInvoice', query)) };
};
const savings = (name: string, tenant: string | null): Question => ({ name: `cache savings ${name}`, span: spanOf({}), ask: (client) => cacheSavings(client, { tenant, fromMs: END_MS - 30 * DAY_MS, toMs: END_MS }) });
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
  invoice('of the largest tenant', { tenant: 'tenant-0', month: '2026-06' }),
  invoice('of the largest tenant, in Zurich', { tenant: 'tenant-0', month: '2026-05', ...zone }),
  savings('of all', null),
  savings('of the largest tenant', 'tenant-0'),
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
  { name: 'one request', span: spanOf({}), ask: (client) => getRequest(client, ASKED, latest.id) },
  { name: 'first page of an export', span: spanOf({}), ask: (client) => exportUsage(client, ASKED, queryOf('exportUsage', {}), null) },
];
