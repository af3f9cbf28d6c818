import { DejaError, type RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { PushChannel } from '../push-channel.ts';
import type { ClientKeysRepository, KeyChange, StoredKey } from './client-keys.repository.ts';

type Resolution = RouterRpc['resolve_key']['reply'];

/** How long a key that was seen is answered from memory while Postgres is away. */
const OUTAGE_MS = 10 * 60_000;
/** A database that hangs is as good as one that is away: the asking gateway has little time. */
const QUERY_MS = 1000;
const REMEMBERED_KEYS = 10_000;

/** Who a client key is. Postgres is asked each time, because gateways keep the answer; memory serves only while Postgres is away. */
export class KeyDirectory {
  readonly #remembered = new Map<string, { key: StoredKey; atMs: number }>();
  #isAway = false;

  constructor(
    private readonly keys: ClientKeysRepository,
    private readonly push: PushChannel,
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Throws `overloaded` when it cannot be known at the moment: an existing key is never called unknown. */
  async resolve(keySha256: string): Promise<Resolution> {
    const key = await this.#find(keySha256);
    if (key === null) return { status: 'unknown', principal: null };
    if (key.disabled) return { status: 'disabled', principal: null };
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.now()) return { status: 'expired', principal: null };
    return {
      status: 'active',
      principal: {
        tenant: key.tenant,
        key: key.id,
        models: key.models,
        limits: { tenant: key.tenantLimits, key: key.limits, perUser: key.perUserLimits },
        validation: key.validation,
        expiresAtMs: key.expiresAtMs,
      },
    };
  }

  /** Changes a key and has every gateway and router replica forget it. False when there is no such key. */
  async change(id: string, change: KeyChange): Promise<boolean> {
    const keySha256 = await this.keys.change(id, change);
    if (keySha256 === null) return false;
    this.forget([keySha256]);
    await this.push.send({ kind: 'key_changed', keySha256: [keySha256] });
    return true;
  }

  forget(keySha256s: string[]): void {
    for (const keySha256 of keySha256s) this.#remembered.delete(keySha256);
  }

  /** For when pushes may have been missed. */
  forgetAll(): void {
    this.#remembered.clear();
  }

  async #find(keySha256: string): Promise<StoredKey | null> {
    try {
      const key = await within(QUERY_MS, this.keys.find(keySha256));
      this.#remember(keySha256, key);
      if (this.#isAway) this.logger.info('client keys can be looked up again');
      this.#isAway = false;
      return key;
    } catch (cause) {
      if (!this.#isAway) this.logger.warn({ err: cause }, 'client keys cannot be looked up; those seen lately are answered from memory');
      this.#isAway = true;
      const remembered = this.#remembered.get(keySha256);
      if (remembered !== undefined && this.now() - remembered.atMs < OUTAGE_MS) return remembered.key;
      throw new DejaError('overloaded', 'The key cannot be checked at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
    }
  }

  #remember(keySha256: string, key: StoredKey | null): void {
    this.#remembered.delete(keySha256);
    if (key === null) return;
    if (this.#remembered.size >= REMEMBERED_KEYS) this.#remembered.delete(this.#remembered.keys().next().value ?? '');
    this.#remembered.set(keySha256, { key, atMs: this.now() });
  }
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
