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
}

/** Events the router takes (at least once, order not promised). */
export interface RouterEvents {
  attempt_outcomes: { gateway: string; outcomes: AttemptOutcome[] };
}

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
