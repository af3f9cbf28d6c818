import { z } from 'zod';
import { budgets, cachePolicy, captureMode, deleted, label, listOf, modelName, page, scopeLimits, tenantId, validation, wireMoment } from './fields.ts';
import { operation } from './operation.ts';

const settings = {
  limits: scopeLimits,
  budgets,
  cache: cachePolicy,
  validation,
  /** What the request log keeps of bodies; null: what deja.yaml says. */
  capture: captureMode.nullable(),
  /** Public models its keys may use; null is all. */
  models: z.array(modelName).min(1).max(1000).nullable(),
};

export const tenantObject = z.object({ object: z.literal('tenant'), id: tenantId, name: label, ...settings, disabled: z.boolean(), created_at: wireMoment, updated_at: wireMoment });
export type TenantObject = z.output<typeof tenantObject>;

const newTenant = z.strictObject({
  /** Made of the name unless given. */
  id: tenantId.optional(),
  name: label.optional(),
  limits: settings.limits.prefault({}),
  budgets: settings.budgets.default([]),
  cache: settings.cache.prefault({}),
  validation: settings.validation.prefault({}),
  capture: settings.capture.default(null),
  models: settings.models.default(null),
});
/** Each member takes the place of the whole of what was there. */
const tenantChange = z.strictObject({ name: label, ...settings, disabled: z.boolean() }).partial();

export const TENANTS = [
  operation({ id: 'createTenant', method: 'POST', path: 'tenants', summary: 'Make a tenant', body: newTenant, reply: tenantObject, status: 201 }),
  operation({ id: 'listTenants', method: 'GET', path: 'tenants', summary: 'All tenants', query: z.strictObject(page), reply: listOf(tenantObject), tenantScoped: true }),
  operation({ id: 'getTenant', method: 'GET', path: 'tenants/{id}', summary: 'One tenant', reply: tenantObject, tenantScoped: true }),
  operation({ id: 'updateTenant', method: 'PATCH', path: 'tenants/{id}', summary: 'Change a tenant', body: tenantChange, reply: tenantObject }),
  operation({ id: 'deleteTenant', method: 'DELETE', path: 'tenants/{id}', summary: 'Delete a tenant with its keys, admin tokens and credentials; what it used stays in the ledger', role: 'owner', reply: deleted }),
  operation({ id: 'shredBodies', method: 'POST', path: 'tenants/{id}/shred', summary: "Destroy the keys of a tenant's captured bodies: what was kept is unreadable for good, what comes is kept under a new key", role: 'owner', reply: z.object({ object: z.literal('shredded'), id: tenantId, keys: z.int() }), tenantScoped: true }),
] as const;
