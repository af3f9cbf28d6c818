import type { CredentialConfig } from '@deja/config';
import type { CredentialView, Trouble } from '@deja/contracts';
import { v5 } from 'uuid';
import { lastFourOf } from './new-credential.ts';
import type { StoredCredential } from './stored-credentials.repository.ts';

/** What the pool knows of a credential's value. */
export type HealthOf = (credential: { id: string; version: string }) => Pick<CredentialView, 'unavailableUntilMs'> & { trouble: Trouble | null };

/** Names deja's own ids of what stands in a file, as RFC 9562 (section 5.5) has it. */
const FILE_IDS = 'b9a7b1a0-6f0e-4c52-9a53-2d7c5b1f6a4e';

/** The same in every replica and after every start. @param id `provider/name` */
export const fileId = (id: string): string => v5(id, FILE_IDS);

export function fileView(provider: string, { id, name, value, baseUrl, weight, limits }: CredentialConfig, health: ReturnType<HealthOf>): CredentialView {
  const text = value.reveal();
  return {
    id: fileId(id), provider, name, tenant: null, baseUrl, weight, limits, disabled: false, source: 'file',
    lastFour: lastFourOf(text, text.length), graceUntilMs: null, ...health, createdAtMs: null, updatedAtMs: null, revision: null,
  };
}

export function storedView(credential: StoredCredential, healthOf: HealthOf): CredentialView {
  const { id, provider, name, tenant, baseUrl, weight, limits, disabled, createdAt, updatedAt, revision, values } = credential;
  const [current, former] = values;
  return {
    id, provider, name, tenant, baseUrl, weight, limits, disabled, source: 'api',
    lastFour: current?.lastFour ?? '', graceUntilMs: former?.expiresAt?.getTime() ?? null,
    ...healthOf({ id: `${provider}/${name}`, version: current?.version ?? '' }),
    createdAtMs: createdAt.getTime(), updatedAtMs: updatedAt.getTime(), revision,
  };
}

/** A credential of the admin API as the audit log keeps it: as on the wire, without what changes by itself. */
export function auditedCredential({ id, tenant, provider, name, baseUrl, weight, limits, disabled, createdAt, updatedAt, values }: StoredCredential): object {
  const [current, former] = values;
  return {
    object: 'credential', id, provider, name, tenant, base_url: baseUrl, weight, limits, disabled, source: 'api',
    last_four: current?.lastFour ?? '', grace_until: former?.expiresAt?.toISOString() ?? null, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString(),
  };
}
