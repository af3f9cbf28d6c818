import type { Limits, Validation } from '@deja/contracts';
import { eq } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { clientKeys, tenants } from '../schema/tables.ts';

/** A client key and the tenant it belongs to, as resolving needs them. */
export interface StoredKey {
  id: string;
  tenant: string;
  models: string[] | null;
  limits: Limits;
  perUserLimits: Limits;
  tenantLimits: Limits;
  validation: Partial<Validation>;
  disabled: boolean;
  expiresAtMs: number | null;
}

export interface NewKey {
  id: string;
  tenant: string;
  keySha256: string;
  name: string;
}

export interface KeyChange {
  models?: string[] | null;
  limits?: Limits;
  perUserLimits?: Limits;
  validation?: Partial<Validation>;
  disabled?: boolean;
  expiresAt?: Date | null;
}

/** Client keys in Postgres. */
export class ClientKeysRepository {
  readonly #db: NodePgDatabase;

  constructor(db: NodePgDatabase) {
    this.#db = db;
  }

  async find(keySha256: string): Promise<StoredKey | null> {
    const [row] = await this.#db.select({
      id: clientKeys.id,
      tenant: clientKeys.tenant,
      models: clientKeys.models,
      limits: clientKeys.limits,
      perUserLimits: clientKeys.perUserLimits,
      tenantLimits: tenants.limits,
      validation: clientKeys.validation,
      tenantValidation: tenants.validation,
      disabled: clientKeys.disabled,
      expiresAt: clientKeys.expiresAt,
    }).from(clientKeys).innerJoin(tenants, eq(tenants.id, clientKeys.tenant)).where(eq(clientKeys.keySha256, keySha256)).limit(1);
    if (row === undefined) return null;
    const { expiresAt, tenantValidation, ...stored } = row;
    return { ...stored, validation: { ...tenantValidation, ...stored.validation }, expiresAtMs: expiresAt?.getTime() ?? null };
  }

  /** Does nothing when a key with this hash exists: it keeps its tenant, its limits and whether it is disabled. */
  async insertIfAbsent(key: NewKey): Promise<void> {
    await this.#db.insert(clientKeys).values(key).onConflictDoNothing({ target: clientKeys.keySha256 });
  }

  /** The hash of the changed key, for those who have to forget it; null when there is no such key. */
  async change(id: string, change: KeyChange): Promise<string | null> {
    const [row] = await this.#db.update(clientKeys).set(change).where(eq(clientKeys.id, id)).returning({ keySha256: clientKeys.keySha256 });
    return row?.keySha256 ?? null;
  }
}
