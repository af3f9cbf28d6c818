import { randomBytes } from 'node:crypto';
import { DejaError, newId, type RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import type { DataKeysRepository, StoredDataKey } from './data-keys.repository.ts';
import { onMasterKey } from './key-trouble.ts';
import { sealerTo } from './lease.ts';
import type { MasterKeys } from './master-keys.ts';
import { openValue, sealValue } from './sealed-value.ts';
import { DATA_KEY_BYTES } from './wrapped-key.ts';

/**
 * So long a key is the current one. Gateways draw their nonces by chance, and of those a key bears 2^32 (NIST SP 800-38D, section 8.3): that
 * is 800 requests a second, all the time, of one tenant.
 */
const CURRENT_MS = 30 * 86_400_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const WHAT = 'Keys of captured bodies cannot be had';

export interface DataKeysOptions {
  keys: MasterKeys;
  repository: DataKeysRepository;
  logger: Pick<Logger, 'error'>;
  now?: () => number;
}

/** The keys that gateways seal captured bodies with, a tenant's own each. They are kept as credentials are, and leave only sealed to who asks. */
export class DataKeys {
  constructor(private readonly o: DataKeysOptions) {}

  /**
   * One key, sealed under its id to the asker's public key. `id` null: the current one, made where there is none. Throws `not_found` where there is no such tenant or
   * key (any more), `invalid_value` for a public key that cannot be sealed to, `overloaded` when Postgres or who keeps the master key is away.
   */
  async lease({ tenant, id, publicKey }: RouterRpc['data_key']['request']): Promise<RouterRpc['data_key']['reply']> {
    const sealFor = await sealerTo(publicKey);
    return onMasterKey(WHAT, async () => {
      const stored = id === null ? await this.#current(tenant) : await this.o.repository.find(tenant, id);
      if (stored === null) throw gone();
      const key = await openValue(this.o.keys, stored, additionalDataOf(stored));
      if (key === null) {
        this.o.logger.error({ tenant, dataKey: stored.id }, 'a key of captured bodies cannot be decrypted: its row in Postgres was changed');
        throw gone();
      }
      try {
        return { id: stored.id, jwe: await sealFor(stored.id, key) };
      } finally {
        key.fill(0);
      }
    });
  }

  /** Which of these there are no more. What is no id of a key names none. */
  gone(ids: readonly string[]): Promise<string[]> {
    return onMasterKey(WHAT, async () => {
      const there = new Set(await this.o.repository.existing(ids.filter((id) => UUID.test(id))));
      return ids.filter((id) => !there.has(id));
    });
  }

  async #current(tenant: string): Promise<StoredDataKey | null> {
    const { repository } = this.o;
    const now = (this.o.now ?? Date.now)();
    const since = new Date(now - CURRENT_MS);
    const there = await repository.current(tenant, since);
    if (there !== null) return there;
    // What is asked for nobody costs no use of the master key.
    return (await repository.hasTenant(tenant)) ? repository.insertUnlessThere(await this.#made(tenant, new Date(now)), since) : null;
  }

  async #made(tenant: string, createdAt: Date): Promise<StoredDataKey> {
    const key = randomBytes(DATA_KEY_BYTES);
    try {
      const id = newId();
      return { id, tenant, createdAt, ...(await sealValue(this.o.keys, key, additionalDataOf({ id, tenant }))) };
    } finally {
      key.fill(0);
    }
  }
}

/** A key opens in its own row alone. */
const additionalDataOf = ({ tenant, id }: Pick<StoredDataKey, 'tenant' | 'id'>): string => JSON.stringify(['deja data key', tenant, id]);

const gone = (): DejaError => new DejaError('not_found', 'There is no such key of this tenant: what was sealed with it cannot be read any more.', { param: 'id' });
