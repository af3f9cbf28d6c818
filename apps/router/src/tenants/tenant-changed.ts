import { eq, sql } from 'drizzle-orm';
import { tenants } from '../schema/tables.ts';
import type { Transaction } from '../schema/transaction.ts';

/**
 * Raises the revision of a tenant for a change of it or of one of its keys, and returns it. Before the row of the key is touched: who deletes
 * a tenant takes the rows in this order too. After the commit it goes to TenantRevisions.changed. 0 where there is no such tenant.
 */
export async function tenantChanged(tx: Transaction, tenant: string): Promise<number> {
  const revision = sql`greatest(${tenants.revision} + 1, nextval('router.tenant_revisions'))`;
  const [row] = await tx.update(tenants).set({ revision }).where(eq(tenants.id, tenant)).returning({ revision: tenants.revision });
  return row?.revision ?? 0;
}
