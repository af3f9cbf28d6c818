import type { CredentialView, Limits, Trouble } from '@deja/contracts';
import { healthOf, wireTime, type Health } from '../health.ts';

/** A credential as the admin API shows it. */
export interface CredentialObject {
  object: 'credential';
  id: string;
  provider: string;
  name: string;
  tenant: string | null;
  base_url: string | null;
  weight: number;
  limits: Limits;
  disabled: boolean;
  source: 'file' | 'api';
  last_four: string;
  health: Health;
  trouble: Trouble | null;
  unavailable_until: string | null;
  grace_until: string | null;
  created_at: string | null;
  updated_at: string | null;
}

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
