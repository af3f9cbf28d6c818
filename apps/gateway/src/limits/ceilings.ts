import type { Limits, Principal, Settings } from '@deja/contracts';
import type { Ceiling, CeilingState } from './window.ts';

/** Every ceiling that applies to this request, grouped by the Redis shard that counts it; those without a limit left out. */
export function ceilingsFor(principal: Principal, user: string | null, limits: Settings['limits']): Ceiling[][] {
  const { tenant, key } = principal;
  const own = [
    ceiling('tenant', `deja:limit:{${tenant}}:tenant`, principal.limits.tenant),
    ceiling('key', `deja:limit:{${tenant}}:key:${key}`, { ...limits.per_key, ...defined(principal.limits.key) }),
    user === null ? null : ceiling('user', `deja:limit:{${tenant}}:user:${key}:${user}`, { ...limits.per_user, ...defined(principal.limits.perUser) }),
  ].filter((c) => c !== null);
  const global = ceiling('global', 'deja:limit:{global}', limits.global);
  return [own, global === null ? [] : [global]].filter((shard) => shard.length > 0);
}

function ceiling(scope: Ceiling['scope'], counter: string, limits: Limits): Ceiling | null {
  const requestsPerMinute = limits.requests_per_minute ?? null;
  const tokensPerMinute = limits.tokens_per_minute ?? null;
  return requestsPerMinute === null && tokensPerMinute === null ? null : { scope, counter, requestsPerMinute, tokensPerMinute };
}

const defined = (limits: Limits): Limits => Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined && value !== null)) as Limits;

/** `x-ratelimit-*`: the tightest applicable limit of each kind. A sliding window is whole again a window's length from now. */
export function rateLimitHeaders(states: CeilingState[]): Record<string, string> {
  const headers: Record<string, string> = {};
  const kinds = [
    { name: 'requests', limit: (c: Ceiling) => c.requestsPerMinute, used: (s: CeilingState) => s.usedRequests },
    { name: 'tokens', limit: (c: Ceiling) => c.tokensPerMinute, used: (s: CeilingState) => s.usedTokens },
  ];
  for (const { name, limit, used } of kinds) {
    let tightest: { limit: number; remaining: number } | null = null;
    for (const state of states) {
      const max = limit(state.ceiling);
      if (max === null) continue;
      const remaining = Math.max(0, max - used(state));
      if (tightest === null || remaining < tightest.remaining) tightest = { limit: max, remaining };
    }
    if (tightest === null) continue;
    headers[`x-ratelimit-limit-${name}`] = String(tightest.limit);
    headers[`x-ratelimit-remaining-${name}`] = String(tightest.remaining);
    headers[`x-ratelimit-reset-${name}`] = tightest.remaining === tightest.limit ? '0s' : '1m0s';
  }
  return headers;
}
