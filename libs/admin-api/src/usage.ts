import { z } from 'zod';
import { cursor, limit, listOf, modelName, moment, page, tenantId, usd, usdOut, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const count = z.int();
const outcome = z.enum(['ok', 'error', 'cancelled', 'blocked', 'orphaned']);
const cacheOutcome = z.enum(['HIT-EXACT', 'HIT-SEMANTIC', 'MISS', 'BYPASS']);
const tokens = z.object({ prompt_tokens: count, cached_tokens: count, completion_tokens: count, reasoning_tokens: count, total_tokens: count }).nullable();
const text = z.string().nullable();
const ms = z.number().nullable();

const attemptObject = z.object({
  n: z.int(),
  provider: z.string(),
  deployment: z.string(),
  credential: text,
  model: z.string(),
  status: z.int().nullable(),
  outcome: z.enum(['ok', 'error', 'cancelled']),
  error_code: text,
  hedge: z.boolean(),
  shadow: z.boolean(),
  usage: tokens,
  cost_usd: usdOut,
  started_at: wireMoment,
  first_byte_ms: ms,
  duration_ms: z.number(),
});

/** A row of the ledger. `cost_usd` is null where it is unknown, never 0. */
export const requestObject = z.object({
  object: z.literal('request'),
  id: z.uuid(),
  tenant: z.string(),
  key: text,
  user: text,
  tags: z.record(z.string(), z.string()),
  endpoint: z.string(),
  requested_model: z.string(),
  model: text,
  provider: text,
  deployment: text,
  credential: text,
  status: z.int().nullable(),
  outcome,
  error_code: text,
  cache: cacheOutcome.nullable(),
  cache_reason: text,
  cache_entry: text,
  cache_similarity: z.number().nullable(),
  stream: z.boolean(),
  usage: tokens,
  usage_source: z.enum(['upstream', 'estimated', 'cache', 'none']),
  cost_usd: usdOut,
  saved_usd: usdOut,
  /** How much sooner the client had its answer than without the cache; null where it had none from it, or that is not known. */
  saved_ms: ms,
  price_version: text,
  safety_flags: z.array(z.string()),
  received_at: wireMoment,
  first_byte_ms: ms,
  duration_ms: ms,
  trace_id: text,
  attempts: z.array(attemptObject),
  /** What was captured of the bodies, of a single request and for operators: null where nothing was, or nothing is left. */
  captured: z.object({
    mode: z.enum(['metadata', 'full']),
    /** JSON where it is JSON, else text; null where there is none. */
    request: z.unknown(),
    response: z.unknown(),
    /** One of them was too long, and ends early. */
    truncated: z.boolean(),
    /** The tenant's key was destroyed, and the bodies with it. */
    shredded: z.boolean(),
  }).nullable().optional(),
});
export type RequestObject = z.output<typeof requestObject>;

const text256 = z.string().min(1).max(256);
const filters = {
  tenant: tenantId.optional(),
  key: z.uuid().optional(),
  user: z.string().min(1).max(512).optional(),
  model: modelName.optional(),
  requested_model: modelName.optional(),
  provider: text256.optional(),
  deployment: text256.optional(),
  credential: text256.optional(),
  endpoint: text256.optional(),
  outcome: outcome.optional(),
  error_code: text256.optional(),
  cache_reason: text256.optional(),
  cache_entry: text256.optional(),
  usage_source: z.enum(['upstream', 'estimated', 'cache', 'none']).optional(),
  price_version: text256.optional(),
  trace_id: text256.optional(),
  safety_flag: text256.optional(),
  stream: z.enum(['true', 'false']).optional(),
  /** `k=v`, or `k`: whatever its value. */
  tag: text256.optional(),
  /** Only those that cost, or took, at least so much; or whose cost is unknown. */
  min_cost_usd: usd.optional(),
  min_duration_ms: z.string().regex(/^\d{1,9}$/, 'write a number of milliseconds').transform(Number).optional(),
  unpriced: z.enum(['true', 'false']).optional(),
  /** Words of the prompt, where deja.yaml has `request_log.search`: as in a web search, with "…", or and -. */
  q: z.string().min(1).max(512).optional(),
  /** HTTP status, or the first digit of it: `4xx`. */
  status: z.string().regex(/^[1-5](\d\d|xx)$/, 'write an HTTP status, as 429 or 4xx').optional(),
  cache: cacheOutcome.optional(),
  from: moment.optional(),
  to: moment.optional(),
};

export const GROUPS = ['minute', 'hour', 'day', 'week', 'month', 'tenant', 'key', 'user', 'model', 'requested_model', 'provider', 'endpoint', 'cache', 'price_version', 'tag'] as const;
/** Empty is as good as none. */
const groupBy = z.string().max(200).transform((given, context): (typeof GROUPS)[number][] => {
  const parts = given.trim() === '' ? [] : given.split(',').map((part) => part.trim());
  const groups = parts.flatMap((part) => GROUPS.find((group) => group === part) ?? []);
  if (groups.length < parts.length) context.addIssue({ code: 'custom', message: `write some of ${GROUPS.join(', ')}, with commas between` });
  else if (groups.length > 6) context.addIssue({ code: 'custom', message: 'name at most six groups' });
  else if (new Set(groups).size < groups.length) context.addIssue({ code: 'custom', message: 'name each group once' });
  return groups;
});

const group = z.string().nullable().optional();
/** Its group columns, then figures. Times are the beginning of the bucket. */
const usageRow = z.object({
  ...(Object.fromEntries(GROUPS.map((name) => [name, group])) as Record<(typeof GROUPS)[number], typeof group>),
  requests: count,
  errors: count,
  cache_hits_exact: count,
  cache_hits_semantic: count,
  prompt_tokens: count,
  cached_tokens: count,
  completion_tokens: count,
  reasoning_tokens: count,
  /** The sum of what is known; null where nothing is. */
  cost_usd: usdOut,
  saved_usd: z.string(),
  /** Requests whose cost is unknown, and so not in `cost_usd`. */
  unpriced_requests: count,
  cache_write_tokens: count,
  /** Cancelled by the client, blocked by a rule, lost with a gateway. */
  cancelled: count,
  blocked: count,
  orphaned: count,
  /** Hits among hits and misses, errors among requests, in [0, 1]; null of none. */
  cache_hit_rate: z.number().nullable(),
  error_rate: z.number().nullable(),
  saved_ms: count,
  latency_p50_ms: ms,
  latency_p95_ms: ms,
  latency_p99_ms: ms,
});
export type UsageRow = z.output<typeof usageRow>;

const budgetState = z.object({
  object: z.literal('budget'),
  scope: z.enum(['global', 'tenant', 'key', 'user']),
  tenant: z.string().nullable(),
  key: z.string().nullable(),
  user: z.string().nullable(),
  model: z.string().nullable(),
  period: z.enum(['day', 'week', 'month', 'total']),
  time_zone: z.string(),
  mode: z.enum(['hard', 'soft']),
  usd: z.string(),
  /** By the ledger, with what was settled and is on its way there. */
  spent_usd: z.string(),
  /** Reserved by requests under way. */
  held_usd: z.string(),
  used_share: z.number(),
  starts_at: wireMoment,
  resets_at: wireMoment,
});
export type BudgetState = z.output<typeof budgetState>;

export const USAGE = [
  operation({ id: 'listRequests', method: 'GET', path: 'requests', summary: 'Requests, the latest first; of the last 30 days unless `from` says otherwise', owner: 'usage-worker', query: z.strictObject({ ...page, ...filters }), reply: listOf(requestObject), tenantScoped: true }),
  operation({ id: 'getRequest', method: 'GET', path: 'requests/{id}', summary: 'One request with its attempts', owner: 'usage-worker', reply: requestObject, tenantScoped: true }),
  operation({
    id: 'exportUsage',
    method: 'GET',
    path: 'usage/export',
    summary: 'Request rows, one a line, the earliest first; of the last 30 days unless `from` says otherwise',
    owner: 'usage-worker',
    query: z.strictObject({ ...filters, format: z.enum(['csv', 'jsonl', 'parquet']).default('jsonl') }),
    reply: z.string(),
    tenantScoped: true,
    streams: true,
  }),
  operation({
    id: 'getUsage',
    method: 'GET',
    path: 'usage',
    summary: 'What was used, in groups; in the last 30 days unless `from` says otherwise',
    owner: 'usage-worker',
    query: z.strictObject({ group_by: groupBy.optional(), time_zone: z.string().max(64).default('UTC'), tenant: filters.tenant, key: filters.key, user: filters.user, model: filters.model, provider: filters.provider, endpoint: filters.endpoint, cache: filters.cache, tag: filters.tag, from: filters.from, to: filters.to, limit, cursor }),
    reply: listOf(usageRow),
    tenantScoped: true,
  }),
  operation({
    id: 'listBudgets',
    method: 'GET',
    path: 'budgets',
    summary: 'Budgets in force and what is used of them',
    owner: 'gateway',
    query: z.strictObject({ tenant: tenantId.optional(), key: z.uuid().optional(), user: z.string().min(1).max(512).optional() }),
    reply: listOf(budgetState),
    tenantScoped: true,
  }),
] as const;
