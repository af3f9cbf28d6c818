import { DejaError, isGenuine, sameHash, type RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { ClientKeysRepository } from './client-keys.repository.ts';
import { principalOf, type StoredKey } from './principal.ts';

type Question = RouterRpc['resolve_key']['request'];
type Resolution = RouterRpc['resolve_key']['reply'];

/** How long a key that was seen is answered from memory while Postgres is away. */
const OUTAGE_MS = 10 * 60_000;
/** A database that hangs is as good as one that is away: the asking gateway has little time. */
const QUERY_MS = 1000;
/** So long a wrong secret of a known public id is told by what is known of the right one. */
const FRESH_MS = 1000;
/** A public id that is no more never comes back: the next one is another. */
const GONE_MS = 10 * 60_000;
/** Keys made elsewhere are planted at a start of a router, which says so: this is for when nobody heard it. */
const IMPORTED_FRESH_MS = 30_000;
const REMEMBERED_KEYS = 10_000;

interface Seen {
  /** null: there is none. */
  key: StoredKey | null;
  atMs: number;
}

export interface KeyDirectoryOptions {
  keys: ClientKeysRepository;
  /** What the check in public ids is made with (publicIdCheckKey). */
  checkKey: Uint8Array;
  logger: Pick<Logger, 'info' | 'warn'>;
  now?: () => number;
}

/**
 * Who a client key is. Postgres is asked for keys that exist, because gateways keep the answer; memory serves while Postgres is away. What
 * anybody can make up costs no query: a public id whose check does not hold, one that is no more, the wrong secret of one that was just seen.
 */
export class KeyDirectory {
  readonly #keys: ClientKeysRepository;
  readonly #checkKey: Uint8Array;
  readonly #logger: Pick<Logger, 'info' | 'warn'>;
  readonly #now: () => number;
  /** By public id, or by hash for keys made elsewhere. */
  readonly #seen = new Map<string, Seen>();
  readonly #asking = new Map<string, Promise<StoredKey | null>>();
  #askingImported: Promise<void> | null = null;
  /** Hashes of the keys that were not made here: few. */
  #imported = new Set<string>();
  #importedUntilMs = 0;
  /** Grows whenever something is forgotten: an answer that was under way at that moment is not kept. */
  #generation = 0;
  #isAway = false;

  constructor({ keys, checkKey, logger, now = Date.now }: KeyDirectoryOptions) {
    this.#keys = keys;
    this.#checkKey = checkKey;
    this.#logger = logger;
    this.#now = now;
  }

  /** Throws `overloaded` when it cannot be known at the moment: an existing key is never called unknown. */
  async resolve({ keySha256, publicId }: Question): Promise<Resolution> {
    const key = publicId !== null && isGenuine(publicId, this.#checkKey) ? await this.#made(publicId, keySha256) : await this.#madeElsewhere(keySha256);
    return key === null ? { status: 'unknown', principal: null } : this.#resolution(key);
  }

  /** Of keys that were changed or are gone. */
  forget(keySha256s: string[]): void {
    const hashes = new Set(keySha256s);
    this.#forgetWhere(({ key }) => key !== null && hashes.has(key.secret.keySha256));
  }

  forgetTenant(tenant: string): void {
    this.#forgetWhere(({ key }) => key?.tenant === tenant);
  }

  /** For when pushes may have been missed. */
  forgetAll(): void {
    this.#forgetWhere(() => true);
  }

  #resolution(key: StoredKey): Resolution {
    const principal = principalOf(key);
    if (key.ofTenant.disabled) return { status: 'tenant_disabled', principal: null };
    if (key.disabled) return { status: 'disabled', principal: null };
    if (principal.expiresAtMs !== null && principal.expiresAtMs <= this.#now()) return { status: 'expired', principal: null };
    return { status: 'active', principal };
  }

  async #made(publicId: string, keySha256: string): Promise<StoredKey | null> {
    const isOf = (key: StoredKey | null): boolean => key !== null && sameHash(key.secret.keySha256, keySha256);
    const seen = this.#seen.get(publicId);
    if (seen !== undefined && !isOf(seen.key) && this.#now() - seen.atMs < (seen.key === null ? GONE_MS : FRESH_MS)) return null;
    const key = await this.#find(publicId, (at) => this.#keys.findByPublicId(publicId, at), isOf);
    return isOf(key) ? key : null;
  }

  async #madeElsewhere(keySha256: string): Promise<StoredKey | null> {
    if (!this.#imported.has(keySha256)) await this.#readImported();
    if (!this.#imported.has(keySha256)) return null;
    const key = await this.#find(keySha256, (at) => this.#keys.findByHash(keySha256, at), () => true);
    if (key === null) this.#imported.delete(keySha256);
    return key;
  }

  /** Makes the imported keys' hashes current when it is time for that. */
  async #readImported(): Promise<void> {
    if (this.#now() < this.#importedUntilMs) return;
    const generation = this.#generation;
    this.#askingImported ??= this.#answered(this.#keys.importedHashes())
      .then((hashes) => {
        this.#imported = new Set(hashes);
        if (generation === this.#generation) this.#importedUntilMs = this.#now() + IMPORTED_FRESH_MS;
      })
      .finally(() => {
        this.#askingImported = null;
      });
    await this.#askingImported.catch(cannotTell);
  }

  /** From Postgres; while that is away from memory, where it holds a key that `isMeant`. */
  async #find(name: string, query: (at: Date) => Promise<StoredKey | null>, isMeant: (key: StoredKey) => boolean): Promise<StoredKey | null> {
    try {
      return await (this.#asking.get(name) ?? this.#ask(name, query));
    } catch (cause) {
      const seen = this.#seen.get(name);
      if (seen !== undefined && seen.key !== null && isMeant(seen.key) && this.#now() - seen.atMs < OUTAGE_MS) return seen.key;
      return cannotTell(cause);
    }
  }

  #ask(name: string, query: (at: Date) => Promise<StoredKey | null>): Promise<StoredKey | null> {
    const generation = this.#generation;
    const asked = this.#answered(query(new Date(this.#now())))
      .then((key) => {
        if (generation === this.#generation) this.#remember(name, key);
        return key;
      })
      .finally(() => {
        if (this.#asking.get(name) === asked) this.#asking.delete(name);
      });
    this.#asking.set(name, asked);
    return asked;
  }

  /** What Postgres answers in time; says once that it does not, and once that it does again. */
  async #answered<T>(query: Promise<T>): Promise<T> {
    try {
      const answer = await within(QUERY_MS, query);
      if (this.#isAway) this.#logger.info('client keys can be looked up again');
      this.#isAway = false;
      return answer;
    } catch (cause) {
      if (!this.#isAway) this.#logger.warn({ err: cause }, 'client keys cannot be looked up; those seen lately are answered from memory');
      this.#isAway = true;
      throw cause;
    }
  }

  #remember(name: string, key: StoredKey | null): void {
    this.#seen.delete(name);
    if (this.#seen.size >= REMEMBERED_KEYS) this.#seen.delete(this.#seen.keys().next().value ?? '');
    this.#seen.set(name, { key, atMs: this.#now() });
  }

  #forgetWhere(isMeant: (seen: Seen) => boolean): void {
    this.#generation++;
    this.#asking.clear();
    this.#importedUntilMs = 0;
    for (const [name, seen] of this.#seen) if (isMeant(seen)) this.#seen.delete(name);
  }
}

function cannotTell(cause: unknown): never {
  throw new DejaError('overloaded', 'The key cannot be checked at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
