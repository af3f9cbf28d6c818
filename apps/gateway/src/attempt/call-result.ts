import type { FailureKind } from '@deja/contracts';
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
