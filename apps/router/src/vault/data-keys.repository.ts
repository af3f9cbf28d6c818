import { and, desc, eq, gt, inArray } from 'drizzle-orm';
import { dataKeys, tenants } from '../schema/tables.ts';
import { inTransaction, LOCK_WAIT, type Database, type Transaction } from '../schema/transaction.ts';

export type StoredDataKey = typeof dataKeys.$inferSelect;

/** Data keys of captured bodies in Postgres, wrapped. They go with their tenant. */
export class DataKeysRepository {
  constructor(private readonly db: Database) {}

  /** The newest one made after `since`. */
  async current(tenant: string, since: Date, db: Pick<Transaction, 'select'> = this.db): Promise<StoredDataKey | null> {
    const [row] = await db.select().from(dataKeys).where(and(eq(dataKeys.tenant, tenant), gt(dataKeys.createdAt, since))).orderBy(desc(dataKeys.createdAt)).limit(1);
    return row ?? null;
  }

  async find(tenant: string, id: string): Promise<StoredDataKey | null> {
    const [row] = await this.db.select().from(dataKeys).where(and(eq(dataKeys.id, id), eq(dataKeys.tenant, tenant)));
    return row ?? null;
  }

  /** Which of these are there. */
  async existing(ids: readonly string[]): Promise<string[]> {
    return (await this.db.select({ id: dataKeys.id }).from(dataKeys).where(inArray(dataKeys.id, [...ids]))).map(({ id }) => id);
  }

  async hasTenant(tenant: string): Promise<boolean> {
    return (await this.db.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, tenant))).length > 0;
  }

  /** Keeps this one where there is none after `since`; the one that holds then. null where there is no such tenant. Who makes one, shreds them or deletes the tenant waits for the others. */
  insertUnlessThere(key: StoredDataKey, since: Date): Promise<StoredDataKey | null> {
    return inTransaction(this.db, async (tx) => {
      await tx.execute(LOCK_WAIT);
      const [tenant] = await tx.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, key.tenant)).for('update');
      if (tenant === undefined) return null;
      const there = await this.current(key.tenant, since, tx);
      if (there === null) await tx.insert(dataKeys).values(key);
      return there ?? key;
    });
  }

  /** How many there were. The tenant's row is locked before. */
  async deleteAll(tx: Transaction, tenant: string): Promise<number> {
    return (await tx.delete(dataKeys).where(eq(dataKeys.tenant, tenant)).returning({ id: dataKeys.id })).length;
  }
}
