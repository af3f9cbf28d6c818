/** Why one upstream call did not give an answer. A closed list: it decides who is tried next, what the pool learns, and what the client is told. */
export const FAILURE_KINDS = [
  'caller', // the provider refuses this request itself: nobody else would take it
  'context_window', // the prompt is too long for this model
  'content_policy', // the provider's own filter refuses the prompt
  'auth', // the credential is not accepted, or forbidden what it was used for
  'quota', // the account behind the credential has run out of money
  'rate', // the credential is rate-limited
  'model', // the provider does not know the model
  'overloaded', // 5xx
  'timeout',
  'network',
  'malformed', // an answer that is none
  'blocked', // an own rule keeps the answer from the client
  'cancelled', // the client left, or another attempt was faster
] as const;

export type FailureKind = (typeof FAILURE_KINDS)[number];
