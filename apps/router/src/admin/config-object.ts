import { MASK, type CredentialConfig, type DejaConfig, type ModelConfig, type ProviderConfig } from '@deja/config';
import type { Price } from '@deja/contracts';

type Wire = Record<string, unknown>;

/** A configuration as deja.yaml spells it, complete and without secrets. */
export function configObject({ providers, models, settings }: DejaConfig): Wire {
  return {
    providers: Object.fromEntries(providers.map((provider) => [provider.name, providerObject(provider)])),
    models: models.map(modelObject),
    ...settings,
    prices: Object.fromEntries(Object.entries(settings.prices).map(([name, price]) => [name, priceObject(price)])),
  };
}

function providerObject({ kind, baseUrl, apiVersion, server, keyed, credentials }: ProviderConfig): Wire {
  return {
    kind,
    ...(baseUrl !== '' && { base_url: maskedUrl(baseUrl) }),
    ...(apiVersion !== null && { api_version: apiVersion }),
    ...(server !== null && { server }),
    ...((keyed || credentials.length > 0) && { credentials: credentials.map(credentialObject) }),
  };
}

function credentialObject({ name, weight, limits, baseUrl }: CredentialConfig): Wire {
  return { name, value: MASK, weight, limits, ...(baseUrl !== null && { base_url: maskedUrl(baseUrl) }) };
}

function modelObject({ name, strategy, deployments, fallbacks, fallbacksOn, hedge, affinity, candidates, prefer }: ModelConfig): Wire {
  return {
    name,
    ...(candidates === undefined ? { strategy, deployments: deployments.map(({ upstreamModel, ...deployment }) => ({ ...deployment, model: upstreamModel })) } : { candidates, prefer }),
    fallbacks,
    ...(fallbacksOn !== undefined && { fallbacks_on: { context_window: fallbacksOn.contextWindow, content_policy: fallbacksOn.contentPolicy } }),
    ...(hedge !== undefined && { hedge: { after: `p${hedge.percentile}`, max_share: hedge.maxShare } }),
    affinity: affinity ?? true,
  };
}

function priceObject({ input, cachedInput, cacheWrite, output }: Omit<Price, 'version'>): Wire {
  const usd = (nanoUsd: number): number => nanoUsd / 1e9;
  return { input_usd_per_million: usd(input), cached_input_usd_per_million: usd(cachedInput), cache_write_usd_per_million: usd(cacheWrite), output_usd_per_million: usd(output) };
}

/** An address may hold a user, a password or a key. */
function maskedUrl(address: string): string {
  if (!URL.canParse(address)) return MASK;
  const { username, password, search } = new URL(address);
  return username + password + search === '' ? address : `${new URL(address).origin}/${MASK}`;
}
