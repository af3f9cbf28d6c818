import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { adminTokens, tenants } from '../schema/tables.ts';
import type { Transaction } from '../schema/transaction.ts';

export type StoredToken = typeof adminTokens.$inferSelect;
export type NewToken = Pick<StoredToken, 'id' | 'tenant' | 'name' | 'role' | 'publicId' | 'tokenSha256' | 'expiresAt'>;

/** Admin tokens in Postgres, by their hashes. */
export class AdminTokensRepository {
  constructor(private readonly db: NodePgDatabase) {}

  async find(id: string): Promise<StoredToken | null> {
    const [row] = await this.db.select().from(adminTokens).where(eq(adminTokens.id, id));
    return row ?? null;
  }

  async findByHash(tokenSha256: string): Promise<StoredToken | null> {
    const [row] = await this.db.select().from(adminTokens).where(eq(adminTokens.tokenSha256, tokenSha256));
    return row ?? null;
  }

  /** In the order in which they were made. */
  list(tenant: string | null, after: string | null, limit: number): Promise<StoredToken[]> {
    const conditions = [tenant === null ? undefined : eq(adminTokens.tenant, tenant), after === null ? undefined : gt(adminTokens.id, after)];
    return this.db.select().from(adminTokens).where(and(...conditions)).orderBy(asc(adminTokens.id)).limit(limit);
  }

  /** Whether there is such a tenant; it then stays until the transaction ends. */
  async holdTenant(tx: Transaction, id: string): Promise<boolean> {
    return (await tx.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id)).for('key share')).length > 0;
  }

  async insert(tx: Transaction, token: NewToken): Promise<StoredToken> {
    const [row] = await tx.insert(adminTokens).values(token).returning();
    if (row === undefined) throw new Error('an inserted row was not returned');
    return row;
  }

  async lock(tx: Transaction, id: string): Promise<StoredToken | null> {
    const [row] = await tx.select().from(adminTokens).where(eq(adminTokens.id, id)).for('update');
    return row ?? null;
  }

  async delete(tx: Transaction, id: string): Promise<void> {
    await tx.delete(adminTokens).where(eq(adminTokens.id, id));
  }

  async used(id: string): Promise<void> {
    await this.db.update(adminTokens).set({ lastUsedAt: sql`now()` }).where(eq(adminTokens.id, id));
  }
}
