import { isAtLeast, type AdminOperation } from '@deja/admin-api';
import { DejaError } from '@deja/contracts';
import { z } from 'zod';
import type { Caller } from './admin-access.ts';

/** Throws `permission_denied` for a role that is too small, and for the token of one tenant where an operation is not one tenant's. */
export function permit({ role, tenant }: Caller, operation: AdminOperation): void {
  if (!isAtLeast(role, operation.role)) throw new DejaError('permission_denied', `This takes the role ${operation.role}; the token's is ${role}.`);
  if (tenant !== null && !operation.tenantScoped) throw new DejaError('permission_denied', 'The token is for one tenant, and this is about more than that.');
}

/**
 * A query or body, not yet checked, as the token of one tenant means it: the tenant is its own. Throws `not_found` for another one's, and
 * `permission_denied` for what would be everyone's.
 * @param schema of the query or body; only one with a member `tenant` is looked at
 * @param tenant of the token; null: of no one tenant
 */
export function withinTenant(schema: z.ZodType, given: Record<string, unknown>, tenant: string | null): Record<string, unknown> {
  if (tenant === null || !(schema instanceof z.ZodObject) || !('tenant' in schema.shape)) return given;
  const named = given['tenant'];
  if (named === undefined) return { ...given, tenant };
  if (named === null) throw new DejaError('permission_denied', 'The token is for one tenant: it makes nothing that is everyone\'s.', { param: 'tenant' });
  if (typeof named === 'string' && named !== tenant) throw new DejaError('not_found', 'There is no such tenant.', { param: 'tenant' });
  return given;
}
