import { createCipheriv, createDecipheriv } from 'node:crypto';

/** What an encrypted value belongs to. It opens for exactly this and nothing else. */
export interface ValueOwner {
  tenant: string | null;
  provider: string;
  name: string;
  version: string;
  /** Where it may be sent in place of the provider's address: whoever can write to the table is not to send it elsewhere. */
  baseUrl: string | null;
}

export interface Sealed {
  nonce: Buffer;
  /** Number of the format, ciphertext, tag. */
  ciphertext: Buffer;
}

const CIPHER = 'aes-256-gcm';
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = 1;

/** Additional data of a credential's value. JSON of a fixed list of strings: two owners never give the same text (RFC 8259 quotes what would end a string). */
export function additionalDataOf({ tenant, provider, name, version, baseUrl }: ValueOwner): string {
  return JSON.stringify(['deja credential', tenant, provider, name, version, baseUrl]);
}

/** Additional data of the key that new values are sealed to. */
export const INTAKE_KEY = JSON.stringify(['deja intake key']);

/** AES-256-GCM (NIST SP 800-38D). @param nonce 12 random bytes, never used before with this key */
export function seal(value: Buffer, key: Buffer, nonce: Buffer, additionalData: string): Sealed {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(withFormat(FORMAT, additionalData));
  return { nonce, ciphertext: Buffer.concat([Buffer.of(FORMAT), cipher.update(value), cipher.final(), cipher.getAuthTag()]) };
}

/** The value; null when it was not sealed with this key for this owner, or anything of it was changed. */
export function open({ nonce, ciphertext }: Sealed, key: Buffer, additionalData: string): Buffer | null {
  const [format] = ciphertext;
  if (format !== FORMAT || ciphertext.length < 1 + TAG_BYTES || nonce.length !== NONCE_BYTES) return null;
  const cipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(withFormat(format, additionalData))
    .setAuthTag(ciphertext.subarray(-TAG_BYTES));
  const value = cipher.update(ciphertext.subarray(1, -TAG_BYTES));
  try {
    cipher.final();
    return value;
  } catch {
    value.fill(0);
    return null;
  }
}

const withFormat = (format: number, additionalData: string): Buffer => Buffer.concat([Buffer.of(format), Buffer.from(additionalData)]);
