import { randomBytes } from 'node:crypto';
import type { AdminTokenObject } from '@deja/admin-api';
import { ADMIN_TOKEN_PREFIX, DejaError, makeKey, newId, visiblePart, type AdminActor } from '@deja/contracts';
import { checkMatch, etagOf } from '../admin/changes.ts';
import type { Handlers } from '../admin/handlers.ts';
import { afterOf, isUuid, pageOf } from '../admin/pages.ts';
import { checkMayMakeFor, noTenant, sees } from '../admin/scope.ts';
import type { AdminTokensRepository, StoredToken } from './admin-tokens.repository.ts';

export interface TokenParts {
  tokens: AdminTokensRepository;
  /** Of public ids (publicIdCheckKey). */
  checkKey: Uint8Array;
  now?: () => number;
}

type TokenHandlers = Pick<Handlers, 'createAdminToken' | 'listAdminTokens' | 'getAdminToken' | 'deleteAdminToken'>;

/** The operations of the admin API on admin tokens. They are for owners alone, and an owner of one tenant sees only that tenant's. */
export function tokenOperations({ tokens, checkKey, now = Date.now }: TokenParts): TokenHandlers {
  return {
    async createAdminToken({ by, body: { tenant, name, role, expires_at: expires } }, tx) {
      checkMayMakeFor(by, tenant);
      if (tenant !== null && !(await tokens.holdTenant(tx, tenant))) throw noTenant();
      const expiresAt = expires === null ? null : new Date(expires);
      if (expiresAt !== null && expiresAt.getTime() <= now()) throw new DejaError('invalid_value', 'It would be over already: give a moment to come, or null.', { param: 'expires_at' });
      checkEndsWith(by, expiresAt);
      const { key, publicId, sha256 } = makeKey(ADMIN_TOKEN_PREFIX, randomBytes, checkKey);
      const token = await tokens.insert(tx, { id: newId(), tenant, name, role, publicId, tokenSha256: sha256, expiresAt });
      const body = tokenObject(token);
      return { body, etag: etagOf(token.revision), secret: key, audit: { action: 'createAdminToken', resource: 'admin_token', resourceId: token.id, tenant, before: null, after: body } };
    },

    async listAdminTokens({ by, query }) {
      const after = afterOf('admin_tokens', query.cursor, isUuid);
      return { body: pageOf('admin_tokens', await tokens.list(by.tenant, after, query.limit + 1), query.limit, tokenObject), etag: null };
    },

    async getAdminToken({ by, params: { id = '' } }) {
      const token = isUuid(id) ? await tokens.find(id) : null;
      if (token === null || !sees(by, token.tenant)) throw noToken();
      return { body: tokenObject(token), etag: etagOf(token.revision) };
    },

    async deleteAdminToken(call, tx) {
      const { id = '' } = call.params;
      const token = isUuid(id) ? await tokens.lock(tx, id) : null;
      if (token === null || !sees(call.by, token.tenant)) throw noToken();
      checkMatch(call, token.revision);
      await tokens.delete(tx, id);
      return {
        body: { object: 'admin_token', id, deleted: true },
        etag: null,
        audit: { action: 'deleteAdminToken', resource: 'admin_token', resourceId: id, tenant: token.tenant, before: tokenObject(token), after: null },
      };
    },
  };
}

/** Throws for a token that would outlive the one it is made with: what is lent for a time is not made to last. */
function checkEndsWith({ expiresAtMs = null }: Pick<AdminActor, 'expiresAtMs'>, expiresAt: Date | null): void {
  if (expiresAtMs === null || (expiresAt !== null && expiresAt.getTime() <= expiresAtMs)) return;
  throw new DejaError('permission_denied', `The token that makes this one ends at ${new Date(expiresAtMs).toISOString()}: give a moment no later than that.`, { param: 'expires_at' });
}

const noToken = (): DejaError => new DejaError('not_found', 'There is no admin token with this id.');

function tokenObject({ id, name, role, tenant, publicId, expiresAt, lastUsedAt, createdAt, updatedAt }: StoredToken): AdminTokenObject {
  return {
    object: 'admin_token', id, name, role, tenant, prefix: visiblePart(ADMIN_TOKEN_PREFIX, publicId), expires_at: expiresAt?.toISOString() ?? null, last_used_at: lastUsedAt?.toISOString() ?? null,
    created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString(),
  };
}
