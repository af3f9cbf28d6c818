import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Environment } from '@deja/config';
import { DATA_KEY_BYTES, KeyWrappingError, type KeyWrapping, type WrappedKey } from './wrapped-key.ts';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LABEL = 'deja data key\0';

/** Master keys in this process. A wrapped key is nonce, ciphertext and tag of AES-256-GCM (NIST SP 800-38D); the id of the master key is additional data. */
export class LocalMasterKeys implements KeyWrapping {
  readonly #currentId: string;
  readonly #keys: Map<string, KeyObject>;

  /** @param keys at least one; the first is current */
  constructor(keys: Environment['masterKeys']) {
    this.#currentId = keys[0]?.id ?? '';
    this.#keys = new Map(keys.map(({ id, key }) => [id, createSecretKey(key.reveal(), 'base64')]));
  }

  holds(keyId: string): boolean {
    return this.#keys.has(keyId);
  }

  async wrap(dataKey: Buffer): Promise<WrappedKey> {
    const keyId = this.#currentId;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key(keyId), nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(LABEL + keyId));
    return Promise.resolve({ keyId, wrapped: Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]) });
  }

  async unwrap({ keyId, wrapped }: WrappedKey): Promise<Buffer> {
    const key = this.#key(keyId);
    if (wrapped.length !== NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES) throw new KeyWrappingError('refused', keyId, 'what it is to open has not the form of a wrapped key');
    const cipher = createDecipheriv(CIPHER, key, wrapped.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(LABEL + keyId))
      .setAuthTag(wrapped.subarray(-TAG_BYTES));
    const dataKey = cipher.update(wrapped.subarray(NONCE_BYTES, -TAG_BYTES));
    try {
      cipher.final();
    } catch {
      dataKey.fill(0);
      throw new KeyWrappingError('refused', keyId, 'it is not the key that was wrapped with, or what it is to open was changed');
    }
    return Promise.resolve(dataKey);
  }

  #key(keyId: string): KeyObject {
    const key = this.#keys.get(keyId);
    if (key === undefined) throw new KeyWrappingError('missing', keyId, 'it is not among the given ones');
    return key;
  }
}
