import { randomBytes } from 'node:crypto';
import { keySha256 as hashOf, newId } from '@deja/contracts';
import { ClientKeysRepository } from '../keys/client-keys.repository.ts';
import { cluster, tenants } from '../schema/tables.ts';
import type { Database } from '../schema/transaction.ts';

export const DEFAULT_TENANT = 'default';
const SALT_BYTES = 32;

export interface Bootstrapped {
  /** Of the cluster. */
  salt: Buffer;
  /** Hash of the bootstrap key where it was not known before: gateways may have asked for it, and been told that there is none. */
  newKeySha256: string | null;
}

/** Makes what a new cluster needs and an old one has: safe when replicas do it together. */
export async function bootstrap(db: Database, bootstrapKey: string | null): Promise<Bootstrapped> {
  await db.insert(tenants).values({ id: DEFAULT_TENANT, name: DEFAULT_TENANT }).onConflictDoNothing();
  const keySha256 = bootstrapKey === null ? null : hashOf(bootstrapKey);
  const isNew = keySha256 !== null && (await new ClientKeysRepository(db).insertIfAbsent({ id: newId(), tenant: DEFAULT_TENANT, keySha256, name: 'bootstrap' }));
  await db.insert(cluster).values({ id: 1, salt: randomBytes(SALT_BYTES) }).onConflictDoNothing();
  const [row] = await db.select({ salt: cluster.salt }).from(cluster);
  if (row === undefined) throw new Error('the row of the cluster vanished between writing and reading it');
  return { salt: row.salt, newKeySha256: isNew ? keySha256 : null };
}
