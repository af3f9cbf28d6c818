import type { Candidate, FailureKind } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';
import type { ReplyHeaders } from './failure.ts';

/** What came of a call that was admitted. */
export interface CallResult {
  /** null when it went well. */
  failure: FailureKind | null;
  /** Those of the provider's answer, successful or not; null when none came. */
  headers: ReplyHeaders | null;
  /** When they came, Unix ms; null where none did, or a refusal brought them just now. */
  headersAtMs: number | null;
  retryAfterMs: number | null;
  /** Prompt and completion; null when nothing was used, or nobody knows. */
  usedTokens: number | null;
}

/** Keeps count of the quotas of credentials. */
export interface CallAdmission {
  /** Asked before every call; false: its quota is used up, and somebody else is asked. Never rejects. */
  admitted(candidate: Candidate, operation: Operation): Promise<boolean> | boolean;
  /** Told once of every call that was admitted, on every exit. */
  ended(candidate: Candidate, operation: Operation, result: CallResult): void;
  /** How soon any of those that were not admitted may be, ms; -1: never, with this request; null: not known. */
  waitMs(operation: Operation): number | null;
}
