import type { CredentialObject } from '@deja/admin-api';
import type { CredentialView } from '@deja/contracts';
import { healthOf, wireTime } from '../health.ts';

/** Member by member: what a newer router may say besides does not slip through. */
export function credentialObject(view: CredentialView, nowMs: number): CredentialObject {
  const { id, provider, name, tenant, weight, limits, disabled, source, trouble } = view;
  return {
    object: 'credential',
    id,
    provider,
    name,
    tenant,
    base_url: view.baseUrl,
    weight,
    limits,
    disabled,
    source,
    last_four: view.lastFour,
    health: healthOf(view, nowMs),
    trouble,
    unavailable_until: wireTime(view.unavailableUntilMs),
    grace_until: wireTime(view.graceUntilMs),
    created_at: wireTime(view.createdAtMs),
    updated_at: wireTime(view.updatedAtMs),
  };
}
