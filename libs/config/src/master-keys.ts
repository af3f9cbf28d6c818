import { createHash } from 'node:crypto';
import { Secret } from './secret.ts';

/** A key that wraps the data keys of the router's vault. */
export interface MasterKey {
  /** What a wrapped data key says it is wrapped by. A name for people: one that is not given any more does not keep its key from unwrapping. */
  id: string;
  /** 32 bytes in base64. */
  key: Secret;
}

export const MASTER_KEY_BYTES = 32;
/** Of 32 bytes, with either alphabet of RFC 4648 and with or without its padding. */
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/;
const ID_LABEL = 'deja master key id\0';

/**
 * The master keys in a text such as `2026:<base64>,2025:<base64>`; the first one is current. They stand between commas or blanks (a file
 * may have one on each line). One without an id is named after a hash of itself, so that all replicas name it alike. A problem is
 * the end of a sentence that begins with the variable's name; it says nothing of a key.
 */
export function parseMasterKeys(text: string): { keys: MasterKey[] } | { problem: string } {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.length === 0) return { problem: 'holds no key: write 32 random bytes in base64' };
  const keys = new Map<string, MasterKey>();
  for (const [index, entry] of entries.entries()) {
    const which = entries.length === 1 ? 'its key' : `key ${index + 1} of ${entries.length}`;
    const colon = entry.indexOf(':');
    const encoded = entry.slice(colon + 1);
    const bytes = BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : null;
    if (bytes?.length !== MASTER_KEY_BYTES) return { problem: `must hold keys of exactly 32 bytes in base64, but ${which} is none` };
    const id = colon === -1 ? idOf(bytes) : entry.slice(0, colon);
    if (!KEY_ID.test(id)) return { problem: `must name keys by letters, digits, ".", "_" and "-", at most 64 of them, but ${which} has another id` };
    if (keys.has(id)) return { problem: `must name each key once, but ${which} has the id of another: choose one of its own` };
    keys.set(id, { id, key: new Secret(bytes.toString('base64')) });
    bytes.fill(0);
  }
  return { keys: [...keys.values()] };
}

function idOf(key: Buffer): string {
  return `mk-${createHash('sha256').update(ID_LABEL).update(key).digest('hex').slice(0, 8)}`;
}
