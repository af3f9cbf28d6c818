import type { Principal } from './snapshot.ts';

/** Names of the services on the bus: one Redis stream and one consumer group each. */
export type ServiceName = 'router' | 'semantic-cache';

/** Requests the router answers. */
export interface RouterRpc {
  /** Who is this key? Asked once per key and gateway, then cached and invalidated by push. */
  resolve_key: {
    request: { keySha256: string };
    reply: { status: 'active' | 'unknown' | 'disabled' | 'expired'; principal: Principal | null };
  };
  /** Values of credentials, each sealed (compact JWE, ECDH-ES + A256GCM) to the asking gateway's ephemeral public key. */
  credential: {
    request: { credentials: { id: string; version: string }[]; publicKey: JsonWebKeyPublic };
    reply: { leases: { id: string; version: string; jwe: string }[] };
  };
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

/** What a gateway learned from one attempt. */
export interface AttemptOutcome {
  atMs: number;
  deployment: string;
  credential: string | null;
  status: number | null;
  /** null when it went well, else an error code. */
  errorCode: string | null;
  retryAfterMs: number | null;
  firstByteMs: number | null;
  durationMs: number;
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
