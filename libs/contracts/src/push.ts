import type { RoutingSnapshot } from './snapshot.ts';

/** What the router tells every gateway at once (Redis publish on `PUSH_CHANNEL`). */
export type Push =
  | { kind: 'snapshot'; snapshot: RoutingSnapshot }
  /** A client key was changed or revoked: forget what you know of it. */
  | { kind: 'key_changed'; keySha256: string[] }
  /** Credential values that must not be used any more. */
  | { kind: 'credential_revoked'; ids: string[] }
  /** A replica of the router lives; every second, from each. Without any, gateways know that they will hear of nothing. */
  | { kind: 'router_alive' }
  /** Credentials or deployments were changed by the admin API: the router's replicas read them again. */
  | { kind: 'vault_changed' }
  /** A tenant, or something of all its keys, was changed: forget what you know of its keys. */
  | { kind: 'tenant_changed'; tenant: string }
  /** Cached answers were taken back: the newest invalidations are under `INVALIDATIONS_KEY`. */
  | { kind: 'cache_invalidated' };
