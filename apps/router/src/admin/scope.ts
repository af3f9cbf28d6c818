import { ADMIN_OPERATIONS, isAtLeast, type AdminOperation, type OperationId } from '@deja/admin-api';
import { DejaError, type AdminActor } from '@deja/contracts';

/** Throws `permission_denied` where the caller's role, or that it is for one tenant, does not allow the operation. */
export function checkAllowed(by: AdminActor, { id, role, tenantScoped }: Pick<AdminOperation, 'id' | 'role' | 'tenantScoped'>): void {
  if (!isAtLeast(by.role, role)) throw new DejaError('permission_denied', `This needs the role ${role}, and the token's is ${by.role} (${id}).`);
  if (by.tenant !== null && !tenantScoped) throw new DejaError('permission_denied', `A token of one tenant cannot do this (${id}).`);
}

/** The same for an operation that is known by its id alone. */
export function checkMay(by: AdminActor, id: OperationId): void {
  for (const operation of ADMIN_OPERATIONS) if (operation.id === id) checkAllowed(by, operation);
}

/** Whether what is this tenant's (null: nobody's) is there for the caller at all. */
export const sees = (by: Pick<AdminActor, 'tenant'>, tenant: string | null): boolean => by.tenant === null || by.tenant === tenant;

/** The tenant that a list is to be of: the one asked for, or else the caller's own; null: all. Throws `not_found` for another's. */
export function tenantToList(by: Pick<AdminActor, 'tenant'>, wanted: string | undefined): string | null {
  if (wanted !== undefined && !sees(by, wanted)) throw noTenant();
  return wanted ?? by.tenant;
}

/** Throws where the caller may make nothing for this tenant: `not_found` for another's, `permission_denied` for what would be nobody's. */
export function checkMayMakeFor(by: Pick<AdminActor, 'tenant'>, tenant: string | null): void {
  if (sees(by, tenant)) return;
  if (tenant === null) throw new DejaError('permission_denied', 'A token of one tenant makes things for that tenant alone: name it.', { param: 'tenant' });
  throw noTenant();
}

/** One answer for a tenant that is not there and for one that is another's. */
export const noTenant = (): DejaError => new DejaError('not_found', 'There is no tenant of this id.', { param: 'tenant' });
