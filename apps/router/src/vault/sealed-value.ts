import { randomBytes } from 'node:crypto';
import { NONCE_BYTES, open, seal, type Sealed } from './envelope.ts';
import { DATA_KEY_BYTES, type KeyWrapping } from './wrapped-key.ts';

/** A value as it is kept: under a data key of its own, which a master key wraps. */
export interface SealedValue extends Sealed {
  keyId: string;
  wrappedKey: Buffer;
}

/** Seals under a fresh data key. Throws a KeyWrappingError when that cannot be wrapped. */
export async function sealValue(keys: Pick<KeyWrapping, 'wrap'>, value: Buffer, additionalData: string): Promise<SealedValue> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  try {
    const { keyId, wrapped } = await keys.wrap(dataKey);
    return { keyId, wrappedKey: wrapped, ...seal(value, dataKey, randomBytes(NONCE_BYTES), additionalData) };
  } finally {
    dataKey.fill(0);
  }
}

/** The value, for its one use: whoever asked for it overwrites it. null when it was changed or belongs to something else. Throws a KeyWrappingError when the data key cannot be unwrapped. */
export async function openValue(keys: Pick<KeyWrapping, 'unwrap'>, sealed: SealedValue, additionalData: string): Promise<Buffer | null> {
  const dataKey = await keys.unwrap({ keyId: sealed.keyId, wrapped: sealed.wrappedKey });
  try {
    return open(sealed, dataKey, additionalData);
  } finally {
    dataKey.fill(0);
  }
}
