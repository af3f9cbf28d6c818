import { alertCondition, alertGroups, alertReceivers, budgets, captureMode, limits, modelName, repeatS, scopeLimits } from '@deja/admin-api';
import { COMPATIBLE_SERVER_NAMES, DEGRADED_MODES, type Preference } from '@deja/contracts';
import { safetySchema } from '@deja/content-safety';
import { z } from 'zod';
import { pricesSchema } from './price-schema.ts';

/**
 * Everything deja.yaml may say. Unknown keys are refused everywhere: a mistyped limit that is silently ignored is no limit.
 * Limits and budgets are the admin API's: what may be given to a tenant or key there can be said of all of them here.
 */

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const NAME_MESSAGE = 'write a name of letters, digits, ".", "_" and "-", at most 63 long';
const DAY_MS = 86_400_000;

/** By what a model may choose among its candidates; a request says it behind the name, as `auto:speed`. */
export const PREFERENCES = ['cost', 'speed', 'capability'] as const satisfies readonly Preference[];

const name = z.string().regex(NAME, NAME_MESSAGE);
const durationMs = z.int().min(1).max(DAY_MS);
const share = z.number().min(0).max(1);
const ttlS = z.int().min(1).max(31_536_000);
const weight = z.number().min(0).max(1_000_000).default(1);
const notEmpty = (what: string): string => `must not be empty: name at least one ${what}`;

const credential = z.strictObject({
  name,
  value: z.string().min(1),
  base_url: z.string().optional(),
  weight,
  limits: limits.prefault({}),
});

const provider = z.strictObject({
  kind: z.enum(['openai', 'azure-openai', 'anthropic', 'gemini', 'simulated']),
  base_url: z.string().optional(),
  api_version: z.string().min(1).optional(),
  server: z.enum(COMPATIBLE_SERVER_NAMES).optional(),
  credentials: z.array(credential).optional(),
});

const deployment = z.strictObject({
  provider: z.string(),
  model: modelName,
  weight,
  priority: z.int().min(1).max(1000).default(1),
  canary: share.optional(),
  shadow: share.optional(),
  region: name.optional(),
  tags: z.array(name).default([]),
});

const model = z.strictObject({
  name: modelName,
  strategy: z.enum(['weighted', 'least_latency', 'least_busy', 'cheapest', 'priority']).default('weighted'),
  deployments: z.array(deployment).min(1, notEmpty('deployment')).optional(),
  fallbacks: z.array(modelName).default([]),
  fallbacks_on: z.strictObject({ context_window: z.array(modelName).optional(), content_policy: z.array(modelName).optional() }).optional(),
  hedge: z.strictObject({ after: z.enum(['p50', 'p75', 'p90', 'p95', 'p99']), max_share: share.default(0.05) }).optional(),
  candidates: z.array(modelName).min(1, notEmpty('candidate')).optional(),
  prefer: z.enum(PREFERENCES).optional(),
  affinity: z.boolean().default(true),
});

const timeouts = z.strictObject({
  connect_ms: durationMs.default(2000),
  first_byte_ms: durationMs.default(30_000),
  idle_ms: durationMs.default(30_000),
  total_ms: durationMs.default(600_000),
  unary_ms: durationMs.default(30_000),
});

const retries = z.strictObject({
  max_attempts: z.int().min(1).max(20).default(4),
  backoff_ms: z.tuple([z.int().min(0).max(DAY_MS), z.int().min(0).max(DAY_MS)]).default([100, 2000]),
  budget: z.number().min(0).max(1).default(0.2),
});

const breaker = z.strictObject({
  window_s: z.int().min(1).max(300).default(10),
  min_failures: z.int().min(1).max(10_000).default(5),
  error_rate: z.number().min(0.01).max(1).default(0.5),
  pause_ms: z.tuple([durationMs, durationMs]).default([5000, 60_000]),
});

const validation = z.strictObject({
  max_body_bytes: z.int().min(1024).max(1_073_741_824).default(10_485_760),
  max_messages: z.int().min(1).max(1_000_000).default(1000),
  max_input_tokens: z.int().min(1).max(100_000_000).default(128_000),
  max_output_tokens: z.int().min(1).max(100_000_000).default(16_384),
  over_output: z.enum(['refuse', 'clamp']).default('refuse'),
});

