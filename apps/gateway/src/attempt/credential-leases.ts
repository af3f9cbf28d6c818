import { compactDecrypt, exportJWK, generateKeyPair, type CryptoKey } from 'jose';
import { MOST_LEASES, type CredentialRef, type JsonWebKeyPublic, type RouterRpc, type RoutingSnapshot } from '@deja/contracts';
import { credentialKey } from '@deja/routing';
import type { Logger } from '@deja/telemetry';

type Leases = RouterRpc['credential']['reply']['leases'];
/** Asks the router for sealed credential values. */
export type FetchLeases = (request: RouterRpc['credential']['request']) => Promise<{ leases: Leases }>;

/** One that could not be had is not asked for again for so long: requests go elsewhere in the meantime. */
const MISSING_MS = 1000;

/**
 * Credential values this process may use: fetched sealed to a key pair that never leaves it, kept by version, and only as long
 * as the snapshot names that version. One that is held is used, whether a router can be reached or not.
 */
export class CredentialLeases {
  private readonly values = new Map<string, string>();
  private readonly fetching = new Map<string, Promise<void>>();
  /** Those that could not be had, and since when (Unix ms). */
  private readonly missing = new Map<string, number>();
  /** Of the latest snapshot; null before there was one. */
  private named: ReadonlyMap<string, CredentialRef> | null = null;
  private readonly keys = generateKeyPair('ECDH-ES', { crv: 'P-256' });

  constructor(
    private readonly fetchLeases: FetchLeases,
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** Fetches what a new snapshot names before a request needs it, and drops what it no longer names. */
  prefetch(snapshot: Pick<RoutingSnapshot, 'deployments'>): void {
    const refs = new Map(snapshot.deployments.flatMap((d) => d.credentials.map((c) => [credentialKey(c), c] as const)));
    this.named = refs;
    for (const key of [...this.values.keys(), ...this.fetching.keys()]) if (!refs.has(key)) this.forget(key);
    this.missing.clear();
    const absent = [...refs].filter(([key]) => !this.values.has(key) && !this.fetching.has(key)).map(([, ref]) => ref);
    for (let i = 0; i < absent.length; i += MOST_LEASES) {
      this.fetch(absent.slice(i, i + MOST_LEASES)).catch((error: unknown) => this.logger.warn({ err: error }, 'credentials could not be fetched ahead; the first request will ask again'));
    }
  }

  /** The same credential as the latest snapshot has it, whose value may have been replaced since a plan was made; null where that has none for the same tenant and address. */
  current(ref: CredentialRef): CredentialRef | null {
    if (this.named === null || this.named.has(credentialKey(ref))) return ref;
    const isSame = (other: CredentialRef): boolean => other.id === ref.id && other.retiring !== true && other.tenant === ref.tenant && other.baseUrl === ref.baseUrl;
    return [...this.named.values()].find(isSame) ?? null;
  }

  /** The value, from memory or from the router; null when it cannot be had. */
  async value(ref: Pick<CredentialRef, 'id' | 'version'>): Promise<string | null> {
    const key = credentialKey(ref);
    const known = this.values.get(key);
    if (known !== undefined) return known;
    if (this.now() - (this.missing.get(key) ?? -Infinity) < MISSING_MS) return null;
    try {
      await (this.fetching.get(key) ?? this.fetch([ref]));
    } catch (error) {
      this.logger.warn({ err: error, credential: ref.id }, 'a credential could not be fetched; what needs it goes elsewhere');
    }
    const value = this.values.get(key) ?? null;
    if (value === null) this.missing.set(key, this.now());
    return value;
  }

  /** Forgets values at once: every version of an id, or one of them (`id@version`). What is on its way is not taken in any more. */
  revoke(ids: string[]): void {
    for (const key of [...this.values.keys(), ...this.fetching.keys()]) if (ids.some((id) => key === id || key.startsWith(`${id}@`))) this.forget(key);
  }

  private forget(key: string): void {
    this.values.delete(key);
    this.fetching.delete(key);
  }

  private fetch(refs: Pick<CredentialRef, 'id' | 'version'>[]): Promise<void> {
    const wanted = (key: string): boolean => this.fetching.get(key) === fetching;
    const fetching: Promise<void> = this.request(refs, wanted).finally(() => {
      for (const ref of refs) if (wanted(credentialKey(ref))) this.fetching.delete(credentialKey(ref));
    });
    for (const ref of refs) this.fetching.set(credentialKey(ref), fetching);
    return fetching;
  }

  private async request(refs: Pick<CredentialRef, 'id' | 'version'>[], wanted: (key: string) => boolean): Promise<void> {
    const { publicKey, privateKey } = await this.keys;
    const jwk = (await exportJWK(publicKey)) as JsonWebKeyPublic;
    const { leases } = await this.fetchLeases({ credentials: refs.map(({ id, version }) => ({ id, version })), publicKey: jwk });
    for (const lease of leases) {
      const key = credentialKey(lease);
      const value = await open(lease.jwe, privateKey);
      // It may have been revoked, or replaced, while it was on its way.
      if (wanted(key) && this.named?.has(key) !== false) this.values.set(key, value);
    }
  }
}

async function open(jwe: string, privateKey: CryptoKey): Promise<string> {
  const { plaintext } = await compactDecrypt(jwe, privateKey, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] });
  return new TextDecoder().decode(plaintext);
}
