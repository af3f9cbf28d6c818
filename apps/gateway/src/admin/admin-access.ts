import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ADMIN_TOKEN_PREFIX, CLIENT_KEY_PREFIX, DejaError, keySha256, publicIdOf, type AdminActor, type RouterRpc } from '@deja/contracts';

/** Who calls, without the call. */
export type Caller = Omit<AdminActor, 'from' | 'requestId'>;

/** Asks the router whose an admin token is. */
export type ResolveToken = (request: RouterRpc['resolve_admin_token']['request']) => Promise<RouterRpc['resolve_admin_token']['reply']>;

const ROOT: Caller = { id: 'root', name: 'root', role: 'owner', tenant: null };

/** Who may use the admin surface. Holds a hash of the root key, never the key, and nothing of a token: what was revoked is so at once. */
export class AdminAccess {
  readonly #keySha256: Buffer | null;

  /** @param adminKey null switches the whole surface off */
  constructor(
    adminKey: string | null,
    private readonly resolve: ResolveToken,
  ) {
    this.#keySha256 = adminKey === null ? null : sha256(adminKey);
  }

  /** Throws 404 where the surface is switched off, 401 for a key that is missing, wrong, or a client's, 503 where nobody can say whose a token is. */
  async admit(headers: IncomingHttpHeaders): Promise<Caller> {
    if (this.#keySha256 === null) throw nothingHere();
    const key = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    if (key === undefined) throw new DejaError('invalid_api_key', "No admin key was given. Send it as 'Authorization: Bearer <key>'.");
    // Also where somebody made a client key the admin key: applications hold client keys.
    if (key.startsWith(`${CLIENT_KEY_PREFIX}-`)) throw new DejaError('invalid_api_key', 'A client key does not open the admin API.');
    // Hashes have one length, so comparing them tells nothing about the key's.
    if (timingSafeEqual(sha256(key), this.#keySha256)) return ROOT;
    const publicId = publicIdOf(key, ADMIN_TOKEN_PREFIX);
    const actor = publicId === null ? null : (await this.resolve({ tokenSha256: keySha256(key), publicId })).actor;
    if (actor === null) throw new DejaError('invalid_api_key', 'Incorrect admin key provided.');
    return actor;
  }
}

/** For every address that is none, and for all of them where the surface is switched off. */
export const nothingHere = (): DejaError => new DejaError('not_found', 'There is nothing at this address.');

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
