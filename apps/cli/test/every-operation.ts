import { auditEntry, budget, credential, deployment, ID, key, list, request, tenant, token, usageRow } from './objects.ts';
import type { Script } from './scripted-admin-api.ts';

const SECRET_KEY = 'sk-deja-0a1b2c3d4e5f6g7h-secret';
const gone = (object: string) => () => ({ json: { object, id: ID, deleted: true as const } });

/** Something good for every operation. */
export const EVERYTHING: Required<Script> = {
  createTenant: () => ({ json: tenant() }),
  listTenants: () => ({ json: list([tenant(), tenant({ id: 'beta', name: 'Beta', disabled: true })]) }),
  getTenant: () => ({ json: tenant({ limits: { requests_per_minute: 60 }, budgets: [{ usd: '50', period: 'month', mode: 'soft', time_zone: 'UTC' }] }), etag: '"1"' }),
  updateTenant: ({ body }) => ({ json: tenant({ ...(body as Partial<ReturnType<typeof tenant>>) }) }),
  deleteTenant: gone('tenant'),
  createKey: () => ({ json: { ...key(), key: SECRET_KEY } }),
  listKeys: () => ({ json: list([key(), key({ name: 'old', expires_at: '2026-01-01T00:00:00.000Z' }), key({ name: 'off', disabled: true, prefix: '' })]) }),
  getKey: () => ({ json: key({ models: ['gpt-4o'], tags: { team: 'search' }, limits: { requests_per_minute: 60, models: { 'gpt-4o': { tokens_per_day: 1000 } } }, per_user: { concurrency: 2, budgets: [{ usd: '1', period: 'day', mode: 'hard', time_zone: 'UTC' }] }, cache: { scope: 'user', exact: { ttl_s: 3600 } } }), etag: '"1"' }),
  updateKey: ({ body }) => ({ json: key({ ...(body as Partial<ReturnType<typeof key>>) }) }),
  rotateKey: () => ({ json: { ...key({ grace_until: '2026-01-10T01:00:00.000Z' }), key: SECRET_KEY } }),
  deleteKey: gone('key'),
  createAdminToken: () => ({ json: { ...token({ tenant: 'acme' }), token: 'deja-admin-secret' } }),
  listAdminTokens: () => ({ json: list([token({ last_used_at: '2026-01-09T08:07:06.000Z' })]) }),
  getAdminToken: () => ({ json: token() }),
  deleteAdminToken: gone('admin_token'),
  createCredential: () => ({ json: credential() }),
  listCredentials: () => ({ json: list([credential(), credential({ id: 'openai/file', name: 'file', source: 'file', health: 'out', trouble: 'rate_limited', unavailable_until: '2026-01-10T00:05:00.000Z' })]) }),
  getCredential: () => ({ json: credential({ limits: { requests_per_minute: 500 } }), etag: '"1"' }),
  updateCredential: ({ body }) => ({ json: credential({ ...(body as Partial<ReturnType<typeof credential>>) }) }),
  rotateCredential: () => ({ json: credential({ grace_until: '2026-01-10T01:00:00.000Z' }) }),
  deleteCredential: gone('credential'),
  rewrapVault: () => ({ json: { current_key: 'k2', rewrapped: 3, remaining: 1, failed: [{ id: ID, reason: 'its key k0 is not at hand' }] } }),
  listDeployments: () => ({ json: list([deployment(), deployment({ id: 'azure/gpt-4o', drained: true })]) }),
  getDeployment: () => ({ json: deployment() }),
  drainDeployment: () => ({ json: deployment({ drained: true }) }),
  resumeDeployment: () => ({ json: deployment() }),
  explainPlan: () => ({
    json: {
      model: 'gpt-4o', snapshot_version: 42,
      candidates: [
        { order: 1, model: 'gpt-4o', deployment: 'openai/gpt-4o', credential: 'openai/main', version: 'x', role: 'candidate', reason: null, behind: null, trouble: null, weight: 1, priority: 1, credential_weight: 1, wait_ms: 0, quota_wait_ms: 0, first_byte_ms: 312, in_flight: 3, cost_usd: '0.0015', capability: 62 },
        { order: null, model: 'gpt-4o', deployment: 'azure/gpt-4o', credential: null, version: null, role: null, reason: 'drained', behind: null, trouble: null, weight: 1, priority: 1, credential_weight: null, wait_ms: 0, quota_wait_ms: -1, first_byte_ms: null, in_flight: 0, cost_usd: null, capability: null },
      ],
    },
  }),
  listRequests: () => ({ json: list([request(), request({ status: 429, outcome: 'error', cost_usd: null, cache: null, usage: null })]) }),
  getRequest: () => ({ json: request({ user: 'someone\u001b[2J', tags: { team: 'search' } }) }),
  exportUsage: () => ({ lines: ['{"id":1}'] }),
  getUsage: () => ({ json: list([usageRow({ day: '2026-01-09', model: 'gpt-4o' }), usageRow({ day: '2026-01-08', model: null, unpriced_requests: 3 })]) }),
  listBudgets: () => ({ json: list([budget(), budget({ period: 'day', time_zone: 'Europe/Zurich', used_share: 1, spent_usd: '50', held_usd: '0.25' })]) }),
  cacheStats: () => ({ json: { object: 'cache_stats', tenant: null, exact_entries: 1234, semantic_entries: 56, bytes: 7_890_123, partial: true, savings: null, wrong_rates: null } }),
  invalidateCache: ({ body }) => ({ json: { object: 'cache_invalidation', entries: 12, partial: false, dry_run: (body as { dry_run: boolean }).dry_run } }),
  cacheFeedback: ({ body }) => ({ json: { object: 'cache_feedback', entry: ID, correct: (body as { correct: boolean }).correct, invalidated: !(body as { correct: boolean }).correct } }),
  listAudit: () => ({ json: list([auditEntry(), auditEntry({ actor_name: 'ci', from: null })]) }),
  getConfig: () => ({ json: { object: 'config', source: '/etc/deja/deja.yaml', loaded_at: '2026-01-02T03:04:05.000Z', snapshot_version: 42, config: { providers: { openai: { credentials: [{ name: 'main', value: '***' }] } } } } }),
  validateConfig: ({ body }) => ({ json: (body as { yaml: string }).yaml.includes('modles') ? { valid: false, errors: [{ path: 'modles', line: 3, column: 1, message: 'is no key of deja.yaml' }], warnings: [] } : { valid: true, errors: [], warnings: [] } }),
  reloadConfig: () => ({ json: { object: 'config_reload', changed: true, snapshot_version: 43 } }),
};
