import { z } from 'zod';
import { listOf, moment, page, tenantId, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

export const auditEntry = z.object({
  object: z.literal('audit_entry'),
  id: z.uuid(),
  at: wireMoment,
  /** `root`, `system` (what deja did by itself), or the id of an admin token. */
  actor: z.string(),
  actor_name: z.string(),
  role: z.string(),
  /** Address of the caller; null where it is unknown. */
  from: z.string().nullable(),
  request_id: z.string().nullable(),
  /** Id of the operation, as `updateKey`. */
  action: z.string(),
  resource: z.string(),
  resource_id: z.string().nullable(),
  tenant: z.string().nullable(),
  /** Without secrets; null where there was or is nothing. */
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
});
export type AuditEntry = z.output<typeof auditEntry>;

const auditQuery = z.strictObject({ ...page, tenant: tenantId.optional(), actor: z.string().min(1).max(64).optional(), action: z.string().min(1).max(64).optional(), resource: z.string().min(1).max(64).optional(), resource_id: z.string().min(1).max(256).optional(), from: moment.optional(), to: moment.optional() });

const problem = z.object({ path: z.string(), line: z.int().nullable(), column: z.int().nullable(), message: z.string() });

export const CLUSTER = [
  operation({ id: 'listAudit', method: 'GET', path: 'audit', summary: 'Who changed what, the latest first', role: 'operator', query: auditQuery, reply: listOf(auditEntry), tenantScoped: true }),
  operation({ id: 'getConfig', method: 'GET', path: 'config', summary: 'The configuration in force, secrets masked', role: 'operator', reply: z.object({ object: z.literal('config'), source: z.string(), loaded_at: wireMoment, snapshot_version: z.number().nullable(), config: z.record(z.string(), z.unknown()) }) }),
  operation({
    id: 'validateConfig',
    method: 'POST',
    path: 'config/validate',
    summary: 'Whether a deja.yaml would do',
    role: 'operator',
    change: false,
    sealsBody: true,
    body: z.strictObject({ yaml: z.string().max(1_048_576) }),
    reply: z.object({ valid: z.boolean(), errors: z.array(problem), warnings: z.array(problem) }),
  }),
  operation({ id: 'reloadConfig', method: 'POST', path: 'config/reload', summary: 'Read deja.yaml again', role: 'operator', reply: z.object({ object: z.literal('config_reload'), changed: z.boolean(), snapshot_version: z.number().nullable() }) }),
] as const;
