import type {
  AdminTokenObject, AlertEventObject, AlertObject, AlertStateObject, AuditEntry, BudgetState, CredentialObject, DeploymentObject, Invoice, JobObject, KeyObject, Reconciliation, RejectedEventObject, RequestObject, SilenceObject,
  TenantObject, UsageRow,
} from '@deja/admin-api';

// One of each, as the admin API has them.

export const ID = '019b7d9e-0000-7000-8000-000000000001';
const AT = '2026-01-02T03:04:05.000Z';

export const key = (change: Partial<KeyObject> = {}): KeyObject => ({
  object: 'key', id: ID, tenant: 'acme', name: 'search', prefix: 'sk-deja-0a1b2c3d4e5f6g7h', models: null, endpoints: null, networks: null, tags: {}, limits: {}, per_user: {}, budgets: [], cache: {}, validation: {}, priority: 'interactive',
  capture: null, disabled: false, expires_at: null, grace_until: null, created_at: AT, updated_at: AT, ...change,
});
export const tenant = (change: Partial<TenantObject> = {}): TenantObject => ({
  object: 'tenant', id: 'acme', name: 'Acme', limits: {}, budgets: [], cache: {}, validation: {}, capture: null, models: null, disabled: false, created_at: AT, updated_at: AT, ...change,
});
export const token = (change: Partial<AdminTokenObject> = {}): AdminTokenObject => ({
  object: 'admin_token', id: ID, name: 'ci', role: 'operator', tenant: null, prefix: 'deja-admin-0a1b2c3d4e5f6g7h', expires_at: null, last_used_at: null, created_at: AT, updated_at: AT, ...change,
});
export const credential = (change: Partial<CredentialObject> = {}): CredentialObject => ({
  object: 'credential', id: ID, provider: 'openai', name: 'main', tenant: null, base_url: null, weight: 1, limits: {}, disabled: false, source: 'api', last_four: 'wxyz', health: 'healthy', trouble: null,
  unavailable_until: null, grace_until: null, created_at: AT, updated_at: AT, ...change,
});
export const deployment = (change: Partial<DeploymentObject> = {}): DeploymentObject => ({
  object: 'deployment', id: 'openai/gpt-4o', provider: 'openai', kind: 'openai', upstream_model: 'gpt-4o', models: ['gpt-4o', 'auto'], drained: false, health: 'healthy', trouble: null, unavailable_until: null,
  first_byte_ms: 312.5, calls: 1200, failures: 1, credentials: [{ id: 'openai/main', health: 'out', trouble: 'rate_limited', unavailable_until: AT }], this_gateway: { in_flight: 3, first_byte_ms: null }, ...change,
});
export const request = (change: Partial<RequestObject> = {}): RequestObject => ({
  object: 'request', id: ID, tenant: 'acme', key: ID, user: null, tags: {}, endpoint: 'chat/completions', requested_model: 'gpt-4o', model: 'gpt-4o', provider: 'openai', deployment: 'openai/gpt-4o', credential: 'openai/main',
  status: 200, outcome: 'ok', error_code: null, cache: 'MISS', cache_reason: null, cache_entry: null, cache_similarity: null, stream: true,
  usage: { prompt_tokens: 1200, cached_tokens: 0, completion_tokens: 34, reasoning_tokens: 0, total_tokens: 1234 }, usage_source: 'upstream', cost_usd: '0.00334', saved_usd: null, saved_ms: null, price_version: null, safety_flags: [],
  received_at: AT, first_byte_ms: 310, duration_ms: 2345, trace_id: null,
  attempts: [{ n: 1, provider: 'openai', deployment: 'openai/gpt-4o', credential: 'openai/main', model: 'gpt-4o', status: 200, outcome: 'ok', error_code: null, hedge: false, shadow: false, usage: null, cost_usd: '0.00334', started_at: AT, first_byte_ms: 300, duration_ms: 2300 }],
  ...change,
});
export const usageRow = (change: Partial<UsageRow> = {}): UsageRow => ({
  requests: 1000, errors: 2, cache_hits_exact: 100, cache_hits_semantic: 20, prompt_tokens: 123_456, cached_tokens: 0, completion_tokens: 7890, reasoning_tokens: 0, cost_usd: '12.3456789', saved_usd: '1.5', unpriced_requests: 0,
  cache_write_tokens: 0, cancelled: 1, blocked: 0, orphaned: 0, cache_hit_rate: 0.1335, error_rate: 0.002, saved_ms: 120_000, latency_p50_ms: 812, latency_p95_ms: 4210, latency_p99_ms: 9100, ...change,
});
export const budget = (change: Partial<BudgetState> = {}): BudgetState => ({
  object: 'budget', scope: 'tenant', tenant: 'acme', key: null, user: null, model: null, period: 'month', time_zone: 'UTC', mode: 'hard', usd: '50', spent_usd: '49.999', held_usd: '0', used_share: 0.99998,
  starts_at: '2026-01-01T00:00:00.000Z', resets_at: '2026-02-01T00:00:00.000Z', ...change,
});
export const auditEntry = (change: Partial<AuditEntry> = {}): AuditEntry => ({
  object: 'audit_entry', id: ID, at: AT, actor: 'root', actor_name: 'root', role: 'owner', from: '127.0.0.1', request_id: ID, action: 'updateKey', resource: 'key', resource_id: ID, tenant: 'acme', before: { disabled: false }, after: { disabled: true }, ...change,
});

