import type { AuditEntry, QueryOf } from '@deja/admin-api';
import { newId, type AdminActor } from '@deja/contracts';
import { and, desc, eq, gte, lt, type SQL } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { audit } from '../schema/tables.ts';
import type { Transaction } from '../schema/transaction.ts';

/** A row of the audit log, but for who and when. */
export interface Audited {
  /** Id of the operation, or what deja calls what it does by itself. */
  action: string;
  /** `tenant`, `key`, `admin_token`, `credential`, … */
  resource: string;
  resourceId: string | null;
  tenant: string | null;
  /** As on the wire, without secrets. */
  before: object | null;
  after: object | null;
}

export type AuditActor = Pick<AdminActor, 'id' | 'name' | 'from'> & { role: string; requestId: string | null };
/** What deja does by itself, such as ending a rotation's grace. */
export const SYSTEM: AuditActor = { id: 'system', name: 'system', role: 'system', from: null, requestId: null };

export type StoredEntry = typeof audit.$inferSelect;

/** In the transaction that makes the change: there is no change without its row, and no row without its change. */
export async function addToAudit(tx: Transaction, by: AuditActor, entries: Audited[]): Promise<void> {
  if (entries.length === 0) return;
  await tx.insert(audit).values(entries.map(({ before, after, ...entry }) => ({
    id: newId(), actor: by.id, actorName: by.name, role: by.role, from: by.from, requestId: by.requestId, ...entry, before: before === null ? null : { ...before }, after: after === null ? null : { ...after },
  })));
}

/** Some of the log, the latest first. @param after id of the last entry of the page before @param limit at least 1 */
export async function listAudit(db: NodePgDatabase, query: QueryOf<'listAudit'>, tenant: string | null, after: string | null, limit: number): Promise<StoredEntry[]> {
  const conditions: (SQL | undefined)[] = [
    tenant === null ? undefined : eq(audit.tenant, tenant),
    query.actor === undefined ? undefined : eq(audit.actor, query.actor),
    query.action === undefined ? undefined : eq(audit.action, query.action),
    query.resource === undefined ? undefined : eq(audit.resource, query.resource),
    query.resource_id === undefined ? undefined : eq(audit.resourceId, query.resource_id),
    query.from === undefined ? undefined : gte(audit.at, new Date(query.from)),
    query.to === undefined ? undefined : lt(audit.at, new Date(query.to)),
    after === null ? undefined : lt(audit.id, after),
  ];
  return db.select().from(audit).where(and(...conditions)).orderBy(desc(audit.id)).limit(limit);
}

export function auditObject(entry: StoredEntry): AuditEntry {
  const { id, at, actor, actorName, role, from, requestId, action, resource, resourceId, tenant, before, after } = entry;
  return { object: 'audit_entry', id, at: at.toISOString(), actor, actor_name: actorName, role, from, request_id: requestId, action, resource, resource_id: resourceId, tenant, before, after };
}
