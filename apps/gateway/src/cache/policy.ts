import type { CachePolicy, Settings } from '@deja/contracts';

/** The cache policy in force: of the client key and its tenant (`Principal.cache`), and where they say nothing, of deja.yaml. */
export function cachePolicyOf(settings: Settings['cache'], { scope, exact, semantic }: CachePolicy): Settings['cache'] {
  return { scope: scope ?? settings.scope, exact: kindOf(settings.exact, exact), semantic: kindOf(settings.semantic, semantic) };
}

const kindOf = (settings: Settings['cache']['exact'], own: CachePolicy['exact']): Settings['cache']['exact'] => ({ enabled: own?.enabled ?? settings.enabled, ttl_s: own?.ttl_s ?? settings.ttl_s });
