import { and, asc, eq, gt, lt, sql } from 'drizzle-orm';
import { alertSilences } from '../schema/tables.ts';
import type { Database, Transaction } from '../schema/transaction.ts';

export type StoredSilence = typeof alertSilences.$inferSelect;

/** Those that are over for so long tell nobody anything any more; the audit log has them still. */
const KEPT = sql`interval '90 days'`;

/** Silences in Postgres. */
export class AlertSilencesRepository {
  constructor(private readonly db: Database) {}

  /** Those that are not over, in the order in which they were made. */
  list(at: Date, after: string | null, limit: number): Promise<StoredSilence[]> {
    return this.db.select().from(alertSilences).where(and(gt(alertSilences.endsAt, at), after === null ? undefined : gt(alertSilences.id, after))).orderBy(asc(alertSilences.id)).limit(limit);
  }

  all(at: Date): Promise<StoredSilence[]> {
    return this.db.select().from(alertSilences).where(gt(alertSilences.endsAt, at)).orderBy(asc(alertSilences.id));
  }

  /** Forgets those that ended long ago. */
  async insert(tx: Transaction, silence: StoredSilence): Promise<void> {
    await tx.delete(alertSilences).where(lt(alertSilences.endsAt, sql`${silence.createdAt}::timestamptz - ${KEPT}`));
    await tx.insert(alertSilences).values(silence);
  }

  async lock(tx: Transaction, id: string): Promise<StoredSilence | null> {
    const [row] = await tx.select().from(alertSilences).where(eq(alertSilences.id, id)).for('update');
    return row ?? null;
  }

  async delete(tx: Transaction, id: string): Promise<void> {
    await tx.delete(alertSilences).where(eq(alertSilences.id, id));
  }

  /** A rule has another name: what silences it goes on doing so. */
  async follow(tx: Transaction, before: string, after: string): Promise<void> {
    if (before !== after) await tx.update(alertSilences).set({ alert: after }).where(eq(alertSilences.alert, before));
  }
}
