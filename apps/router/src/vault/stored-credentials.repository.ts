import type { Limits } from '@deja/contracts';
import { and, eq, isNotNull, isNull, lte, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { cluster, credentials, credentialValues, deploymentDrains, tenants } from '../schema/tables.ts';
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
  values: StoredValue[];
}

export interface StoredValue extends SealedValue {
  version: string;
  lastFour: string;
  /** null: the current one. */
  expiresAt: Date | null;
}

export type NewStoredCredential = Omit<StoredCredential, 'disabled' | 'createdAt' | 'updatedAt' | 'values'>;
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

type Transaction = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];

/** Credentials of the admin API and drained deployments in Postgres. Every change raises the revision in the same transaction. */
export class StoredCredentialsRepository {
  constructor(private readonly db: NodePgDatabase) {}

  async revision(): Promise<number> {
    const [row] = await this.db.select({ revision: cluster.credentialsRevision }).from(cluster);
    return row?.revision ?? 0;
  }

  /** Everything as of one moment. */
  load(): Promise<VaultContent> {
    return this.db.transaction(async (tx) => {
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

  async find(id: string): Promise<NewStoredCredential | null> {
    const [row] = await this.db.select().from(credentials).where(eq(credentials.id, id));
    return row ?? null;
  }

  async hasTenant(id: string): Promise<boolean> {
    return (await this.db.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id))).length > 0;
  }

  async insert(credential: NewStoredCredential, value: NewValue, at: Date): Promise<void> {
    await this.db.transaction(async (tx) => {
      await tx.insert(credentials).values({ ...credential, createdAt: at, updatedAt: at });
      await tx.insert(credentialValues).values({ ...value, credential: credential.id, createdAt: at });
      await changed(tx);
    });
  }

  /** False when there is no such credential. */
  update(id: string, change: CredentialChange, at: Date): Promise<boolean> {
    return this.db.transaction(async (tx) => {
      const rows = await tx.update(credentials).set({ ...change, updatedAt: at }).where(eq(credentials.id, id)).returning({ id: credentials.id });
      if (rows.length > 0) await changed(tx);
      return rows.length > 0;
    });
  }

  /**
   * Makes `value` the current one and gives the one before it until `expiresAt` (null: no time at all). A value that still had its grace
   * from an earlier rotation is destroyed. Returns the versions that are destroyed; null when there is no such credential.
   */
  rotate(id: string, value: NewValue, { at, expiresAt }: { at: Date; expiresAt: Date | null }): Promise<string[] | null> {
    return this.db.transaction(async (tx) => {
      // Rotations of one credential take turns.
      const rows = await tx.update(credentials).set({ updatedAt: at }).where(eq(credentials.id, id)).returning({ id: credentials.id });
      if (rows.length === 0) return null;
      const own = eq(credentialValues.credential, id);
      const destroyed = await tx.delete(credentialValues).where(expiresAt === null ? own : and(own, isNotNull(credentialValues.expiresAt))).returning({ version: credentialValues.version });
      if (expiresAt !== null) await tx.update(credentialValues).set({ expiresAt }).where(and(own, isNull(credentialValues.expiresAt)));
      await tx.insert(credentialValues).values({ ...value, credential: id, createdAt: at });
      await changed(tx);
      return destroyed.map(({ version }) => version);
    });
  }

  /** `provider/name` of what was deleted, with all its values; null when there was no such credential. */
  delete(id: string): Promise<string | null> {
    return this.db.transaction(async (tx) => {
      const [row] = await tx.delete(credentials).where(eq(credentials.id, id)).returning({ provider: credentials.provider, name: credentials.name });
      if (row === undefined) return null;
      await changed(tx);
      return `${row.provider}/${row.name}`;
    });
  }

  /** Deletes former values whose grace is over. */
  destroyExpired(at: Date): Promise<CredentialVersion[]> {
    return this.db.transaction(async (tx) => {
      const rows = await tx.delete(credentialValues).where(lte(credentialValues.expiresAt, at))
        .returning({ version: credentialValues.version, id: sql<string>`(select ${credentials.provider} || '/' || ${credentials.name} from ${credentials} where ${credentials.id} = ${credentialValues.credential})` });
      if (rows.length > 0) await changed(tx);
      return rows;
    });
  }

  async drain(deployment: string, drained: boolean, at: Date): Promise<void> {
    await this.db.transaction(async (tx) => {
      if (drained) await tx.insert(deploymentDrains).values({ deployment, drainedAt: at }).onConflictDoNothing();
      else await tx.delete(deploymentDrains).where(eq(deploymentDrains.deployment, deployment));
      await changed(tx);
    });
  }
}

/** Last of all in a transaction: the row of the cluster is one for all, and is held no longer than the commit takes. */
export async function changed(tx: Transaction): Promise<void> {
  await tx.update(cluster).set({ credentialsRevision: sql`${cluster.credentialsRevision} + 1` });
}