const streams = z.strictObject({
  keep_alive_ms: z.int().min(0).max(DAY_MS).default(0),
});

const cache = z.strictObject({
  scope: z.enum(['key', 'user', 'tenant', 'global']).default('tenant'),
  exact: z.strictObject({ enabled: z.boolean().default(true), ttl_s: ttlS.default(300) }).prefault({}),
  semantic: z.strictObject({
    enabled: z.boolean().default(true),
    ttl_s: ttlS.default(3600),
    embedder: z.string().regex(/^(built-in|onnx:.+|[^:]+:.+)$/, 'write built-in, onnx:<folder> or <provider>:<model>').default('built-in'),
    verification: z.enum(['strict', 'balanced']).default('strict'),
    max_wrong_rate: share.default(0.01),
    max_wrong_rates: z.record(z.string().min(1, 'a model has a name: write one before the rate'), share).default({}),
    audit: z.strictObject({ share: share.default(0.02), max_per_hour: z.int().min(0).max(1_000_000).default(60) }).prefault({}),
    judge: z.strictObject({ model: z.string().min(1), timeout_ms: z.int().min(1).max(600_000).default(10_000) }).optional(),
    max_entries_per_tenant: z.int().min(1).max(10_000_000).default(50_000),
    max_bytes_per_tenant: z.int().min(1).default(256 * 1024 * 1024),
  }).prefault({}),
  pad_hits_ms: z.int().min(0).max(600_000).default(0),
});

const alert = z.strictObject({ name, enabled: z.boolean().default(true), when: alertCondition, notify: alertReceivers, group_by: alertGroups.default([]), repeat_s: repeatS.default(null) });

const bytes = z.int().min(1024 * 1024).max(Number.MAX_SAFE_INTEGER);
const days = z.int().min(1).max(36_500);
const ledger = z.strictObject({
  retention_days: days.default(400),
  minutes_retention_days: z.int().min(1).max(400).default(8),
  queue_max_bytes: bytes.default(512 * 1024 * 1024),
  spool_max_bytes: bytes.default(4 * 1024 * 1024 * 1024),
  capture_spool_max_bytes: bytes.default(1024 * 1024 * 1024),
});

export const FILE = z.strictObject({
  providers: z.record(name, provider).default({}),
  models: z.array(model).default([]),
  timeouts: timeouts.prefault({}),
  retries: retries.prefault({}),
  breaker: breaker.prefault({}),
  stale_ok_s: z.int().min(0).max(604_800).default(60),
  outbound: z.strictObject({ allow: z.array(z.string().min(1)).default([]) }).prefault({}),
  limits: z.strictObject({
    global: scopeLimits.prefault({}),
    per_tenant: scopeLimits.prefault({}),
    per_key: scopeLimits.prefault({}),
    per_user: scopeLimits.prefault({}),
    degraded: z.enum(DEGRADED_MODES).default('local_share'),
  }).prefault({}),
  budgets: z.strictObject({
    global: budgets.default([]),
    per_tenant: budgets.default([]),
    per_key: budgets.default([]),
    per_user: budgets.default([]),
  }).prefault({}),
  validation: validation.prefault({}),
  content_safety: safetySchema.prefault({}),
  streams: streams.prefault({}),
  cache: cache.prefault({}),
  capture: captureMode.default('full'),
  retention_days: days.default(30),
  request_log: z.strictObject({ search: z.boolean().default(false) }).prefault({}),
  ledger: ledger.prefault({}),
  prices: pricesSchema.default({}),
  capability: z.record(z.string().min(1), z.number().min(0).max(100)).default({}),
  alerts: z.array(alert).max(1000).default([]),
  smtp: z.strictObject({ url: z.string().regex(/^smtps?:\/\/\S+$/, 'write an address, as smtps://user:password@smtp.example.com'), from: z.string().min(3).max(320) }).optional(),
});

/** deja.yaml, checked for form and with defaults filled in. */
export type FileConfig = z.output<typeof FILE>;
export type FileProvider = FileConfig['providers'][string];
export type FileModel = FileConfig['models'][number];
