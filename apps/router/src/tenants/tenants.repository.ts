import { and, asc, eq, gt, like, lt, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { clientKeys, credentials, retiredTenants, tenants } from '../schema/tables.ts';
import type { Transaction } from '../schema/transaction.ts';

export type StoredTenant = typeof tenants.$inferSelect;
export type TenantSettings = Pick<StoredTenant, 'name' | 'limits' | 'budgets' | 'cache' | 'validation' | 'capture' | 'models' | 'disabled'>;

/** Tenants in Postgres. */
export class TenantsRepository {
  constructor(private readonly db: NodePgDatabase) {}

  async find(id: string): Promise<StoredTenant | null> {
    const [row] = await this.db.select().from(tenants).where(eq(tenants.id, id));
    return row ?? null;
  }

  /** Whether there is such a tenant, or was one before it was deleted. */
  async wasEver(id: string): Promise<boolean> {
    const [row] = await this.db.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id)).union(this.db.select({ id: retiredTenants.id }).from(retiredTenants).where(eq(retiredTenants.id, id)));
    return row !== undefined;
  }

  /** By id. @param only the one tenant that the list is of; null: all */
  list(only: string | null, after: string | null, limit: number): Promise<StoredTenant[]> {
    return this.db.select().from(tenants).where(and(only === null ? undefined : eq(tenants.id, only), after === null ? undefined : gt(tenants.id, after))).orderBy(asc(tenants.id)).limit(limit);
  }

  /** Holds the row until the transaction ends. */
  async lock(tx: Transaction, id: string): Promise<StoredTenant | null> {
    const [row] = await tx.select().from(tenants).where(eq(tenants.id, id)).for('update');
    return row ?? null;
  }

  /** Ids that begin so, also of tenants that were deleted. */
  async idsLike(tx: Transaction, id: string): Promise<string[]> {
    // Ids have no character that stands for others in a pattern.
    const taken = await tx.select({ id: tenants.id }).from(tenants).where(like(tenants.id, `${id}%`))
      .union(tx.select({ id: retiredTenants.id }).from(retiredTenants).where(like(retiredTenants.id, `${id}%`)));
    return taken.map((row) => row.id);
  }

  /** null where the id is taken, or was a deleted tenant's. */
  async insert(tx: Transaction, tenant: Omit<TenantSettings, 'disabled'> & { id: string }): Promise<StoredTenant | null> {
    const [retired] = await tx.select({ id: retiredTenants.id }).from(retiredTenants).where(eq(retiredTenants.id, tenant.id));
    if (retired !== undefined) return null;
    const [row] = await tx.insert(tenants).values(tenant).onConflictDoNothing().returning();
    return row ?? null;
  }

  async update(tx: Transaction, id: string, change: { [Member in keyof TenantSettings]?: TenantSettings[Member] | undefined }): Promise<StoredTenant | null> {
    const [row] = await tx.update(tenants).set({ ...change, settingsRevision: sql`${tenants.settingsRevision} + 1`, updatedAt: sql`now()` }).where(eq(tenants.id, id)).returning();
    return row ?? null;
  }

  /** With all its keys and credentials; returns what went with it: credentials by `provider/name`. */
  async delete(tx: Transaction, id: string): Promise<{ credentials: string[]; keys: number }> {
    const held = await tx.select({ provider: credentials.provider, name: credentials.name }).from(credentials).where(eq(credentials.tenant, id)).for('update');
    const keys = await tx.$count(clientKeys, eq(clientKeys.tenant, id));
    await tx.delete(tenants).where(eq(tenants.id, id));
    await tx.insert(retiredTenants).values({ id }).onConflictDoNothing();
    return { credentials: held.map(({ provider, name }) => `${provider}/${name}`), keys };
  }

  /** Revisions of all tenants, a page at a time by id. */
  revisions(after: string | null, limit: number): Promise<{ id: string; revision: number }[]> {
    return this.db.select({ id: tenants.id, revision: tenants.revision }).from(tenants).where(after === null ? undefined : gt(tenants.id, after)).orderBy(asc(tenants.id)).limit(limit);
  }

  /** Raises a revision above one that was seen, unless it is; the new one, or null where there was nothing to raise. */
  async raiseRevision(id: string, above: number): Promise<number | null> {
    const [row] = await this.db.update(tenants).set({ revision: above + 1 }).where(and(eq(tenants.id, id), lt(tenants.revision, above))).returning({ revision: tenants.revision });
    return row?.revision ?? null;
  }
}
