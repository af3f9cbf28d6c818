import { setTimeout as delay } from 'node:timers/promises';
import { DejaError, type Candidate, type CredentialRef } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';
import type { CallAdmission } from './call-admission.ts';
import type { CandidateWalk, Skipped } from './candidate-walk.ts';
import type { CredentialLeases } from './credential-leases.ts';
import { AttemptFailure } from './failure.ts';

/** Time and chance, for tests to hold. */
export interface Chances {
  /** Unix ms. */
  nowMs(): number;
  /** In [0, 1). */
  random(): number;
  /** Rejects when the signal fires. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** In less nobody answers, and a call that was ended by the deadline may have been ended so much early: timers count whole milliseconds. */
const LEAST_MS = 5;

export const CHANCES: Chances = {
  nowMs: Date.now,
  random: Math.random,
  wait: (ms, signal) => delay(ms, undefined, { signal }),
};

/** A candidate that may be called now, its credential as it is by now. Its call is to be begun, and ended, because its quota counts it already. */
export interface ReadyCall<T> {
  candidate: Candidate;
  /** Value of the credential; null where the provider needs none. */
  credential: string | null;
  prepared: T;
}

/** Whom an operation asks next, with what the call needs: the one way of trying, for every kind of call. */
export class NextCalls {
  constructor(
    private readonly leases: CredentialLeases,
    private readonly admission: CallAdmission | undefined,
    readonly chances: Chances = CHANCES,
  ) {}

  /**
   * Waits where a repeat has to, and passes by whoever cannot be asked. Null when there is nobody, or no time for the wait.
   * Rejects with `upstream_timeout` when the operation's time (`totalMs`) is over, with what `prepare` throws when that is a
   * DejaError, and with an AttemptFailure when the client left.
   */
  async next<T>(operation: Operation, walk: CandidateWalk, totalMs: number, prepare: (candidate: Candidate) => T): Promise<ReadyCall<T> | null> {
    for (;;) {
      if (operation.signal.aborted) throw new AttemptFailure('cancelled');
      const next = walk.next({ nowMs: this.chances.nowMs(), random: this.chances.random() });
      if (next === null) return null;
      const leftMs = totalMs - operation.elapsedMs;
      if (leftMs < LEAST_MS) throw new DejaError('upstream_timeout', 'No provider has answered in the time that there is for a request.');
      if (next.waitMs >= leftMs) return null;
      if (next.waitMs > 0) await this.wait(next.waitMs, operation.signal);
      const ready = await this.take(operation, walk, next.candidate, prepare);
      if (ready !== null) return ready;
    }
  }

  /** Why nobody has answered, with how soon a quota has room again. */
  end(operation: Operation, walk: CandidateWalk): DejaError | AttemptFailure {
    return walk.end(this.admission?.waitMs(operation) ?? null);
  }

  /** The same for this candidate; null when it is passed by. */
  async take<T>(operation: Operation, walk: CandidateWalk, candidate: Candidate, prepare: (candidate: Candidate) => T): Promise<ReadyCall<T> | null> {
    let ready: ReadyCall<T> | Skipped;
    try {
      ready = await this.ready(operation, candidate, prepare);
    } catch (error) {
      if (!(error instanceof AttemptFailure) || operation.signal.aborted) throw error;
      walk.begins(candidate, this.chances.nowMs()); // what cannot be put in its words counts as asked
      walk.failed(candidate, error);
      return null;
    }
    if (typeof ready === 'string') {
      walk.skipped(candidate, ready);
      return null;
    }
    walk.begins(candidate, this.chances.nowMs());
    return ready;
  }

  /** The same for a candidate of no plan's order. The quota is asked last, because from then on it counts the call. */
  async ready<T>(operation: Operation, planned: Candidate, prepare: (candidate: Candidate) => T): Promise<ReadyCall<T> | Skipped> {
    const prepared = prepare(planned);
    const leased = planned.credential === null ? null : await this.leased(planned.credential);
    if (planned.credential !== null && leased === null) return 'lease';
    if (operation.signal.aborted) throw new AttemptFailure('cancelled');
    const candidate = leased === null || leased.ref === planned.credential ? planned : { ...planned, credential: leased.ref };
    const admitted = this.admission?.admitted(candidate, operation) ?? true;
    return (typeof admitted === 'boolean' ? admitted : await admitted) ? { candidate, credential: leased?.value ?? null, prepared } : 'quota';
  }

  /** The value of a credential, or the one that has taken its place since the plan was made: a rotation without grace fails nobody. */
  private async leased(planned: CredentialRef): Promise<{ ref: CredentialRef; value: string } | null> {
    const ref = this.leases.current(planned);
    const value = ref === null ? null : await this.leases.value(ref);
    if (ref !== null && value !== null) return { ref, value };
    // It may have been replaced while it was asked for.
    const next = this.leases.current(planned);
    return next === null || next === ref ? null : this.leased(next);
  }

  private async wait(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.chances.wait(ms, signal);
    } catch (cause) {
      throw new AttemptFailure('cancelled', { cause });
    }
  }
}
