import { z } from 'zod';
import { deleted, label, listOf, moment, page, tenantId, wireMoment } from './fields.ts';
import { operation, ROLES } from './operation.ts';

export const adminTokenObject = z.object({
  object: z.literal('admin_token'),
  id: z.uuid(),
  name: label,
  role: z.enum(ROLES),
  /** The one tenant it is for; null: all, and what is nobody's. */
  tenant: tenantId.nullable(),
  prefix: z.string(),
  expires_at: wireMoment,
  last_used_at: wireMoment,
  created_at: wireMoment,
  updated_at: wireMoment,
});
export type AdminTokenObject = z.output<typeof adminTokenObject>;

const newToken = z.strictObject({ name: label, role: z.enum(ROLES), tenant: tenantId.nullable().default(null), expires_at: moment.nullable().default(null) });

export const ADMIN_TOKENS = [
  operation({ id: 'createAdminToken', method: 'POST', path: 'admin-tokens', summary: 'Make an admin token; the answer has it in clear, once', role: 'owner', body: newToken, reply: adminTokenObject.extend({ token: z.string() }), status: 201, secret: 'token', tenantScoped: true }),
  operation({ id: 'listAdminTokens', method: 'GET', path: 'admin-tokens', summary: 'Admin tokens', role: 'owner', query: z.strictObject(page), reply: listOf(adminTokenObject), tenantScoped: true }),
  operation({ id: 'getAdminToken', method: 'GET', path: 'admin-tokens/{id}', summary: 'One admin token', role: 'owner', reply: adminTokenObject, tenantScoped: true }),
  operation({ id: 'deleteAdminToken', method: 'DELETE', path: 'admin-tokens/{id}', summary: 'Revoke an admin token', role: 'owner', reply: deleted, tenantScoped: true }),
] as const;
