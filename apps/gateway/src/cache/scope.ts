import type { CacheScope, Principal } from '@deja/contracts';

/** Who shares answers. Where answers are shared by user and none is named, they stay with the key. */
export function scopeOf(scope: CacheScope, principal: Principal, user: string | null): string {
  if (scope === 'tenant' || scope === 'global') return 'tenant';
  if (scope === 'user' && user !== null) return `user:${user}`;
  return `key:${principal.key}`;
}
