import { DejaError, type AdminChange } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { addToAudit } from '../audit/audit-log.ts';
import { inRounds } from '../objects/rounds.ts';
import { inTransaction, LOCK_WAIT, type Database, type Transaction } from '../schema/transaction.ts';
import { isWorthRepeating, onDatabase } from './database-trouble.ts';
import type { Done } from './done.ts';
import { IdempotentAnswers, type Slot } from './idempotent-answers.ts';
import { Turns } from './turns.ts';

/** Fewer than half of the pool's connections: a change may use a second one, and who asks what a key is finds one too. */
const AT_ONCE = 3;
const ATTEMPTS = 3;
const SWEEP_MS = 60 * 60_000;

export interface ChangesOptions {
  db: Database;
  /** Of the cluster. */
  salt: Buffer;
  logger: Pick<Logger, 'warn'>;
}

/** The one way in which the admin API changes something: the work, its row of the audit log and its answer under an idempotency key are one transaction. */
export class Changes {
  readonly #options: ChangesOptions;
  readonly #answers: IdempotentAnswers;
  readonly #turns = new Turns(AT_ONCE);
  #sweep: { stop(): Promise<void> } | null = null;

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#answers = new IdempotentAnswers(options.db, options.salt);
  }

  /** Forgets old answers now and once an hour. */
  start(): void {
    this.#sweep = inRounds(SWEEP_MS, () => this.#answers.forgetOld(), (error) => this.#options.logger.warn({ err: error }, 'old answers under idempotency keys could not be forgotten; the next round tries again'));
  }

  async stop(): Promise<void> {
    await this.#sweep?.stop();
  }

  /**
   * Does the work, or gives the answer that was given before under the same idempotency key. `work` uses its transaction for all that it
   * writes, and may be called again when Postgres has undone it. Throws what `work` throws, `conflict` for an idempotency key that stands
   * for another request, and `overloaded` when Postgres is away; then nothing is changed, though a connection that broke in the very moment of
   * the commit leaves that open, which is what the idempotency key is for.
   */
  async run<Body>(change: AdminChange, work: (tx: Transaction) => Promise<Done<Body>>): Promise<Done<Body> & { replayed: boolean }> {
    const slot = change.idempotency === null ? null : await this.#answers.slotOf(change.by.id, change.idempotency);
    const done = await this.#turns.take(() => onDatabase(() => this.#transaction(change, slot, work)));
    if (done.replayed || done.afterwards === undefined) return done;
    await done.afterwards().catch((error: unknown) => this.#options.logger.warn({ err: error, action: done.audit?.action }, 'a change of the admin API stands, but could not be told everywhere yet'));
    return done;
  }

  async #transaction<Body>(change: AdminChange, slot: Slot | null, work: (tx: Transaction) => Promise<Done<Body>>): Promise<Done<Body> & { replayed: boolean }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(this.#options.db, (tx) => this.#onceIn(tx, change, slot, work));
      } catch (error) {
        if (attempt === ATTEMPTS || !isWorthRepeating(error)) throw error;
      }
    }
  }

  async #onceIn<Body>(tx: Transaction, change: AdminChange, slot: Slot | null, work: (tx: Transaction) => Promise<Done<Body>>): Promise<Done<Body> & { replayed: boolean }> {
    await tx.execute(LOCK_WAIT);
    const before = slot === null ? null : await this.#answers.take(tx, slot);
    // What was kept under this key and fingerprint was made by the same operation.
    if (before !== null) return { ...(before as Pick<Done<Body>, 'body' | 'etag' | 'secret'>), audit: null, replayed: true };
    const done = await work(tx);
    if (done.audit !== null) await addToAudit(tx, change.by, [done.audit]);
    if (slot !== null) await this.#answers.keep(tx, slot, done);
    return { ...done, replayed: false };
  }
}

export const etagOf = (revision: number): string => `"${revision}"`;

/** Throws `precondition_failed` where the caller has seen another revision. The row is to be locked before: what is read later is never older. */
export function checkMatch({ ifMatch }: Pick<AdminChange, 'ifMatch'>, revision: number): void {
  if (ifMatch !== null && ifMatch !== etagOf(revision)) {
    throw new DejaError('precondition_failed', 'It was changed since: read it again, and send the new etag in If-Match.');
  }
}
