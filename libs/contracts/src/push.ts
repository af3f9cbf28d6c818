import type { RoutingSnapshot } from './snapshot.ts';

/** What the router tells every gateway at once (Redis publish on `PUSH_CHANNEL`). */
export type Push =
  | { kind: 'snapshot'; snapshot: RoutingSnapshot }
  /** A client key was changed or revoked: forget what you know of it. */
  | { kind: 'key_changed'; keySha256: string[] }
  /** Credential values that must not be used any more. */
  | { kind: 'credential_revoked'; ids: string[] };
