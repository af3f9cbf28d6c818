import { randomBytes } from 'node:crypto';
import { DejaError, newId } from '@deja/contracts';
import { CompactEncrypt, importJWK } from 'jose';
import type { FetchDataKey } from '../src/capture/data-keys.ts';

/** A router with data keys of tenants, which may be away, and destroy them. */
export class ScriptedDataKeys {
  readonly asked: string[] = [];
  isAway = false;
  /** Answers wait for it. */
  before: Promise<unknown> = Promise.resolve();
  readonly #keys = new Map<string, { id: string; tenant: string; key: Buffer }>();
  readonly #current = new Map<string, string>();
  readonly #gone = new Set<string>();

  readonly ask: FetchDataKey = async ({ tenant, id, publicKey }) => {
    this.asked.push(`${tenant} ${id === null ? 'current' : 'by id'}`);
    if (this.isAway) throw new Error('no router');
    const found = id === null ? this.#currentOf(tenant) : this.#keys.get(id);
    await this.before;
    if (found === undefined || found.tenant !== tenant || this.#gone.has(tenant)) throw new DejaError('not_found', 'There is no such key.');
    const to = await importJWK({ ...publicKey, alg: 'ECDH-ES' }, 'ECDH-ES');
    return { id: found.id, jwe: await new CompactEncrypt(found.key).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' }).encrypt(to) };
  };

  shred(tenant: string): void {
    this.#keys.delete(this.#current.get(tenant) ?? '');
    this.#current.delete(tenant);
  }

  deleteTenant(tenant: string): void {
    this.shred(tenant);
    this.#gone.add(tenant);
  }

  #currentOf(tenant: string): { id: string; tenant: string; key: Buffer } | undefined {
    const known = this.#keys.get(this.#current.get(tenant) ?? '');
    if (known !== undefined) return known;
    const made = { id: newId(), tenant, key: randomBytes(32) };
    this.#keys.set(made.id, made);
    this.#current.set(tenant, made.id);
    return made;
  }
}
