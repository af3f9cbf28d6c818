import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

// `<prefix>-<public id>-<secret>`. The public id names the key and may be seen by anybody; its last characters are a check that only the
// cluster can write, so that a made-up key is known for one without asking the database. The secret is nowhere kept, only a hash of the whole.

export const CLIENT_KEY_PREFIX = 'sk-deja';
export const ADMIN_TOKEN_PREFIX = 'deja-admin';
export type KeyPrefix = typeof CLIENT_KEY_PREFIX | typeof ADMIN_TOKEN_PREFIX;

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARS = 10;
const CHECK_CHARS = 6;
const SECRET_CHARS = 32; // 190 bits
/** What a public id looks like: base62. */
export const PUBLIC_ID = new RegExp(`^[0-9A-Za-z]{${RANDOM_CHARS + CHECK_CHARS}}$`);

/** Fresh random bytes, as `crypto.randomBytes`. */
export type RandomBytes = (size: number) => Uint8Array;

/** The key (32 bytes) that the check in public ids of this prefix is made with: HKDF (RFC 5869) of the cluster's salt. */
export function publicIdCheckKey(salt: Uint8Array, prefix: KeyPrefix): Buffer {
  return Buffer.from(hkdfSync('sha256', salt, new Uint8Array(0), `deja public id of ${prefix}`, 32));
}

/** A new key or token. `key` is shown once and kept nowhere; `sha256` is lower-case hex. */
export function makeKey(prefix: KeyPrefix, random: RandomBytes, checkKey: Uint8Array): { key: string; publicId: string; sha256: string } {
  const name = base62(RANDOM_CHARS, random);
  const publicId = name + checkOf(name, checkKey);
  const key = `${prefix}-${publicId}-${base62(SECRET_CHARS, random)}`;
  return { key, publicId, sha256: keySha256(key) };
}

/** The public id in a text that has the form of such a key; null for any other. */
export function publicIdOf(text: string, prefix: KeyPrefix): string | null {
  if (text.length !== prefix.length + RANDOM_CHARS + CHECK_CHARS + SECRET_CHARS + 2 || !text.startsWith(`${prefix}-`)) return null;
  const [publicId = '', secret = '', ...rest] = text.slice(prefix.length + 1).split('-');
  return rest.length === 0 && secret.length === SECRET_CHARS && PUBLIC_ID.test(publicId) && /^[0-9A-Za-z]+$/.test(secret) ? publicId : null;
}

/** Whether this cluster made the public id. */
export function isGenuine(publicId: string, checkKey: Uint8Array): boolean {
  if (!PUBLIC_ID.test(publicId)) return false;
  return timingSafeEqual(Buffer.from(publicId.slice(RANDOM_CHARS)), Buffer.from(checkOf(publicId.slice(0, RANDOM_CHARS), checkKey)));
}

/** SHA-256 of a key or token, lower-case hex: what is kept of it. */
export const keySha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

/** Whether two hashes are the same one, in a time that does not say where they differ. */
export const sameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** How a key begins: to find it again, without its secret. */
export const visiblePart = (prefix: KeyPrefix, publicId: string): string => `${prefix}-${publicId}`;

function checkOf(name: string, checkKey: Uint8Array): string {
  let rest = createHmac('sha256', checkKey).update(name).digest().readBigUInt64BE(0);
  let check = '';
  for (let i = 0; i < CHECK_CHARS; i++) {
    check += ALPHABET[Number(rest % 62n)] ?? '';
    rest /= 62n;
  }
  return check;
}

/** Each character as likely as any other: bytes beyond the last whole multiple of 62 are thrown away. */
function base62(length: number, random: RandomBytes): string {
  let text = '';
  while (text.length < length) {
    for (const byte of random(length)) if (byte < 248 && text.length < length) text += ALPHABET[byte % 62] ?? '';
  }
  return text;
}
