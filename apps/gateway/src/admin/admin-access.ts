import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DejaError } from '@deja/contracts';

/** How client keys begin. */
const CLIENT_KEY = 'sk-deja-';

/** Who may use the admin surface. Holds a hash of the admin key, never the key. */
export class AdminAccess {
  readonly #keySha256: Buffer | null;

  /** @param adminKey null switches the whole surface off */
  constructor(adminKey: string | null) {
    this.#keySha256 = adminKey === null ? null : sha256(adminKey);
  }

  /** Throws 404 where the surface is switched off, 401 for a key that is missing, wrong, or a client's. */
  admit(headers: IncomingHttpHeaders): void {
    if (this.#keySha256 === null) throw nothingHere();
    const key = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (key === undefined) throw new DejaError('invalid_api_key', "No admin key was given. Send it as 'Authorization: Bearer <key>'.");
    // Also where somebody made a client key the admin key: applications hold client keys.
    if (key.startsWith(CLIENT_KEY)) throw new DejaError('invalid_api_key', 'A client key does not open the admin API.');
    // Hashes have one length, so comparing them tells nothing about the key's.
    if (!timingSafeEqual(sha256(key), this.#keySha256)) throw new DejaError('invalid_api_key', 'Incorrect admin key provided.');
  }
}

/** For every address that is none, and for all of them where the surface is switched off. */
export const nothingHere = (): DejaError => new DejaError('not_found', 'There is nothing at this address.');

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
