import { MASK, pricesObject, type AlertConfig, type CredentialConfig, type DejaConfig, type ModelConfig, type ProviderConfig, type Secret } from '@deja/config';
import type { Smtp } from '@deja/contracts';
import { shownSecret } from '../alerts/alert-object.ts';

type Wire = Record<string, unknown>;

/** A configuration as deja.yaml spells it, complete and without secrets. */
export function configObject({ providers, models, settings: { request_log: requestLog, ...settings }, alerts, smtp }: DejaConfig): Wire {
  const { retention_days: retentionDays, ...requestLogSettings } = requestLog;
  return {
    providers: Object.fromEntries(providers.map((provider) => [provider.name, providerObject(provider)])),
    models: models.map(modelObject),
    ...settings,
    retention_days: retentionDays,
    request_log: requestLogSettings,
    prices: pricesObject(settings.prices),
    alerts: alerts.map(alertWire),
    ...(smtp !== null && { smtp: smtpWire(smtp) }),
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

/** Of receivers what may be said of them, as the admin API does. */
function alertWire({ rule: { name, enabled, when, group_by: groupBy, repeat_s: repeatS }, receivers }: AlertConfig): Wire {
  return { name, enabled, when, notify: receivers.map(shownSecret), group_by: groupBy, repeat_s: repeatS };
}

function smtpWire(secret: Secret): Wire {
  const { url, from }: Smtp = JSON.parse(secret.reveal());
  return { url: maskedSmtp(url), from };
}

/** Only the server: the rest of such an address may be a user, a password, or what somebody took for one. */
function maskedSmtp(address: string): string {
  if (!URL.canParse(address)) return MASK;
  const { protocol, username, password, host, pathname, search, hash } = new URL(address);
  if (pathname.length > 1 || search + hash !== '') return MASK;
  return `${protocol}//${username + password === '' ? '' : `${MASK}@`}${host}`;
}

/** An address may hold a user, a password or a key. */
function maskedUrl(address: string): string {
  if (!URL.canParse(address)) return MASK;
  const { username, password, search } = new URL(address);
  return username + password + search === '' ? address : `${new URL(address).origin}/${MASK}`;
}
