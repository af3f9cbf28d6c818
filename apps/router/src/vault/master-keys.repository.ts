import { eq, sql, type SQL } from 'drizzle-orm';
import { intakeKey, masterKeys } from '../schema/tables.ts';
import { inTransaction, type Database } from '../schema/transaction.ts';
import type { SealedValue } from './sealed-value.ts';
import { changed } from './stored-credentials.repository.ts';
import type { WrappedKey } from './wrapped-key.ts';
import { WRAPPED_TABLES, type WrappedRow, type WrappedTable } from './wrapped-rows.ts';

/** What is wrapped by which master key, in Postgres. */
export class MasterKeysRepository {
  constructor(private readonly db: Database) {}

  /** A known text that was wrapped by this key when it was first used; null for a key that never was. */
  async checkValue(keyId: string): Promise<Buffer | null> {
    const [row] = await this.db.select({ checkValue: masterKeys.checkValue }).from(masterKeys).where(eq(masterKeys.keyId, keyId));
    return row?.checkValue ?? null;
  }

  /** Does nothing when the key is known: what it was first used as stays. */
  async register(keyId: string, checkValue: Buffer): Promise<void> {
    await this.db.insert(masterKeys).values({ keyId, checkValue }).onConflictDoNothing();
  }

  /** Ids of the keys that something is wrapped by. */
  async inUse(): Promise<string[]> {
    const ids = sql.join(WRAPPED_TABLES.map(({ name }) => sql`select key_id as id from ${tableOf(name)}`), sql` union `);
    const { rows } = await this.db.execute<{ id: string }>(sql`${ids} order by 1`);
    return rows.map(({ id }) => id);
  }

  async intakeKey(): Promise<SealedValue | null> {
    const [row] = await this.db.select().from(intakeKey);
    return row ?? null;
  }

  /** The first one stays. */
  async insertIntakeKey(sealed: SealedValue): Promise<void> {
    await this.db.insert(intakeKey).values(sealed).onConflictDoNothing();
  }

  /** Some of what another key wraps, in a fixed order. @param limit at least 1 @param after the last row of the part before */
  async notUnder(keyId: string, limit: number, after: WrappedRow | null): Promise<WrappedRow[]> {
    const found: WrappedRow[] = [];
    const left = WRAPPED_TABLES.slice(after === null ? 0 : WRAPPED_TABLES.findIndex(({ name }) => name === after.table));
    for (const table of left) {
      if (found.length === limit) break;
      found.push(...(await this.#notUnderIn(table, keyId, limit - found.length, after?.table === table.name ? after.id : null)));
    }
    return found;
  }

  async countNotUnder(keyId: string): Promise<number> {
    const counts = sql.join(WRAPPED_TABLES.map(({ name }) => sql`(select count(*) from ${tableOf(name)} where key_id <> ${keyId})`), sql` + `);
    const { rows } = await this.db.execute<{ rows: string }>(sql`select ${counts} as rows`);
    return Number(rows[0]?.rows ?? 0);
  }

  /** Puts the data key's new wrapping in the place of the one that was read. False when that is not there any more: the value was replaced, or someone else was faster. */
  replaceWrapping({ table: name, id, keyId, wrapped }: WrappedRow, next: WrappedKey): Promise<boolean> {
    return inTransaction(this.db, async (tx) => {
      const table = WRAPPED_TABLES.find((one) => one.name === name);
      if (table === undefined) return false;
      const { rowCount } = await tx.execute(sql`update ${tableOf(name)} w set key_id = ${next.keyId}, wrapped_key = ${next.wrapped} where ${table.isRow(id)} and key_id = ${keyId} and wrapped_key = ${wrapped}`);
      if ((rowCount ?? 0) > 0 && table.isHeld === true) await changed(tx);
      return (rowCount ?? 0) > 0;
    });
  }

  async #notUnderIn({ name, join = sql``, id, called, order, isAfter }: WrappedTable, keyId: string, limit: number, after: string | null): Promise<WrappedRow[]> {
    const { rows } = await this.db.execute<{ id: string; name: string; key_id: string; wrapped_key: Buffer }>(sql`
      select ${id} as id, ${called} as name, w.key_id, w.wrapped_key from ${tableOf(name)} w ${join}
      where w.key_id <> ${keyId} and ${after === null ? sql`true` : isAfter(after)} order by ${order} limit ${limit}`);
    return rows.map((row) => ({ table: name, id: row.id, name: row.name, keyId: row.key_id, wrapped: row.wrapped_key }));
  }
}

const tableOf = (name: WrappedTable['name']): SQL => sql`${sql.identifier('router')}.${sql.identifier(name)}`;
