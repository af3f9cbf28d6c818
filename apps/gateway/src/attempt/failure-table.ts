import type { ErrorCode, FailureKind, Plan } from '@deja/contracts';

/**
 * Who need not be asked again by this operation.
 * - `credential_here`: this credential at this deployment: most providers limit each model by itself
 * - `credential`: this credential, wherever it is used
 * - `request`: nobody; the plan may still name others that are asked instead
 */
export type Hopeless = 'nothing' | 'credential_here' | 'credential' | 'deployment' | 'request';

export interface FailureRow {
  /** What the ledger says of the attempt, and the client is told where nothing says it better. */
  code: ErrorCode;
  hopeless: Hopeless;
  /** Whether the very same may be asked again, after a while. */
  repeat: boolean;
  /** Whose turn it is, if the plan names anybody. */
  instead: keyof Plan['instead'] | null;
  /** What it says about the deployment: that it works, that it does not, or nothing. */
  deployment: 'alive' | 'failing' | null;
}

/** What is to be done about each kind of failure. */
export const FAILURES: Readonly<Record<FailureKind, FailureRow>> = {
  caller: { code: 'invalid_value', hopeless: 'request', repeat: false, instead: null, deployment: 'alive' },
  context_window: { code: 'context_length_exceeded', hopeless: 'request', repeat: false, instead: 'contextWindow', deployment: 'alive' },
  content_policy: { code: 'content_policy_violation', hopeless: 'request', repeat: false, instead: 'contentPolicy', deployment: 'alive' },
  auth: { code: 'upstream_error', hopeless: 'credential', repeat: false, instead: null, deployment: null },
  quota: { code: 'provider_rate_limited', hopeless: 'credential', repeat: false, instead: null, deployment: null },
  rate: { code: 'provider_rate_limited', hopeless: 'credential_here', repeat: false, instead: null, deployment: null },
  model: { code: 'model_not_found', hopeless: 'deployment', repeat: false, instead: null, deployment: 'alive' },
  overloaded: { code: 'upstream_error', hopeless: 'nothing', repeat: true, instead: null, deployment: 'failing' },
  timeout: { code: 'upstream_timeout', hopeless: 'nothing', repeat: true, instead: null, deployment: 'failing' },
  network: { code: 'upstream_error', hopeless: 'nothing', repeat: true, instead: null, deployment: 'failing' },
  malformed: { code: 'upstream_error', hopeless: 'nothing', repeat: true, instead: null, deployment: 'failing' },
  blocked: { code: 'content_policy_violation', hopeless: 'request', repeat: false, instead: null, deployment: 'alive' },
  cancelled: { code: 'upstream_error', hopeless: 'request', repeat: false, instead: null, deployment: null },
};

/** The same for one failure: a 403 may be about this model only, so that the credential is still good for others. */
export const hopelessAfter = ({ kind, status }: { kind: FailureKind; status: number | null }): Hopeless =>
  kind === 'auth' && status === 403 ? 'credential_here' : FAILURES[kind].hopeless;

/** What a refused request is about, by the code that says why (OpenAI, "Error codes"; Azure OpenAI, "Content filtering"). */
export function refusalKind(code: string): 'caller' | 'context_window' | 'content_policy' {
  if (code === 'context_length_exceeded') return 'context_window';
  return code === 'content_filter' || code === 'content_policy_violation' ? 'content_policy' : 'caller';
}
