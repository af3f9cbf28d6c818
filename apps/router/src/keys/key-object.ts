import type { KeyObject } from '@deja/admin-api';
import { CLIENT_KEY_PREFIX, DejaError, visiblePart } from '@deja/contracts';
import type { KeyChange, KeyRow, NewKeyRow } from './client-keys.repository.ts';

type KeySettings = Pick<KeyObject, 'name' | 'models' | 'endpoints' | 'networks' | 'tags' | 'limits' | 'per_user' | 'budgets' | 'cache' | 'validation' | 'capture' | 'priority' | 'expires_at'>;

/** A client key as the admin API shows it: nothing of it is secret. */
export function keyObject(row: KeyRow): KeyObject {
  return {
    object: 'key',
    id: row.id,
    tenant: row.tenant,
    name: row.name,
    prefix: row.publicId === null ? '' : visiblePart(CLIENT_KEY_PREFIX, row.publicId),
    models: row.models,
    endpoints: row.endpoints as KeyObject['endpoints'],
    networks: row.networks,
    tags: row.tags,
    limits: row.limits,
    per_user: row.perUser as KeyObject['per_user'],
    budgets: row.budgets as KeyObject['budgets'],
    cache: row.cache,
    validation: row.validation,
    capture: row.capture,
    priority: row.priority,
    disabled: row.disabled,
    expires_at: row.expiresAt?.toISOString() ?? null,
    grace_until: row.graceUntil?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** What of a row an admin call gives, by the column. Members that are not there stay as they are. */
export function columnsOf(given: Partial<KeySettings & Pick<KeyObject, 'disabled'>>): KeyChange {
  const { per_user: perUser, expires_at: expiresAt, ...same } = given;
  return {
    ...(same as KeyChange),
    ...(perUser !== undefined && { perUser: perUser as NonNullable<NewKeyRow['perUser']> }),
    ...(expiresAt !== undefined && { expiresAt: expiresAt === null ? null : new Date(expiresAt) }),
  };
}

export const noSuchKey = (id: string): DejaError => new DejaError('not_found', `There is no key '${id.slice(0, 64)}': GET /admin/v1/keys lists those there are.`, { param: 'id' });
