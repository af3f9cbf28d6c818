import { createHash } from 'node:crypto';
import { ConfigError } from '@deja/config';
import type { MasterKeysRepository } from './master-keys.repository.ts';
import { KeyWrappingError, type KeyWrapping, type WrappedKey } from './wrapped-key.ts';

/** A text of a data key's length that is known, and says nothing: a key that gives it back from its check value is the one that wrapped it. */
const KNOWN_TEXT = createHash('sha256').update('deja master key check').digest();
/** A key of a transit engine may be rotated between two calls, but not again and again. */
const ATTEMPTS = 3;

/** The master keys of this cluster. Nothing is wrapped by a key before it is on record in Postgres that this key, and not another of its name, does it. */
export class MasterKeys {
  readonly #wrapping: KeyWrapping;
  readonly #repository: MasterKeysRepository;
  readonly #onRecord = new Set<string>();

  constructor(wrapping: KeyWrapping, repository: MasterKeysRepository) {
    this.#wrapping = wrapping;
    this.#repository = repository;
  }

  /** Every key that something is wrapped by is at hand, be it under another name, and the current one's name stands for no other key. Throws a ConfigError that says what to change, and has written nothing then. */
  async verify(): Promise<void> {
    try {
      for (const keyId of await this.#repository.inUse()) await this.#check(keyId);
      await this.currentId();
    } catch (error) {
      throw error instanceof KeyWrappingError ? new ConfigError(sentenceOf(error)) : error;
    }
  }

  /** Id of the key that wraps now. */
  currentId(): Promise<string> {
    return this.#record();
  }

  async wrap(dataKey: Buffer): Promise<WrappedKey> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const wrapped = await this.#wrapping.wrap(dataKey);
      if (this.#onRecord.has(wrapped.keyId)) return wrapped;
      await this.#record();
    }
    throw new KeyWrappingError('unreachable', 'current', `it was another one ${ATTEMPTS} times in a row`);
  }

  unwrap(wrapped: WrappedKey): Promise<Buffer> {
    return this.#wrapping.unwrap(wrapped);
  }

  async #record(): Promise<string> {
    const { keyId, wrapped } = await this.#wrapping.wrap(KNOWN_TEXT);
    if (this.#onRecord.has(keyId)) return keyId;
    await this.#repository.register(keyId, wrapped);
    // Another replica may have been first, perhaps with another key of that name.
    await this.#check(keyId);
    this.#onRecord.add(keyId);
    return keyId;
  }

  async #check(keyId: string): Promise<void> {
    if (!this.#wrapping.holds(keyId)) throw new KeyWrappingError('missing', keyId, 'it is not among the given ones');
    const checkValue = await this.#repository.checkValue(keyId);
    if (checkValue === null) throw new KeyWrappingError('refused', keyId, 'its record is gone');
    const text = await this.#wrapping.unwrap({ keyId, wrapped: checkValue });
    if (!text.equals(KNOWN_TEXT)) throw new KeyWrappingError('refused', keyId, 'it opens something else');
  }
}

/** For a terminal: what is wrong, and what to set. */
function sentenceOf({ problem, keyId, reason }: KeyWrappingError): string {
  const name = JSON.stringify(keyId);
  const isTransit = keyId.startsWith('transit:');
  if (problem === 'unreachable') return `the vault's master key ${name} cannot be asked for: ${reason}. Check VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE.`;
  if (problem === 'missing') {
    return `the vault holds values under the master key ${name}, which is missing: ${isTransit
      ? 'set VAULT_ADDR and VAULT_TOKEN or VAULT_TOKEN_FILE to the Vault that has it.'
      : `add ${keyId}:<its 32 bytes in base64> to DEJA_MASTER_KEY (or to the file that DEJA_MASTER_KEY_FILE names), behind the current one.`}`;
  }
  return isTransit
    ? `the vault's master key ${name} cannot be used: ${reason}. Let VAULT_ADDR and DEJA_TRANSIT_MOUNT name the Vault that has it, with a token that may encrypt and decrypt with it.`
    : `the vault knows another master key by the name ${name}: give it the key of that name that was used before, or give a new key a new id. Nothing was changed.`;
}
