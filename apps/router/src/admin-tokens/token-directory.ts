import { isGenuine, sameHash, type RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { onDatabase } from '../admin/database-trouble.ts';
import type { AdminTokensRepository, StoredToken } from './admin-tokens.repository.ts';

/** When a token was last used is kept to the minute. */
const USED_EVERY_MS = 60_000;

/** Who an admin token is. Postgres is asked each time: what was revoked is so at once, in every gateway. */
export class TokenDirectory {
  /** @param checkKey of public ids (publicIdCheckKey) */
  constructor(
    private readonly tokens: Pick<AdminTokensRepository, 'findByHash' | 'used'>,
    private readonly checkKey: Uint8Array,
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Throws `overloaded` when it cannot be known at the moment. A made-up token costs no query. */
  async resolve({ tokenSha256, publicId }: RouterRpc['resolve_admin_token']['request']): Promise<RouterRpc['resolve_admin_token']['reply']> {
    const token = isGenuine(publicId, this.checkKey) ? await onDatabase(() => this.tokens.findByHash(tokenSha256)) : null;
    if (token === null || !sameHash(token.tokenSha256, tokenSha256) || token.publicId !== publicId || this.#isOver(token)) return { actor: null };
    this.#noteUse(token);
    const { id, name, role, tenant, expiresAt } = token;
    return { actor: { id, name, role, tenant, expiresAtMs: expiresAt?.getTime() ?? null } };
  }

  #isOver({ expiresAt }: StoredToken): boolean {
    return expiresAt !== null && expiresAt.getTime() <= this.now();
  }

  /** Nobody waits for it. */
  #noteUse({ id, lastUsedAt }: StoredToken): void {
    if (lastUsedAt !== null && this.now() - lastUsedAt.getTime() < USED_EVERY_MS) return;
    this.tokens.used(id).catch((error: unknown) => this.logger.warn({ err: error }, 'the last use of an admin token could not be noted'));
  }
}
