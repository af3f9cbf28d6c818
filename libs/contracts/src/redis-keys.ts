/** Every Redis key that more than one part of deja touches. Keys that one script touches together share a hash tag. */
export const PUSH_CHANNEL = 'deja:push';
/** The last routing snapshot, JSON. Read by a gateway at start, then pushed. */
export const SNAPSHOT_KEY = 'deja:routing:snapshot';

export const USAGE_QUEUE = 'usage';
/** BullMQ's key prefix; the braces keep a queue's keys on one Redis Cluster shard. */
export const USAGE_QUEUE_PREFIX = '{deja:queue}';
/** Captured bodies have a queue of their own: they never keep figures waiting. */
export const CAPTURE_QUEUE = 'captures';
export const CAPTURE_QUEUE_PREFIX = '{deja:captures}';

/** Set of gateway processes that may hold open operations. */
export const GATEWAYS_KEY = 'deja:ops:gateways';
/** Exists while that gateway process lives: 60 s, renewed every 15 s. */
export const gatewayAliveKey = (instance: string): string => `deja:ops:{${instance}}:alive`;
/** Hash of operation id → OpenOperation or, until it is safely queued, OperationRecord (JSON). */
export const gatewayOpsKey = (instance: string): string => `deja:ops:{${instance}}:open`;
/** Hash of how many operations a gateway process accepted, in all that is known of it: the beginning (Unix ms) of the quarter of an hour in which they were received → their number; SPOOLED_FIELD. */
export const gatewayAcceptedKey = (instance: string): string => `deja:ops:{${instance}}:accepted`;
/** Of gatewayAcceptedKey: what is on this process's disk, JSON of quarter → operations. */
export const SPOOLED_FIELD = 'spooled';
/** Set of gateway processes that count what they accept: one of an earlier version does not. */
export const COUNTING_GATEWAYS_KEY = 'deja:ops:counting';
export const GATEWAY_LEASE_S = 60;
export const GATEWAY_HEARTBEAT_S = 15;

/** Exact-cache entry by canonical key (see libs/cache-key). */
export const exactKey = (tenant: string, hash: string): string => `deja:cache:{${tenant}}:exact:${hash}`;
/** The same entry by id, for semantic hits. */
export const cacheEntryKey = (tenant: string, entry: string): string => `deja:cache:{${tenant}}:entry:${entry}`;
/** Exists while this partition holds at least one semantic entry; otherwise no look-up is worth its round trip. */
export const semanticPresenceKey = (tenant: string, scope: string, fingerprint: string): string =>
  `deja:cache:{${tenant}}:sem:${scope}:${fingerprint}`;

/** Whose a stored object is and which account has it: StoredObject (JSON), for a day after it was made or last looked up. Postgres has the truth. */
export const storedObjectKey = (tenant: string, id: string): string => `deja:object:{${tenant}}:${id}`;
/** Exists while a background response has not been billed: it is when its usage is first seen. */
export const unbilledResponseKey = (tenant: string, id: string): string => `deja:unbilled:{${tenant}}:${id}`;
/** Set of ObjectAccount (JSON): accounts that made objects of this kind lately, also such as the router has not heard of yet. */
export const objectAccountsKey = (tenant: string, kind: string): string => `deja:object-accounts:{${tenant}}:${kind}`;

/** The newest revision of a tenant's settings and keys (integer): what a gateway knows of a key is stale when it is older. */
export const tenantRevisionKey = (tenant: string): string => `deja:tenant:{${tenant}}:revision`;
/** Set of BudgetAccount (JSON): budgets that were used lately, for those who compare them with the ledger. One key a shard; `shard` is a tenant's id or `global`. */
export const budgetAccountsKey = (shard: string): string => `deja:budgets:{${shard}}`;
/** Set of the shards that have budget accounts. */
export const BUDGET_SHARDS_KEY = 'deja:budget-shards';
/** Hash of one budget in one period: `spent` and `held` (integer nano-USD). */
export const budgetKey = (shard: string, name: string): string => `deja:budget:{${shard}}:${name}`;
/** Answers that were taken back: hash of id → Invalidation (JSON); its field `version` changes with every change. */
export const INVALIDATIONS_KEY = 'deja:cache:invalidations';
/** Held by the gateway that deletes what invalidations cover. */
export const INVALIDATION_SWEEP_KEY = 'deja:cache:invalidations:sweep';
