import type { CachePolicy, SemanticPolicy, SemanticSettings, Settings } from '@deja/contracts';

/** Policies that were worked out, as long as both things that they were made of are known. */
const known = new WeakMap<Settings['cache'], WeakMap<CachePolicy, Settings['cache']>>();

/** The cache policy in force: of the client key and its tenant (`Principal.cache`), and where they say nothing, of deja.yaml. */
export function cachePolicyOf(settings: Settings['cache'], own: CachePolicy): Settings['cache'] {
  let ofSettings = known.get(settings);
  if (ofSettings === undefined) known.set(settings, (ofSettings = new WeakMap()));
  let policy = ofSettings.get(own);
  if (policy === undefined) ofSettings.set(own, (policy = merged(settings, own)));
  return policy;
}

function merged(settings: Settings['cache'], { scope, exact, semantic }: CachePolicy): Settings['cache'] {
  return {
    ...settings,
    scope: scope ?? settings.scope,
    exact: { enabled: exact?.enabled ?? settings.exact.enabled, ttl_s: exact?.ttl_s ?? settings.exact.ttl_s },
    semantic: semanticOf(settings.semantic, semantic ?? {}),
  };
}

function semanticOf(settings: SemanticSettings, own: NonNullable<CachePolicy['semantic']>): SemanticSettings {
  return {
    ...settings,
    enabled: own.enabled ?? settings.enabled,
    ttl_s: own.ttl_s ?? settings.ttl_s,
    verification: own.verification ?? settings.verification,
    max_wrong_rate: own.max_wrong_rate ?? settings.max_wrong_rate,
    // A rate of its own for all models goes before the file's for some.
    max_wrong_rates: own.max_wrong_rates ?? (own.max_wrong_rate === undefined ? settings.max_wrong_rates : {}),
  };
}

/** What the semantic-cache is told of it, for a public model. */
export function semanticPolicyOf({ verification, max_wrong_rate, max_wrong_rates, audit, judge }: SemanticSettings, model: string): SemanticPolicy {
  const maxWrongRate = Object.hasOwn(max_wrong_rates, model) ? (max_wrong_rates[model] ?? max_wrong_rate) : max_wrong_rate;
  return { verification, maxWrongRate, auditShare: audit.share, judged: judge !== null };
}
