import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Environment } from '@deja/config';
import { DATA_KEY_BYTES, KeyWrappingError, type KeyWrapping, type WrappedKey } from './wrapped-key.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LABEL = 'deja data key\0';

/**
 * Master keys in this process. A wrapped key is nonce, ciphertext and tag of AES-256-GCM (NIST SP 800-38D); the id of the master key is
 * additional data. An id says which key to try first. Whether a key is the right one its bytes tell: people rename keys, and what was
 * wrapped keeps the name of its time.
 */
export class LocalMasterKeys implements KeyWrapping {
  readonly #currentId: string;
  readonly #given: Map<string, KeyObject>;
  /** Which key opened what is wrapped under an id that is given to none, or to another. */
  readonly #aliases = new Map<string, KeyObject>();

  /** @param keys at least one; the first is current */
  constructor(keys: Environment['masterKeys']) {
    this.#currentId = keys[0]?.id ?? '';
    this.#given = new Map(keys.map(({ id, key }) => [id, createSecretKey(key.reveal(), 'base64')]));
  }

  /** Any name but a transit engine's, which has a colon: the key may be here under another. */
  holds(keyId: string): boolean {
    return !keyId.includes(':');
  }

  async wrap(dataKey: Buffer): Promise<WrappedKey> {
    const keyId = this.#currentId;
    const key = this.#given.get(keyId);
    if (key === undefined) throw new KeyWrappingError('missing', keyId, NOT_GIVEN);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(LABEL + keyId));
    return Promise.resolve({ keyId, wrapped: Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]) });
  }

  async unwrap({ keyId, wrapped }: WrappedKey): Promise<Buffer> {
    if (wrapped.length !== NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES) throw new KeyWrappingError('refused', keyId, 'what it is to open has not the form of a wrapped key');
    const [named, alias] = [this.#given.get(keyId), this.#aliases.get(keyId)];
    for (const key of this.#toTry(keyId)) {
      const dataKey = opened(wrapped, keyId, key);
      if (dataKey === null) continue;
      if (key !== named) this.#aliases.set(keyId, key);
      return Promise.resolve(dataKey);
    }
    if (named === undefined && alias === undefined) throw new KeyWrappingError('missing', keyId, NOT_GIVEN);
    throw new KeyWrappingError('refused', keyId, 'it is not the key that was wrapped with, or what it is to open was changed');
  }

  /** The likeliest first. Under the current name the current key alone: one name is not to stand for what two keys wrap. */
  #toTry(keyId: string): Iterable<KeyObject> {
    const named = this.#given.get(keyId);
    if (named !== undefined && keyId === this.#currentId) return [named];
    return new Set([this.#aliases.get(keyId), named, ...this.#given.values()].filter((key) => key !== undefined));
  }
}

const NOT_GIVEN = 'it is not among the given ones';

/** null when this key does not open it under that id. */
function opened(wrapped: Buffer, keyId: string, key: KeyObject): Buffer | null {
  const cipher = createDecipheriv(CIPHER, key, wrapped.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(LABEL + keyId))
    .setAuthTag(wrapped.subarray(-TAG_BYTES));
  const dataKey = cipher.update(wrapped.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    cipher.final();
    return dataKey;
  } catch {
    dataKey.fill(0);
    return null;
  }
}
