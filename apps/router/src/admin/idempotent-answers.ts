import { randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { DejaError, type AdminChange } from '@deja/contracts';
import { eq, lt, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { idempotency } from '../schema/tables.ts';
import type { Transaction } from '../schema/transaction.ts';
import { NONCE_BYTES, open, seal } from '../vault/envelope.ts';
import type { Done } from './done.ts';

/** What is answered again. */
export type Answer = Pick<Done<unknown>, 'body' | 'etag' | 'secret'>;

/** The place of one idempotency key of one caller. */
export interface Slot {
  id: Buffer;
  fingerprint: string;
  /** Encrypts the answer; it comes from the idempotency key and is kept nowhere. */
  key: Buffer;
}

const KEPT = sql`interval '24 hours'`;
const ID_BYTES = 32;
const KEY_BYTES = 32;
const derive = promisify<string, Buffer, number, Buffer>(scrypt);

/**
 * Answers by idempotency key, for 24 hours. An answer may hold a secret that is shown once: whoever repeats the request has the idempotency
 * key and gets it again, and nobody else can, for the answer is encrypted with a key made of it. People choose such keys, so they are
 * stretched (scrypt, RFC 7914): who reads the table cannot try the likely ones quickly.
 */
export class IdempotentAnswers {
  /** @param salt of the cluster */
  constructor(
    private readonly db: NodePgDatabase,
    private readonly salt: Buffer,
  ) {}

  async slotOf(actor: string, { key, fingerprint }: NonNullable<AdminChange['idempotency']>): Promise<Slot> {
    const derived = await derive(key, Buffer.concat([this.salt, Buffer.from(JSON.stringify(['deja idempotency', actor]))]), ID_BYTES + KEY_BYTES);
    return { id: derived.subarray(0, ID_BYTES), fingerprint, key: derived.subarray(ID_BYTES) };
  }

  /**
   * Takes the slot for this transaction: null, and whoever comes with the same key waits for its end. Or the answer that was given before.
   * Throws `conflict` when the key stands for another request.
   */
  async take(tx: Transaction, slot: Slot): Promise<Answer | null> {
    const [taken] = await tx.insert(idempotency).values({ id: slot.id, fingerprint: slot.fingerprint }).onConflictDoUpdate({
      target: idempotency.id,
      set: { fingerprint: slot.fingerprint, answer: null, createdAt: sql`now()` },
      setWhere: lt(idempotency.createdAt, sql`now() - ${KEPT}`),
    }).returning({ id: idempotency.id });
    if (taken !== undefined) return null;
    const [before] = await tx.select().from(idempotency).where(eq(idempotency.id, slot.id));
    if (before !== undefined && before.fingerprint !== slot.fingerprint) throw new DejaError('conflict', 'This idempotency key was used for another request: give this one a key of its own.');
    const answer = before?.answer == null ? null : opened(before.answer, slot);
    if (answer === null) throw new Error('an answer that was kept under an idempotency key does not open any more');
    return answer;
  }

  /** In the transaction that took the slot. */
  async keep(tx: Transaction, slot: Slot, { body, etag, secret }: Answer): Promise<void> {
    const text = Buffer.from(JSON.stringify({ body, etag, ...(secret !== undefined && { secret }) }));
    const { nonce, ciphertext } = seal(text, slot.key, randomBytes(NONCE_BYTES), additionalDataOf(slot));
    text.fill(0);
    await tx.update(idempotency).set({ answer: Buffer.concat([nonce, ciphertext]) }).where(eq(idempotency.id, slot.id));
  }

  /** Deletes what is older than a day. */
  async forgetOld(): Promise<void> {
    await this.db.delete(idempotency).where(lt(idempotency.createdAt, sql`now() - ${KEPT}`));
  }
}

const additionalDataOf = ({ id, fingerprint }: Slot): string => JSON.stringify(['deja idempotent answer', id.toString('hex'), fingerprint]);

function opened(kept: Buffer, slot: Slot): Answer | null {
  const text = open({ nonce: kept.subarray(0, NONCE_BYTES), ciphertext: kept.subarray(NONCE_BYTES) }, slot.key, additionalDataOf(slot));
  if (text === null) return null;
  const answer: Answer = JSON.parse(text.toString());
  text.fill(0);
  return answer;
}
