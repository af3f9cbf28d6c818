import type { Budget, CachePolicy, CaptureMode, PerUser, Principal, Priority, ScopeLimits, Validation } from '@deja/contracts';

/** A client key with its tenant, by one of its secrets. */
export interface StoredKey {
  id: string;
  tenant: string;
  models: string[] | null;
  endpoints: string[] | null;
  networks: string[] | null;
  tags: Record<string, string>;
  limits: ScopeLimits;
  perUser: PerUser;
  budgets: Budget[];
  cache: CachePolicy;
  validation: Partial<Validation>;
  /** null: as whoever stands above says. */
  capture: CaptureMode | null;
  priority: Priority;
  disabled: boolean;
  expiresAt: Date | null;
  ofTenant: StoredTenant;
  secret: { keySha256: string; expiresAt: Date | null };
}

export interface StoredTenant {
  models: string[] | null;
  limits: ScopeLimits;
  budgets: Budget[];
  cache: CachePolicy;
  validation: Partial<Validation>;
  capture: CaptureMode | null;
  disabled: boolean;
  revision: number;
}

/** Who the bearer of a key is, whether or not it may be used at the moment. */
export function principalOf(key: StoredKey): Principal {
  const { ofTenant: tenant, perUser: { budgets: userBudgets, ...userLimits } } = key;
  const capture = key.capture ?? tenant.capture;
  return {
    tenant: key.tenant,
    revision: tenant.revision,
    key: key.id,
    models: inBoth(key.models, tenant.models),
    endpoints: key.endpoints,
    networks: key.networks,
    tags: key.tags,
    limits: { tenant: tenant.limits, key: key.limits, perUser: userLimits },
    budgets: { tenant: tenant.budgets, key: key.budgets, perUser: userBudgets ?? [] },
    cache: cacheOf(key.cache, tenant.cache),
    validation: { ...tenant.validation, ...key.validation },
    ...(capture !== null && { capture }),
    ...(key.priority !== 'interactive' && { priority: key.priority }),
    expiresAtMs: earlier(key.expiresAt, key.secret.expiresAt),
  };
}

/** What both lists allow; null allows all. Names are compared as they are written: a key's `auto:speed` is not among a tenant's `auto`. */
const inBoth = (a: string[] | null, b: string[] | null): string[] | null => (a === null || b === null ? (a ?? b) : a.filter((name) => b.includes(name)));

/** The key's before its tenant's, member by member. */
function cacheOf(key: CachePolicy, tenant: CachePolicy): CachePolicy {
  const merged: CachePolicy = { ...tenant, ...key };
  if (tenant.exact !== undefined && key.exact !== undefined) merged.exact = { ...tenant.exact, ...key.exact };
  if (tenant.semantic !== undefined && key.semantic !== undefined) merged.semantic = { ...tenant.semantic, ...key.semantic };
  return merged;
}

function earlier(a: Date | null, b: Date | null): number | null {
  const moments = [a, b].flatMap((moment) => (moment === null ? [] : [moment.getTime()]));
  return moments.length === 0 ? null : Math.min(...moments);
}
