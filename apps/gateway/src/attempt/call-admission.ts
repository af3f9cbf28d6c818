import type { Candidate } from '@deja/contracts';
import type { Operation } from '../operation/operation.ts';
import type { CallResult } from './call-result.ts';

/** Keeps count of the quotas of credentials. */
export interface CallAdmission {
  /** Asked before every call; false: its quota is used up, and somebody else is asked. Never rejects. */
  admitted(candidate: Candidate, operation: Operation): Promise<boolean> | boolean;
  /** Told once of every call that was admitted, on every exit. */
  ended(candidate: Candidate, operation: Operation, result: CallResult): void;
  /** How soon any of those that were not admitted may be, ms; -1: never, with this request; null: not known. */
  waitMs(operation: Operation): number | null;
}
