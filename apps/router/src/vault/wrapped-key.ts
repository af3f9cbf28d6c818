/** A data key that only the master key it names gives back. */
export interface WrappedKey {
  keyId: string;
  wrapped: Buffer;
}

/** Keeps master keys, here or elsewhere, and wraps data keys with them. Its errors are KeyWrappingErrors. */
export interface KeyWrapping {
  /** Whether what names this key is for `unwrap` here. */
  holds(keyId: string): boolean;
  /** Under the current key, which the result names. */
  wrap(dataKey: Buffer): Promise<WrappedKey>;
  /** The data key; whoever asked for it overwrites it after use. */
  unwrap(wrapped: WrappedKey): Promise<Buffer>;
}

export const DATA_KEY_BYTES = 32;

/** `missing`: no such key is here. `refused`: this key does not open it, or may not be used. `unreachable`: who keeps the key cannot be asked at the moment. */
export type KeyWrappingProblem = 'missing' | 'refused' | 'unreachable';

/** Why a data key was not wrapped or unwrapped. Holds no key and no token. */
export class KeyWrappingError extends Error {
  constructor(readonly problem: KeyWrappingProblem, readonly keyId: string, readonly reason: string) {
    super(`the master key ${JSON.stringify(keyId)} cannot be used: ${reason}`);
    this.name = 'KeyWrappingError';
  }
}
