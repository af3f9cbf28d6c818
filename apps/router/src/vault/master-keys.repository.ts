import { and, count, eq, gt, ne, sql } from 'drizzle-orm';
import { credentials, credentialValues, intakeKey, masterKeys } from '../schema/tables.ts';
import { inTransaction, type Database } from '../schema/transaction.ts';
import type { SealedValue } from './sealed-value.ts';
import { changed } from './stored-credentials.repository.ts';
import type { WrappedKey } from './wrapped-key.ts';

/** A row that holds a wrapped data key: a credential's value, or the intake key. */
export interface WrappedRow extends WrappedKey {
  row: { credential: string; version: string } | 'intake_key';
  /** `provider/name`, or `intake_key`. */
  name: string;
}

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
    const rows = await this.db.selectDistinct({ keyId: credentialValues.keyId }).from(credentialValues);
    const intake = await this.db.select({ keyId: intakeKey.keyId }).from(intakeKey);
    return [...new Set([...rows, ...intake].map(({ keyId }) => keyId))].toSorted();
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
    const intake = after === null ? await this.db.select().from(intakeKey).where(ne(intakeKey.keyId, keyId)) : [];
    const last = after === null || after.row === 'intake_key' ? null : after.row;
    const isNext = last === null ? undefined : gt(sql`(${credentialValues.credential}, ${credentialValues.version})`, sql`(${last.credential}::uuid, ${last.version})`);
    const rows = await this.db.select({ value: credentialValues, provider: credentials.provider, name: credentials.name })
      .from(credentialValues).innerJoin(credentials, eq(credentials.id, credentialValues.credential))
      .where(and(ne(credentialValues.keyId, keyId), isNext)).orderBy(credentialValues.credential, credentialValues.version).limit(limit - intake.length);
    return [
      ...intake.map((row): WrappedRow => ({ row: 'intake_key', name: 'intake_key', keyId: row.keyId, wrapped: row.wrappedKey })),
      ...rows.map(({ value, provider, name }): WrappedRow => ({ row: { credential: value.credential, version: value.version }, name: `${provider}/${name}`, keyId: value.keyId, wrapped: value.wrappedKey })),
    ];
  }

  async countNotUnder(keyId: string): Promise<number> {
    const [values] = await this.db.select({ rows: count() }).from(credentialValues).where(ne(credentialValues.keyId, keyId));
    const [intake] = await this.db.select({ rows: count() }).from(intakeKey).where(ne(intakeKey.keyId, keyId));
    return (values?.rows ?? 0) + (intake?.rows ?? 0);
  }

  /** Puts the data key's new wrapping in the place of the one that was read. False when that is not there any more: the value was replaced, or someone else was faster. */
  replaceWrapping({ row, keyId, wrapped }: WrappedRow, next: WrappedKey): Promise<boolean> {
    const set = { keyId: next.keyId, wrappedKey: next.wrapped };
    return inTransaction(this.db, async (tx) => {
      const rows = row === 'intake_key'
        ? await tx.update(intakeKey).set(set).where(and(eq(intakeKey.keyId, keyId), eq(intakeKey.wrappedKey, wrapped))).returning({ keyId: intakeKey.keyId })
        : await tx.update(credentialValues).set(set)
          .where(and(eq(credentialValues.credential, row.credential), eq(credentialValues.version, row.version), eq(credentialValues.keyId, keyId), eq(credentialValues.wrappedKey, wrapped)))
          .returning({ keyId: credentialValues.keyId });
      if (rows.length > 0) await changed(tx);
      return rows.length > 0;
    });
  }
}
