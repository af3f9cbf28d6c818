import type { Candidate } from '@deja/contracts';
import type { CallAdmission } from '../attempt/call-admission.ts';
import type { CallResult } from '../attempt/call-result.ts';
import type { Operation } from '../operation/operation.ts';
import type { CredentialQuotas } from './credential-quotas.ts';
import { OperationQuotas } from './operation-quotas.ts';

/** Keeps the quotas of calls. Those of an operation that reserved nothing for its candidates, as a moderation's, are each asked for by themselves. */
export class QuotaAdmission implements CallAdmission {
  constructor(private readonly quotas: CredentialQuotas) {}

  /** What the operation's reserve round trip is to ask, and its settlement to write. */
  prepare(operation: Operation, candidates: readonly Candidate[], tokens: number): OperationQuotas {
    return (operation.quotas ??= new OperationQuotas(this.quotas, tokens)).prepare(candidates, tokens);
  }

  admitted(candidate: Candidate, operation: Operation): Promise<boolean> | boolean {
    if (candidate.credential === null) return true;
    operation.quotas ??= new OperationQuotas(this.quotas, operation.estimatedPromptTokens);
    return operation.quotas.admitted(candidate);
  }

  ended(candidate: Candidate, operation: Operation, result: CallResult): void {
    operation.quotas?.ended(candidate, result);
  }

  waitMs(operation: Operation): number | null {
    return operation.quotas?.waitMs ?? null;
  }
}
