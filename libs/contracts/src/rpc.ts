import type { FailureKind } from './failures.ts';
import type { Limits, Principal, Trouble } from './snapshot.ts';

/** Names of the services on the bus: one Redis stream and one consumer group each. */
export type ServiceName = 'router' | 'semantic-cache';

/** Requests the router answers. */
export interface RouterRpc {
  /** Who is this key? Asked once per key and gateway, then cached and invalidated by push. */
  resolve_key: {
    request: { keySha256: string };
    reply: { status: 'active' | 'unknown' | 'disabled' | 'expired'; principal: Principal | null };
  };
  /** Values of credentials, each sealed (compact JWE, ECDH-ES + A256GCM) to the asking gateway's ephemeral public key. At most MOST_LEASES at once. */
  credential: {
    request: { credentials: { id: string; version: string }[]; publicKey: JsonWebKeyPublic };
    reply: { leases: { id: string; version: string; jwe: string }[] };
  };
  /** The cluster's own key: what is to be kept is sealed to it (as leases are), so that no secret passes Redis in clear. */
  vault_key: { request: Record<string, never>; reply: { publicKey: JsonWebKeyPublic } };
  /** Errors: `invalid_value` for a value, name, provider or address that will not do, or a name that is taken. */
  create_credential: { request: { credential: NewCredential }; reply: { credential: CredentialView } };
  list_credentials: { request: Record<string, never>; reply: { credentials: CredentialView[] } };
  /** Errors, as of the next two: `not_found`; `invalid_value` for a credential that stands in deja.yaml. */
  update_credential: { request: { id: string; weight?: number; limits?: Limits; disabled?: boolean }; reply: { credential: CredentialView } };
  rotate_credential: { request: { id: string; sealedValue: string; graceS: number }; reply: { credential: CredentialView } };
  delete_credential: { request: { id: string }; reply: { deleted: true } };
  /** Moves some of what is not under the current master key; to be called until nothing remains. */
  rewrap_vault: { request: Record<string, never>; reply: RewrapReport };
  list_deployments: { request: Record<string, never>; reply: { deployments: DeploymentView[] } };
  /** Takes a deployment out of rotation, or back in. Errors: `not_found`. */
  drain_deployment: { request: { id: string; drained: boolean }; reply: { deployment: DeploymentView } };
  /** Which of these objects are this tenant's, and where they are. What is another's is left out like what nobody has. At most MOST_OBJECT_IDS ids. */
  find_objects: {
    request: { tenant: string; ids: string[] };
    reply: { objects: StoredObject[] };
  };
  /** Every account that holds objects of this kind for the tenant. */
  object_accounts: {
    request: { tenant: string; kind: StoredObjectKind };
    reply: { accounts: ObjectAccount[] };
  };
}

/** Events the router takes (at least once, order not promised). */
export interface RouterEvents {
  attempt_outcomes: { gateway: string; outcomes: AttemptOutcome[] };
  /** A provider made an object for a tenant. */
  object_stored: StoredObject;
  /** A provider has deleted it. */
  object_deleted: { tenant: string; id: string };
}

export type StoredObjectKind = 'file' | 'batch' | 'response';

/** Where an object is: the deployment it was made through and the credential whose account holds it; null where the provider needs none. */
export interface ObjectAccount {
  provider: string;
  deployment: string;
  credential: string | null;
}

/** Something a provider keeps for a tenant under an id of the provider's making. */
export interface StoredObject extends ObjectAccount {
  tenant: string;
  kind: StoredObjectKind;
  id: string;
  createdAtMs: number;
}

/** What an id of a stored object looks like. Anything else names nothing. */
export const OBJECT_ID = /^[\x21-\x7e]{1,256}$/;
export const MOST_OBJECT_IDS = 256;
export const MOST_LEASES = 256;

/** What a gateway learned from one attempt. */
export interface AttemptOutcome {
  atMs: number;
  deployment: string;
  credential: string | null;
  /** Of the credential's value; null where there is no credential. */
  version: string | null;
  status: number | null;
  /** null when it went well. */
  failure: FailureKind | null;
  retryAfterMs: number | null;
  firstByteMs: number | null;
  durationMs: number;
}

/** A credential that comes by the admin API. */
export interface NewCredential {
  provider: string;
  name: string;
  /** Compact JWE, to the key of `vault_key`. */
  sealedValue: string;
  /** null: everyone's. */
  tenant: string | null;
  baseUrl: string | null;
  weight: number;
  limits: Limits;
}

/** What may be said of a credential. Never its value. */
export interface CredentialView {
  /** Of the resource; in the ledger and in routing it is `provider/name`. */
  id: string;
  provider: string;
  name: string;
  tenant: string | null;
  baseUrl: string | null;
  weight: number;
  limits: Limits;
  disabled: boolean;
  /** Where it is kept: one of the file is changed there. */
  source: 'file' | 'api';
  /** The last four characters; empty where they would be too much of it. */
  lastFour: string;
  /** The former value's end (Unix ms), while a rotation's grace runs. */
  graceUntilMs: number | null;
  trouble: Trouble | null;
  unavailableUntilMs: number;
  createdAtMs: number | null;
  updatedAtMs: number | null;
}

export interface RewrapReport {
  /** Id of the current master key. */
  currentKey: string;
  /** Moved by this call. */
  rewrapped: number;
  /** Left to be moved; those that cannot be are not counted here. */
  remaining: number;
  failed: { id: string; reason: string }[];
}

export interface DeploymentView {
  /** `provider/model` */
  id: string;
  provider: string;
  kind: string;
  upstreamModel: string;
  /** Public models it serves. */
  models: string[];
  drained: boolean;
  trouble: Trouble | null;
  unavailableUntilMs: number;
  firstByteMs: number | null;
  /** Calls and failures within the breaker's window. */
  calls: number;
  failures: number;
  credentials: { id: string; trouble: Trouble | null; unavailableUntilMs: number }[];
}

export interface JsonWebKeyPublic {
  kty: string;
  crv: string;
  x: string;
  y?: string;
}

/** Where a look-up may find something: entries of another partition are never seen. */
export interface SemanticPartition {
  tenant: string;
  /** `tenant`, `key:<id>`, `user:<id>` or `global`: who may share this answer. */
  scope: string;
  /** Hash of all of the request but its last user text. */
  fingerprint: string;
}

export interface SemanticCacheRpc {
  lookup: {
    request: SemanticPartition & { text: string };
    reply:
      | { outcome: 'hit'; entry: string; similarity: number; explanation: string }
      | { outcome: 'miss'; reason: string };
  };
}

/** Events the semantic-cache takes. The answer itself is already in Redis under `cacheEntryKey(tenant, entry)`. */
export interface SemanticCacheEvents {
  store: SemanticPartition & { text: string; entry: string; expiresAtMs: number };
}
