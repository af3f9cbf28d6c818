import type { AlertSettings } from './alerts.ts';
import type { CapturedExchange } from './capture.ts';
import type { FailureKind } from './failures.ts';
import type { Limits, Principal, Trouble } from './snapshot.ts';

/** Names of the services on the bus: one Redis stream and one consumer group each. */
export type ServiceName = 'router' | 'semantic-cache' | 'usage-worker';

/** Requests the router answers. */
export interface RouterRpc {
  /** Who is this key? Asked once per key and gateway, then cached and invalidated by push. `publicId`: the middle part of a key that was made here; null where it has none. */
  resolve_key: {
    request: { keySha256: string; publicId: string | null };
    reply: { status: 'active' | 'unknown' | 'disabled' | 'expired' | 'tenant_disabled'; principal: Principal | null };
  };
  /** Who is this admin token? Asked for each request: what was revoked is so at once. */
  resolve_admin_token: {
    request: { tokenSha256: string; publicId: string };
    reply: { actor: Omit<AdminActor, 'from' | 'requestId'> | null };
  };
  /** A call of the admin API on what the router has. Errors: those that the caller is to be told. */
  admin: { request: AdminCall; reply: AdminAnswer };
  /** Values of credentials, each sealed (compact JWE, ECDH-ES + A256GCM) to the asking gateway's ephemeral public key. At most MOST_LEASES at once. */
  credential: {
    request: { credentials: { id: string; version: string }[]; publicKey: JsonWebKeyPublic };
    reply: { leases: { id: string; version: string; jwe: string }[] };
  };
  /**
   * A gateway is about to make a change of its own: it stands in the audit log before it is made. `outcome` is what the gateway wants to hear
   * when the change is repeated under the same idempotency key, and comes back either way. Errors: as of `admin`.
   */
  audit: { request: AuditedChange; reply: { outcome: unknown; replayed: boolean } };
  /**
   * The data key (32 bytes) that a tenant's captured bodies are sealed with, itself sealed (compact JWE, ECDH-ES + A256GCM) to the asker's
   * ephemeral public key. `id` null: the current one, made where there is none. Errors: `not_found` for a tenant or key that is gone: what it sealed is lost.
   */
  data_key: { request: { tenant: string; id: string | null; publicKey: JsonWebKeyPublic }; reply: { id: string; jwe: string } };
  /** Which of these data keys there are no more: what they sealed is lost. At most MOST_DATA_KEYS. */
  data_keys_gone: { request: { ids: string[] }; reply: { gone: string[] } };
  /** What alerts are decided and sent by. `known`: the version that the asker has; `settings` is null where that is still the one. */
  alert_settings: { request: { known: string | null; publicKey: JsonWebKeyPublic }; reply: { settings: AlertSettings | null } };
  /** The cluster's own key: what is to be kept is sealed to it (as leases are), so that no secret passes Redis in clear. */
  vault_key: { request: Record<string, never>; reply: { publicKey: JsonWebKeyPublic } };
  /** Errors: `invalid_value` for a value, name, provider or address that will not do, `conflict` for a name that is taken. `replayed`, here and below: it was done before, under the same idempotency key. */
  create_credential: { request: { credential: NewCredential; change: AdminChange }; reply: { credential: CredentialView; replayed?: boolean } };
  list_credentials: { request: Record<string, never>; reply: { credentials: CredentialView[] } };
  /** Errors, as of the next two: `not_found`; `invalid_value` for a credential that stands in deja.yaml. */
  update_credential: { request: { id: string; weight?: number; limits?: Limits; disabled?: boolean; change: AdminChange }; reply: { credential: CredentialView } };
  rotate_credential: { request: { id: string; sealedValue: string; graceS: number; change: AdminChange }; reply: { credential: CredentialView; replayed?: boolean } };
  delete_credential: { request: { id: string; change: AdminChange }; reply: { deleted: true } };
  /** Moves some of what is not under the current master key; to be called until nothing remains. */
  rewrap_vault: { request: { change: AdminChange }; reply: RewrapReport };
  list_deployments: { request: Record<string, never>; reply: { deployments: DeploymentView[] } };
  /** Takes a deployment out of rotation, or back in. Errors: `not_found`. */
  drain_deployment: { request: { id: string; drained: boolean; change: AdminChange }; reply: { deployment: DeploymentView; replayed?: boolean } };
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

/** Who calls the admin API. */
export interface AdminActor {
  /** `root`, or the id of an admin token. */
  id: string;
  name: string;
  role: 'viewer' | 'operator' | 'owner';
  /** The one tenant it may see; null: all, and what is nobody's. */
  tenant: string | null;
  /** Address of the caller. */
  from: string | null;
  requestId: string;
  /** When its token ends (Unix ms); null or absent: never. */
  expiresAtMs?: number | null;
}

/** What goes with every change: who makes it, on which condition, and under which name it may be repeated. */
export interface AdminChange {
  by: AdminActor;
  /** Etag that the resource must still have; null: any. */
  ifMatch: string | null;
  /** `fingerprint`: hash of method, path and body: the same key for another request is a `conflict`. */
  idempotency: { key: string; fingerprint: string } | null;
}

/** One call of the admin API (libs/admin-api), checked by its schemas. */
export interface AdminCall extends AdminChange {
  /** Id of the operation. */
  operation: string;
  params: Record<string, string>;
  query: unknown;
  /** Of an operation that `sealsBody`: `{sealed}`, its JSON sealed to the key of `vault_key`. */
  body: unknown;
  /** A secret in the answer is sealed to it (compact JWE, ECDH-ES + A256GCM); null for operations without one. */
  sealTo: JsonWebKeyPublic | null;
}

/** A change that a gateway makes by itself, as the audit log is to have it. */
export interface AuditedChange {
  change: AdminChange;
  /** Id of an operation that a gateway does. */
  action: string;
  resource: string;
  resourceId: string | null;
  tenant: string | null;
  after: Record<string, unknown> | null;
  outcome: unknown;
}

export interface AdminAnswer {
  body: unknown;
  /** Of the resource in the body; null where there is none. */
  etag: string | null;
  /** The operation's `secret` member, to be put into the body. */
  sealedSecret: string | null;
  /** Next lines of a stream come with this cursor; null at the end, and for what is no stream. */
  next: string | null;
  /** It was done before, under the same idempotency key. */
  replayed: boolean;
}

/** Requests the usage-worker answers. */
export interface UsageRpc {
  /** A call of the admin API on the ledger. A stream's `body` is an array of lines. `changeId` (UUIDv7): of what changes something; the same for a repetition, and null for all else. */
  admin: { request: AdminCall & { after: string | null; changeId: string | null }; reply: AdminAnswer };
  /** What is captured of an operation (of this tenant only, unless null); null where nothing is. */
  captured: { request: { operation: string; tenant: string | null }; reply: { captured: CapturedExchange | null } };
  /** What the ledger says was spent, integer nano-USD as text, in the order asked. At most MOST_ACCOUNTS. */
  spent: { request: { accounts: BudgetAccount[] }; reply: { spentNanoUsd: string[] } };
  /** What caching did for a tenant (null: for all) in a span of time (Unix ms, `toMs` exclusive). */
  cache_savings: { request: { tenant: string | null; fromMs: number; toMs: number }; reply: CacheSavings };
}

/** Of operations that a cache could have answered; those that went past the cache are in `reasons` only. */
export interface CacheSavings {
  /** Hits and misses. */
  requests: number;
  hitsExact: number;
  hitsSemantic: number;
  /** Integer nano-USD as text; of answers whose price is known. */
  savedNanoUsd: string;
  savedMs: number;
  /** Why requests were not answered from the cache, most frequent first. */
  reasons: { cache: 'MISS' | 'BYPASS'; reason: string | null; requests: number }[];
}

export const MOST_ACCOUNTS = 256;

/** One budget in one period: whose spending counts, and when. A member that is null counts all. */
export interface BudgetAccount {
  /** Redis key of its counters. */
  key: string;
  tenant: string | null;
  clientKey: string | null;
  user: string | null;
  /** As clients ask for it, without a preference: `auto`, not `auto:speed`. */
  model: string | null;
  /** Unix ms; operations received from here on count. 0: from the beginning. */
  fromMs: number;
  /** Unix ms, exclusive; null: without end. */
  toMs: number | null;
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
export const MOST_DATA_KEYS = 256;

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
  /** Grows with every change; null for one of the file. Its etag is `"<revision>"`. */
  revision: number | null;
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