export const invoice = (change: Partial<Invoice> = {}): Invoice => ({
  object: 'invoice', tenant: 'acme', month: '2025-12', time_zone: 'UTC', from: '2025-12-01T00:00:00.000Z', to: '2026-01-01T00:00:00.000Z', final: true,
  lines: [
    { model: 'gpt-4o', provider: 'openai', price_version: 'v7', requests: 1200, prompt_tokens: 123_456, cached_tokens: 400, cache_write_tokens: 0, completion_tokens: 7890, reasoning_tokens: 0, cost_usd: '12.345678901', unpriced_requests: 0 },
    { model: null, provider: null, price_version: null, requests: 3, prompt_tokens: 0, cached_tokens: 0, cache_write_tokens: 0, completion_tokens: 0, reasoning_tokens: 0, cost_usd: '0', unpriced_requests: 2 },
  ],
  requests: 1203, cost_usd: '12.345678901', saved_usd: '1.5', unpriced_requests: 2, ...change,
});
export const job = (change: Partial<JobObject> = {}): JobObject => ({
  object: 'job', id: ID, kind: 'reprice', state: 'done', request: { from: AT, to: AT, only_unpriced: true, dry_run: false }, result: { requests: 1200, changed: 3, before_usd: '1.5', after_usd: '1.500000001' }, error: null,
  created_by: 'root', created_at: AT, finished_at: AT, ...change,
});
export const rejectedEvent = (change: Partial<RejectedEventObject> = {}): RejectedEventObject => ({ object: 'rejected_event', id: 'ab12', reason: 'it is no JSON', event: '{"v":3', rejected_at: AT, ...change });
export const reconciliation = (change: Partial<Reconciliation> = {}): Reconciliation => ({
  object: 'reconciliation', at: AT, missing: 2, surplus: 0, sums_differ: 0,
  quarters: [
    { at: '2026-01-02T02:45:00.000Z', accepted: 1002, unsure: 0, recorded: 990, on_the_way: 10, missing: 2, surplus: 0 },
    { at: '2026-01-02T02:30:00.000Z', accepted: 500, unsure: 0, recorded: 500, on_the_way: 0, missing: 0, surplus: 0 },
  ],
  ...change,
});
export const alert = (change: Partial<AlertObject> = {}): AlertObject => ({
  object: 'alert', id: ID, name: 'slow', source: 'api', enabled: true, when: { metric: 'latency_ms', above: 4000, percentile: 95, window_s: 300, for_s: 60, tenant: '*' },
  notify: [{ kind: 'webhook', to: 'hooks.example.com', signed: true }, { kind: 'email', to: 'ops@example.com', signed: false }], group_by: [], repeat_s: null, created_at: AT, updated_at: AT, ...change,
});
export const delivery = (change: Partial<AlertEventObject['deliveries'][number]> = {}): AlertEventObject['deliveries'][number] => ({
  receiver: { kind: 'webhook', to: 'hooks.example.com', signed: true }, state: 'delivered', attempts: 1, error: null, delivered_at: AT, ...change,
});
export const alertEvent = (change: Partial<AlertEventObject> = {}): AlertEventObject => ({
  object: 'alert_event', id: ID, at: AT, rule: ID, alert: 'burn', state: 'firing', metric: 'budget_used_share', value: 0.832, threshold: 0.8, labels: { tenant: 'acme' }, started_at: AT, resolved_at: null, silenced_by: null, test: false,
  deliveries: [delivery()], ...change,
});
export const alertState = (change: Partial<AlertStateObject> = {}): AlertStateObject => ({
  object: 'alert_state', rule: ID, alert: 'slow', state: 'pending', metric: 'latency_ms', value: 4210.4, threshold: 4000, labels: { tenant: 'acme' }, since: AT, firing_since: null, seen_at: '2026-01-10T00:00:00.000Z', silenced_by: null, ...change,
});
export const silence = (change: Partial<SilenceObject> = {}): SilenceObject => ({
  object: 'alert_silence', id: ID, alert: 'slow', labels: { tenant: 'acme' }, starts_at: AT, ends_at: '2026-01-10T02:00:00.000Z', comment: 'moving house', created_by: 'root', created_at: AT, ...change,
});

export const list = <T>(data: T[], next: string | null = null): { object: 'list'; data: T[]; has_more: boolean; next_cursor: string | null } => ({ object: 'list', data, has_more: next !== null, next_cursor: next });
