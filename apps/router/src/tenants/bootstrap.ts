import { createHash, randomBytes } from 'node:crypto';
import { newId } from '@deja/contracts';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { ClientKeysRepository } from '../keys/client-keys.repository.ts';
import { cluster, tenants } from '../schema/tables.ts';

const DEFAULT_TENANT = 'default';
const SALT_BYTES = 32;

/** Makes what a new cluster needs and an old one has: safe when replicas do it together. Returns the cluster's salt. */
export async function bootstrap(db: NodePgDatabase, bootstrapKey: string | null): Promise<{ salt: Buffer }> {
  await db.insert(tenants).values({ id: DEFAULT_TENANT, name: DEFAULT_TENANT }).onConflictDoNothing();
  if (bootstrapKey !== null) {
    const keySha256 = createHash('sha256').update(bootstrapKey).digest('hex');
    await new ClientKeysRepository(db).insertIfAbsent({ id: newId(), tenant: DEFAULT_TENANT, keySha256, name: 'bootstrap' });
  }
  await db.insert(cluster).values({ id: 1, salt: randomBytes(SALT_BYTES) }).onConflictDoNothing();
  const [row] = await db.select({ salt: cluster.salt }).from(cluster);
  if (row === undefined) throw new Error('the row of the cluster vanished between writing and reading it');
  return { salt: row.salt };
}
