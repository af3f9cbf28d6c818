import type { Limits } from '@deja/contracts';
import { and, eq, inArray, isNotNull, isNull, lte, sql } from 'drizzle-orm';
import { addToAudit, SYSTEM } from '../audit/audit-log.ts';
import { cluster, credentials, credentialValues, deploymentDrains, tenants } from '../schema/tables.ts';
import { inTransaction, type Database, type Transaction } from '../schema/transaction.ts';
import type { SealedValue } from './sealed-value.ts';

/** A credential of the admin API with its values, encrypted: the current one first, then the former one of a rotation while its grace runs. */
export interface StoredCredential {
  id: string;
  tenant: string | null;
  provider: string;
  name: string;
  baseUrl: string | null;
  weight: number;
  limits: Limits;
  disabled: boolean;
  createdAt: Date;
  updatedAt: Date;
  revision: number;
  values: StoredValue[];
}

export interface StoredValue extends SealedValue {
  version: string;
  lastFour: string;
  /** null: the current one. */
  expiresAt: Date | null;
}

export type NewStoredCredential = Omit<StoredCredential, 'disabled' | 'createdAt' | 'updatedAt' | 'revision' | 'values'>;
export type NewValue = Omit<StoredValue, 'expiresAt'>;
export interface CredentialChange {
  weight?: number | undefined;
  limits?: Limits | undefined;
  disabled?: boolean | undefined;
}

/** One version of a credential `provider/name`. */
export interface CredentialVersion {
  id: string;
  version: string;
}

export interface VaultContent {
  revision: number;
  /** By provider and name. */
  credentials: StoredCredential[];
  drained: string[];
}

/** Credentials of the admin API and drained deployments in Postgres. Every change raises the revision, and that of its credential, in the same transaction. */
export class StoredCredentialsRepository {
  constructor(private readonly db: Database) {}

  async revision(): Promise<number> {
    const [row] = await this.db.select({ revision: cluster.credentialsRevision }).from(cluster);
    return row?.revision ?? 0;
  }

  /** Everything as of one moment. */
  load(): Promise<VaultContent> {
    return inTransaction(this.db, async (tx) => {
      const [row] = await tx.select({ revision: cluster.credentialsRevision }).from(cluster);
      const found = await tx.select().from(credentials).orderBy(credentials.provider, credentials.name);
      const values = Map.groupBy(await tx.select().from(credentialValues).orderBy(sql`${credentialValues.expiresAt} nulls first`), (value) => value.credential);
      const drains = await tx.select({ deployment: deploymentDrains.deployment }).from(deploymentDrains).orderBy(deploymentDrains.deployment);
      return {
        revision: row?.revision ?? 0,
        credentials: found.map((credential) => ({ ...credential, values: values.get(credential.id) ?? [] })),
        drained: drains.map(({ deployment }) => deployment),
      };
    }, { isolationLevel: 'repeatable read', accessMode: 'read only' });
  }

  /** With its values; nobody else changes it until the transaction ends. */
  async lock(tx: Transaction, id: string): Promise<StoredCredential | null> {
    const [row] = await tx.select().from(credentials).where(eq(credentials.id, id)).for('update');
    if (row === undefined) return null;
    return { ...row, values: await tx.select().from(credentialValues).where(eq(credentialValues.credential, id)).orderBy(sql`${credentialValues.expiresAt} nulls first`) };
  }

  async hasTenant(tx: Transaction, id: string): Promise<boolean> {
    return (await tx.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id))).length > 0;
  }

  async insert(tx: Transaction, credential: NewStoredCredential, value: NewValue, at: Date): Promise<void> {
    await tx.insert(credentials).values({ ...credential, createdAt: at, updatedAt: at });
    await tx.insert(credentialValues).values({ ...value, credential: credential.id, createdAt: at });
    await changed(tx);
  }

  async update(tx: Transaction, id: string, change: CredentialChange, at: Date): Promise<void> {
    await tx.update(credentials).set({ ...change, updatedAt: at, revision: NEXT_REVISION }).where(eq(credentials.id, id));
    await changed(tx);
  }

  /**
   * Makes `value` the current one and gives the one before it until `expiresAt` (null: no time at all). A value that still had its grace
   * from an earlier rotation is destroyed. Returns the versions that are destroyed. The credential is locked before: rotations take turns.
   */
  async rotate(tx: Transaction, id: string, value: NewValue, { at, expiresAt }: { at: Date; expiresAt: Date | null }): Promise<string[]> {
    await tx.update(credentials).set({ updatedAt: at, revision: NEXT_REVISION }).where(eq(credentials.id, id));
    const own = eq(credentialValues.credential, id);
    const destroyed = await tx.delete(credentialValues).where(expiresAt === null ? own : and(own, isNotNull(credentialValues.expiresAt))).returning({ version: credentialValues.version });
    if (expiresAt !== null) await tx.update(credentialValues).set({ expiresAt }).where(and(own, isNull(credentialValues.expiresAt)));
    await tx.insert(credentialValues).values({ ...value, credential: id, createdAt: at });
    await changed(tx);
    return destroyed.map(({ version }) => version);
  }

  /** With all its values. */
  async delete(tx: Transaction, id: string): Promise<void> {
    await tx.delete(credentials).where(eq(credentials.id, id));
    await changed(tx);
  }

  async drain(tx: Transaction, deployment: string, drained: boolean, at: Date): Promise<void> {
    if (drained) await tx.insert(deploymentDrains).values({ deployment, drainedAt: at }).onConflictDoNothing();
    else await tx.delete(deploymentDrains).where(eq(deploymentDrains.deployment, deployment));
    await changed(tx);
  }

  async isDrained(tx: Transaction, deployment: string): Promise<boolean> {
    return (await tx.select().from(deploymentDrains).where(eq(deploymentDrains.deployment, deployment))).length > 0;
  }

  /** Deletes former values whose grace is over, and says so in the audit log. */
  destroyExpired(at: Date): Promise<CredentialVersion[]> {
    return inTransaction(this.db, async (tx) => {
      // The credential's row first, as who rotates it takes them.
      const due = tx.select({ id: credentialValues.credential }).from(credentialValues).where(lte(credentialValues.expiresAt, at));
      const owners = await tx.select().from(credentials).where(inArray(credentials.id, due)).orderBy(credentials.id).for('update');
      const versions: CredentialVersion[] = [];
      for (const { id, tenant, provider, name } of owners) {
        const rows = await tx.delete(credentialValues).where(and(eq(credentialValues.credential, id), lte(credentialValues.expiresAt, at))).returning({ version: credentialValues.version });
        if (rows.length === 0) continue; // it was rotated again meanwhile
        await tx.update(credentials).set({ revision: NEXT_REVISION }).where(eq(credentials.id, id));
        versions.push(...rows.map(({ version }) => ({ id: `${provider}/${name}`, version })));
        await addToAudit(tx, SYSTEM, [{ action: 'endCredentialGrace', resource: 'credential', resourceId: id, tenant, before: null, after: { object: 'credential', id, provider, name, tenant, grace_until: null } }]);
      }
      if (versions.length > 0) await changed(tx);
      return versions;
    });
  }
}

const NEXT_REVISION = sql`${credentials.revision} + 1`;

/** Last of all in a transaction: the row of the cluster is one for all, and is held no longer than the commit takes. */
export async function changed(tx: Transaction): Promise<void> {
  await tx.update(cluster).set({ credentialsRevision: sql`${cluster.credentialsRevision} + 1` });
}
