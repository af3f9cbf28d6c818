import { ConfigError, type Environment } from '@deja/config';
import { LocalMasterKeys } from './local-master-keys.ts';
import { TransitKeys } from './transit-keys.ts';
import { KeyWrappingError, type KeyWrapping } from './wrapped-key.ts';

/** Several as one: the first of them wraps, each unwraps what it wrapped. */
export class KeyRing implements KeyWrapping {
  readonly #current: KeyWrapping;
  readonly #all: KeyWrapping[];

  constructor(current: KeyWrapping, others: KeyWrapping[] = []) {
    this.#current = current;
    this.#all = [current, ...others];
  }

  holds(keyId: string): boolean {
    return this.#all.some((wrapping) => wrapping.holds(keyId));
  }

  wrap: KeyWrapping['wrap'] = (dataKey) => this.#current.wrap(dataKey);

  unwrap: KeyWrapping['unwrap'] = (wrapped) => {
    const holder = this.#all.find((wrapping) => wrapping.holds(wrapped.keyId));
    return holder === undefined ? Promise.reject(new KeyWrappingError('missing', wrapped.keyId, 'it is not among the given ones')) : holder.unwrap(wrapped);
  };
}

/** What the environment gives: a transit key wraps where one is named, else the first of the local keys. Throws a ConfigError where there is neither. */
export function keyWrappingOf({ masterKeys, transit }: Pick<Environment, 'masterKeys' | 'transit'>): KeyRing {
  const local = masterKeys.length === 0 ? [] : [new LocalMasterKeys(masterKeys)];
  const remote = transit === null ? [] : [new TransitKeys(transit)];
  const [current, ...others] = transit?.key == null ? local : [...remote, ...local];
  if (current === undefined) {
    throw new ConfigError('DEJA_MASTER_KEY is missing: set it, or DEJA_MASTER_KEY_FILE, to 32 random bytes in base64 (openssl rand -base64 32), or DEJA_TRANSIT_KEY to the name of a key in a Vault\'s transit engine.');
  }
  return new KeyRing(current, transit?.key == null ? remote : others);
}
