import type { GivenBudgets } from '@deja/contracts';
import { and, eq, gt, isNull, ne, or, sql, type SQL } from 'drizzle-orm';
import { alertSilences, clientKeys, cluster, tenants } from '../schema/tables.ts';
import type { Database } from '../schema/transaction.ts';

/** Of whom all are meant, whether or not they have budgets of their own. */
export interface Everyone {
  tenants: boolean;
  keys: boolean;
}

/** What alerts are decided by besides rules and silences. */
export class AlertInputsRepository {
  constructor(private readonly db: Database) {}

  /**
   * Equal as long as no rule, silence or budget has changed, no key has expired and no silence ended: one row and the ends of two indexes. What is read
   * after it is never older.
   */
  async state(at: Date): Promise<string> {
    // As Postgres writes it: of two moments within a millisecond both count.
    const expired = sql<string | null>`(select max(${clientKeys.expiresAt})::text from ${clientKeys} where ${clientKeys.expiresAt} <= ${at.toISOString()})`;
    const ended = sql<string | null>`(select max(${alertSilences.endsAt})::text from ${alertSilences} where ${alertSilences.endsAt} <= ${at.toISOString()})`;
    const [row] = await this.db.select({ revision: cluster.alertsRevision, expired, ended }).from(cluster);
    return JSON.stringify([row?.revision, row?.expired, row?.ended]);
  }

  /** Of tenants and keys that are in use; those without budgets of their own only where `everyone` is meant. */
  async budgets(at: Date, everyone: Everyone): Promise<GivenBudgets> {
    const ofTenants = await this.db.select({ tenant: tenants.id, budgets: tenants.budgets }).from(tenants)
      .where(and(eq(tenants.disabled, false), everyone.tenants ? undefined : isGiven(tenants.budgets))).orderBy(tenants.id);
    const userBudgets = sql`coalesce(${clientKeys.perUser} -> 'budgets', '[]')`;
    const ofKeys = await this.db.select({ key: clientKeys.id, tenant: clientKeys.tenant, budgets: clientKeys.budgets, perUser: clientKeys.perUser }).from(clientKeys)
      .innerJoin(tenants, eq(tenants.id, clientKeys.tenant))
      .where(and(
        eq(clientKeys.disabled, false), eq(tenants.disabled, false), or(isNull(clientKeys.expiresAt), gt(clientKeys.expiresAt, at)),
        everyone.keys ? undefined : or(isGiven(clientKeys.budgets), ne(userBudgets, EMPTY)),
      )).orderBy(clientKeys.id);
    return { tenants: ofTenants, keys: ofKeys.map(({ perUser, ...key }) => ({ ...key, perUser: perUser.budgets ?? [] })) };
  }
}

const EMPTY = sql`'[]'::jsonb`;
const isGiven = (budgets: typeof tenants.budgets | typeof clientKeys.budgets): SQL => sql`${budgets} <> ${EMPTY}`;
