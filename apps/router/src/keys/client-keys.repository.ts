import { and, asc, eq, gt, inArray, isNull, isNotNull, lte, or, sql, type SQL } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { sqlStateOf, UNIQUE_VIOLATION } from '../admin/database-trouble.ts';
import { clientKeys, clientKeySecrets, retiredImports, tenants } from '../schema/tables.ts';
import { inTransaction, type Database, type Transaction } from '../schema/transaction.ts';
import type { StoredKey } from './principal.ts';

/** A row of `client_keys`, with what may be said of its secrets. */
export type KeyRow = typeof clientKeys.$inferSelect & {
  /** Of the current secret; null for one that was not made here. */
  publicId: string | null;
  /** End of the former secret's grace, while it runs. */
  graceUntil: Date | null;
};

export type NewKeyRow = typeof clientKeys.$inferInsert;
/** Absent: as it was. */
export type KeyChange = Partial<Omit<NewKeyRow, 'id' | 'tenant' | 'revision' | 'createdAt' | 'updatedAt'>>;

export interface NewSecret {
  keySha256: string;
  publicId: string | null;
}

const current = alias(clientKeySecrets, 'current_secret');
const former = alias(clientKeySecrets, 'former_secret');

/** Client keys and the hashes of their secrets in Postgres. Changes happen in the caller's transaction. */
export class ClientKeysRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** By a secret that may still be used at `at`. */
  findByPublicId = (publicId: string, at: Date): Promise<StoredKey | null> => this.#find(eq(clientKeySecrets.publicId, publicId), at);

  findByHash = (keySha256: string, at: Date): Promise<StoredKey | null> => this.#find(eq(clientKeySecrets.keySha256, keySha256), at);

  /** Hashes of the secrets that were not made here. */
  async importedHashes(): Promise<string[]> {
    const rows = await this.#db.select({ keySha256: clientKeySecrets.keySha256 }).from(clientKeySecrets).where(isNull(clientKeySecrets.publicId));
    return rows.map(({ keySha256 }) => keySha256);
  }

  /** Whether it was made now. One with this hash keeps its tenant, its limits and whether it is disabled; one that was taken away stays away. */
  async insertIfAbsent({ id, tenant, keySha256, name }: { id: string; tenant: string; keySha256: string; name: string }): Promise<boolean> {
    const [known] = await this.#db.select({ key: clientKeySecrets.key }).from(clientKeySecrets).where(eq(clientKeySecrets.keySha256, keySha256));
    if (known !== undefined) return false;
    const [retired] = await this.#db.select({ keySha256: retiredImports.keySha256 }).from(retiredImports).where(eq(retiredImports.keySha256, keySha256));
    if (retired !== undefined) return false;
    try {
      await inTransaction(this.#db, (tx) => this.insert(tx, { id, tenant, name }, { keySha256, publicId: null }));
      return true;
    } catch (error) {
      if (sqlStateOf(error) === UNIQUE_VIOLATION) return false; // another replica was faster
      throw error;
    }
  }

  /** Whether there is such a tenant; it stays as long as the transaction is open. */
  async holdTenant(tx: Transaction, tenant: string): Promise<boolean> {
    const rows = await tx.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, tenant)).for('key share');
    return rows.length > 0;
  }

  async insert(tx: Transaction, key: NewKeyRow, secret: NewSecret): Promise<void> {
    await tx.insert(clientKeys).values(key);
    await tx.insert(clientKeySecrets).values({ ...secret, key: key.id });
  }

  /** @param lock the row stays as it is as long as the transaction is open */
  async get(id: string, at: Date, { tx = this.#db, lock = false }: { tx?: Pick<Transaction, 'select'>; lock?: boolean } = {}): Promise<KeyRow | null> {
    if (lock) await tx.select({ id: clientKeys.id }).from(clientKeys).where(eq(clientKeys.id, id)).for('update');
    const [row] = await rowsOf(tx, at).where(eq(clientKeys.id, id));
    return row === undefined ? null : keyRow(row);
  }

  /** The oldest first. @param after id that the page begins behind */
  async list({ tenant, after, limit, at }: { tenant: string | null; after: string | null; limit: number; at: Date }): Promise<KeyRow[]> {
    const those = and(tenant === null ? undefined : eq(clientKeys.tenant, tenant), after === null ? undefined : gt(clientKeys.id, after));
    const rows = await rowsOf(this.#db, at).where(those).orderBy(asc(clientKeys.id)).limit(limit);
    return rows.map(keyRow);
  }

  /** Raises the key's revision. */
  async change(tx: Transaction, id: string, change: KeyChange, at: Date): Promise<void> {
    await tx.update(clientKeys).set({ ...change, revision: sql`${clientKeys.revision} + 1`, updatedAt: at }).where(eq(clientKeys.id, id));
  }

  /** Hashes of all its secrets, for those who have to forget them. */
  async hashes(tx: Transaction, id: string): Promise<string[]> {
    const rows = await tx.select({ keySha256: clientKeySecrets.keySha256 }).from(clientKeySecrets).where(eq(clientKeySecrets.key, id));
    return rows.map(({ keySha256 }) => keySha256);
  }

  /** A new secret in place of the current one, which is good until `graceUntil`, or at once no more. A secret whose grace still ran has none any more. */
  async rotate(tx: Transaction, id: string, secret: NewSecret, graceUntil: Date | null): Promise<void> {
    const ofKey = eq(clientKeySecrets.key, id);
    await tx.delete(clientKeySecrets).where(graceUntil === null ? ofKey : and(ofKey, isNotNull(clientKeySecrets.expiresAt)));
    if (graceUntil !== null) await tx.update(clientKeySecrets).set({ expiresAt: graceUntil }).where(ofKey);
    await tx.insert(clientKeySecrets).values({ ...secret, key: id });
  }

  async delete(tx: Transaction, id: string): Promise<void> {
    await tx.delete(clientKeys).where(eq(clientKeys.id, id));
  }

  /** Removes secrets whose grace is over, at most so many. Returns how many they were. */
  async removeEnded(at: Date, most: number): Promise<number> {
    const ended = this.#db.select({ keySha256: clientKeySecrets.keySha256 }).from(clientKeySecrets).where(lte(clientKeySecrets.expiresAt, at)).limit(most).for('update', { skipLocked: true });
    const rows = await this.#db.delete(clientKeySecrets).where(inArray(clientKeySecrets.keySha256, ended)).returning({ key: clientKeySecrets.key });
    return rows.length;
  }

  async #find(secretIs: SQL, at: Date): Promise<StoredKey | null> {
    const [row] = await this.#db.select({
      key: clientKeys,
      ofTenant: { models: tenants.models, limits: tenants.limits, budgets: tenants.budgets, cache: tenants.cache, validation: tenants.validation, capture: tenants.capture, disabled: tenants.disabled, revision: tenants.revision },
      secret: { keySha256: clientKeySecrets.keySha256, expiresAt: clientKeySecrets.expiresAt },
    }).from(clientKeySecrets)
      .innerJoin(clientKeys, eq(clientKeys.id, clientKeySecrets.key))
      .innerJoin(tenants, eq(tenants.id, clientKeys.tenant))
      .where(and(secretIs, or(isNull(clientKeySecrets.expiresAt), gt(clientKeySecrets.expiresAt, at))))
      .limit(1);
    if (row === undefined) return null;
    return { ...row.key, ofTenant: row.ofTenant, secret: row.secret };
  }
}

// The query's type is what drizzle infers of it.
function rowsOf(db: Pick<Transaction, 'select'>, at: Date) {
  return db.select({ key: clientKeys, publicId: current.publicId, graceUntil: former.expiresAt }).from(clientKeys)
    .leftJoin(current, and(eq(current.key, clientKeys.id), isNull(current.expiresAt)))
    .leftJoin(former, and(eq(former.key, clientKeys.id), gt(former.expiresAt, at)))
    .$dynamic();
}

const keyRow = ({ key, publicId, graceUntil }: { key: typeof clientKeys.$inferSelect; publicId: string | null; graceUntil: Date | null }): KeyRow => ({ ...key, publicId, graceUntil });
