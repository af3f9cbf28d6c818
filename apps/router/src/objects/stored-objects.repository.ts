import type { ObjectAccount, StoredObject, StoredObjectKind } from '@deja/contracts';
import { and, asc, eq, inArray, lt, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { storedObjects } from '../schema/tables.ts';

/** Whose stored objects are, in Postgres. */
export class StoredObjectsRepository {
  readonly #db: NodePgDatabase;

  constructor(db: NodePgDatabase) {
    this.#db = db;
  }

  /**
   * Notes an object; a second time changes nothing. Where another provider gave the same tenant the same id, the newer object has it.
   * `foreign`: the provider's object belongs to another tenant and stays with it.
   */
  async insert(object: StoredObject): Promise<'stored' | 'foreign'> {
    const { createdAtMs, ...named } = object;
    const row = { ...named, createdAt: new Date(createdAtMs) };
    const { tenant, id, kind, provider, deployment, credential, createdAt } = row;
    const inserted = await this.#db.insert(storedObjects).values(row).onConflictDoNothing().returning({ id: storedObjects.id });
    if (inserted.length > 0) return 'stored';
    const [owner] = await this.#db.select({ tenant: storedObjects.tenant }).from(storedObjects).where(and(eq(storedObjects.provider, provider), eq(storedObjects.id, id)));
    if (owner !== undefined && owner.tenant !== tenant) return 'foreign';
    // Should another tenant get the id of this provider in this very moment, the constraint refuses, and the event's next delivery finds its owner.
    await this.#db.update(storedObjects).set({ kind, provider, deployment, credential, createdAt })
      .where(and(eq(storedObjects.tenant, tenant), eq(storedObjects.id, id), lt(storedObjects.createdAt, createdAt)));
    return 'stored';
  }

  async remove(tenant: string, id: string): Promise<void> {
    await this.#db.delete(storedObjects).where(and(eq(storedObjects.tenant, tenant), eq(storedObjects.id, id)));
  }

  async find(tenant: string, ids: string[]): Promise<StoredObject[]> {
    const rows = await this.#db.select().from(storedObjects).where(and(eq(storedObjects.tenant, tenant), inArray(storedObjects.id, ids)));
    return rows.map(({ createdAt, ...named }) => ({ ...named, createdAtMs: createdAt.getTime() }));
  }

  async accounts(tenant: string, kind: StoredObjectKind): Promise<ObjectAccount[]> {
    const { provider, deployment, credential } = storedObjects;
    return await this.#db.selectDistinct({ provider, deployment, credential }).from(storedObjects)
      .where(and(eq(storedObjects.tenant, tenant), eq(storedObjects.kind, kind)))
      .orderBy(asc(provider), asc(deployment), asc(credential));
  }

  /** Removes up to `limit` responses made before `before`; returns how many. Replicas that do it together take different ones. */
  async removeResponses(before: Date, limit: number): Promise<number> {
    const { rowCount } = await this.#db.execute(sql`
      delete from ${storedObjects} where (tenant, id) in (
        select tenant, id from ${storedObjects} where kind = 'response' and created_at < ${before.toISOString()}
        order by created_at limit ${limit} for update skip locked)`);
    return rowCount ?? 0;
  }
}
