import { asc, eq, gt, sql } from 'drizzle-orm';
import { sqlStateOf, UNIQUE_VIOLATION } from '../admin/database-trouble.ts';
import { alertRules } from '../schema/tables.ts';
import type { Database, Transaction } from '../schema/transaction.ts';
import { nameTaken } from './name-taken.ts';

export type StoredRule = typeof alertRules.$inferSelect;
/** Absent: as it was. */
export type RuleChange = Partial<Omit<StoredRule, 'id' | 'revision' | 'createdAt' | 'updatedAt'>>;

/** Alert rules of the admin API in Postgres. */
export class AlertRulesRepository {
  constructor(private readonly db: Database) {}

  async find(id: string): Promise<StoredRule | null> {
    const [row] = await this.db.select().from(alertRules).where(eq(alertRules.id, id));
    return row ?? null;
  }

  /** In the order in which they were made. */
  list(after: string | null, limit: number): Promise<StoredRule[]> {
    return this.db.select().from(alertRules).where(after === null ? undefined : gt(alertRules.id, after)).orderBy(asc(alertRules.id)).limit(limit);
  }

  all(): Promise<StoredRule[]> {
    return this.db.select().from(alertRules).orderBy(asc(alertRules.id));
  }

  async hasName(tx: Transaction, name: string): Promise<boolean> {
    return (await tx.select({ id: alertRules.id }).from(alertRules).where(eq(alertRules.name, name))).length > 0;
  }

  /** Throws `conflict` for a name that is taken. */
  async insert(tx: Transaction, rule: Omit<StoredRule, 'revision'>): Promise<StoredRule> {
    return returned(await tx.insert(alertRules).values(rule).returning().catch(named(rule.name)));
  }

  /** Holds the row until the transaction ends. */
  async lock(tx: Transaction, id: string): Promise<StoredRule | null> {
    const [row] = await tx.select().from(alertRules).where(eq(alertRules.id, id)).for('update');
    return row ?? null;
  }

  /** Raises the rule's revision. The row is locked before. Throws `conflict` for a name that is taken. */
  async change(tx: Transaction, id: string, change: RuleChange, at: Date): Promise<StoredRule> {
    const set = { ...change, revision: sql`${alertRules.revision} + 1`, updatedAt: at };
    return returned(await tx.update(alertRules).set(set).where(eq(alertRules.id, id)).returning().catch(named(change.name ?? '')));
  }

  async delete(tx: Transaction, id: string): Promise<void> {
    await tx.delete(alertRules).where(eq(alertRules.id, id));
  }
}

function returned([row]: StoredRule[]): StoredRule {
  if (row === undefined) throw new Error('a written row was not returned');
  return row;
}

const named = (name: string) => (error: unknown): never => {
  throw sqlStateOf(error) === UNIQUE_VIOLATION ? nameTaken(name, error) : error;
};
