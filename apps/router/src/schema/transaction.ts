import type { NodePgDatabase } from 'drizzle-orm/node-postgres';

/** An open transaction of drizzle. */
export type Transaction = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];
