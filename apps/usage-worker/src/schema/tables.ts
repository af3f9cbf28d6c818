import type { AttemptRecord, CacheOutcome, Outcome, ServiceTier, UsageSource } from '@deja/contracts';
import { bigint, boolean, doublePrecision, integer, jsonb, numeric, pgSchema, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';

/**
 * The tables this app owns; docs/ledger.md says what each figure means. The SQL that makes them, with their partitions, is
 * in `migrations/`. Properties are spelled as the columns are, because rows travel to Postgres as JSON.
 */
const usage = pgSchema('usage');

/** Members are missing where there is nothing of the kind. */
export interface OtherUsage {
  audio_input_tokens?: number;
  image_input_tokens?: number;
  audio_output_tokens?: number;
  image_output_tokens?: number;
  images?: number;
  audio_seconds?: number;
  characters?: number;
  service_tier?: ServiceTier;
}

/** null where no usage is known. */
const tokens = {
  prompt_tokens: integer(),
  cached_tokens: integer(),
  cache_write_tokens: integer(),
  completion_tokens: integer(),
  reasoning_tokens: integer(),
  /** What was used that is not text, and how it was served; null for nothing of the kind. */
  other_usage: jsonb().$type<OtherUsage>(),
};

/** One client request. Money is integer nano-USD, null when it is unknown. */
export const operations = usage.table('operations', {
  id: uuid().primaryKey(),
  tenant: text().notNull(),
  key: text(),
  user: text(),
  tags: jsonb().$type<Record<string, string>>().notNull(),
  endpoint: text().notNull(),
  requested_model: text().notNull(),
  model: text(),
  provider: text(),
  deployment: text(),
  credential: text(),
  status: smallint(),
  outcome: text().$type<Outcome>().notNull(),
  error_code: text(),
  cache: text().$type<CacheOutcome>(),
  cache_reason: text(),
  cache_entry: text(),
  cache_similarity: doublePrecision(),
  stream: boolean().notNull(),
  ...tokens,
  usage_source: text().$type<UsageSource>().notNull(),
  price_version: text(),
  cost_nano_usd: bigint({ mode: 'bigint' }),
  saved_nano_usd: bigint({ mode: 'bigint' }),
  /** How much sooner the client had its answer than it would have without the cache. */
  saved_ms: doublePrecision(),
  received_at: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  first_byte_ms: doublePrecision(),
  duration_ms: doublePrecision(),
  trace_id: text(),
  /** Content safety rules that prompt or answer met. */
  safety_flags: text().array().notNull(),
  recorded_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
});

/** One upstream call. */
export const attempts = usage.table(
  'attempts',
  {
    operation_id: uuid().notNull(),
    id: uuid().notNull(),
    n: smallint().notNull(),
    provider: text().notNull(),
    deployment: text().notNull(),
    credential: text(),
    model: text().notNull(),
    status: smallint(),
    outcome: text().$type<AttemptRecord['outcome']>().notNull(),
    error_code: text(),
    hedge: boolean().notNull(),
    shadow: boolean().notNull(),
    ...tokens,
    usage_source: text().$type<UsageSource>().notNull(),
    price_version: text(),
    cost_nano_usd: bigint({ mode: 'bigint' }),
    started_at: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
    first_byte_ms: doublePrecision(),
    duration_ms: doublePrecision().notNull(),
  },
  (table) => [primaryKey({ columns: [table.operation_id, table.id] })],
);

/**
 * What was spent in a quarter of an hour: by everybody (tenant, key and user are null), by each tenant, and by each client key and end user
 * of a tenant. Changed together with `operations`.
 */
export const spend = usage.table(
  'spend',
  {
    /** `usage.spender(tenant, key, user)` */
    who: uuid().notNull(),
    /** The beginning of the quarter. */
    at: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
    /** What was asked for, as budgets count it. */
    model: text().notNull(),
    tenant: text(),
    key: text(),
    user: text(),
    nano_usd: numeric({ mode: 'bigint' }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.who, table.at, table.model] })],
);

/** Everything that sums are told apart by; the migration says what the cubes are. */
export const series = usage.table('series', {
  /** `usage.series_id` */
  id: uuid().primaryKey(),
  cube: text().$type<'all' | 'user' | 'tag'>().notNull(),
  tenant: text().notNull(),
  key: text(),
  user: text(),
  /** `k=v` */
  tag: text(),
  endpoint: text().notNull(),
  requested_model: text().notNull(),
  model: text(),
  provider: text(),
  cache: text(),
  cache_reason: text(),
  price_version: text(),
  /** When the first operation of it was received. */
  first_at: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
});

/** What the tables of sums have in common; durations, `l00` to `l79`, are in rollups/latency-buckets.ts. */
const sums = {
  tenant: text().notNull(),
  at: timestamp({ withTimezone: true, mode: 'string' }).notNull(),
  series: uuid().notNull(),
  requests: bigint({ mode: 'number' }).notNull(),
  errors: bigint({ mode: 'number' }).notNull(),
  cancelled: bigint({ mode: 'number' }).notNull(),
  blocked: bigint({ mode: 'number' }).notNull(),
  orphaned: bigint({ mode: 'number' }).notNull(),
  prompt_tokens: bigint({ mode: 'number' }).notNull(),
  cached_tokens: bigint({ mode: 'number' }).notNull(),
  cache_write_tokens: bigint({ mode: 'number' }).notNull(),
  completion_tokens: bigint({ mode: 'number' }).notNull(),
  reasoning_tokens: bigint({ mode: 'number' }).notNull(),
  cost_nano_usd: numeric({ mode: 'bigint' }).notNull(),
  saved_nano_usd: numeric({ mode: 'bigint' }).notNull(),
  saved_ms: bigint({ mode: 'number' }).notNull(),
  unpriced_requests: bigint({ mode: 'number' }).notNull(),
};

/** Sums of the minute, the quarter of an hour and the UTC day that begins at `at`. Changed together with `operations`. */
export const rollupMinutes = usage.table('rollup_minutes', sums, (table) => [primaryKey({ columns: [table.tenant, table.at, table.series] })]);
export const rollupQuarters = usage.table('rollup_quarters', sums, (table) => [primaryKey({ columns: [table.tenant, table.at, table.series] })]);
export const rollupDays = usage.table('rollup_days', sums, (table) => [primaryKey({ columns: [table.tenant, table.at, table.series] })]);

/** Events that were no usage events, set aside as they came. */
export const rejectedEvents = usage.table('rejected_events', {
  /** SHA-256 of `raw`: the same event is set aside once. */
  digest: text().primaryKey(),
  reason: text().notNull(),
  raw: text().notNull(),
  rejected_at: timestamp({ withTimezone: true, mode: 'string' }).notNull().defaultNow(),
});

type Complete<Row> = { [Column in keyof Row]-?: Exclude<Row[Column], undefined> };
export type OperationRow = Complete<Omit<typeof operations.$inferInsert, 'recorded_at'>>;
export type AttemptRow = Complete<typeof attempts.$inferInsert>;
export type SeriesRow = Complete<typeof series.$inferInsert>;
