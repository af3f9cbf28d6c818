import { compactDecrypt, exportJWK, generateKeyPair, type CryptoKey } from 'jose';
import { DejaError, type CredentialRef, type JsonWebKeyPublic, type RouterRpc, type RoutingSnapshot } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';

type Leases = RouterRpc['credential']['reply']['leases'];
/** Asks the router for sealed credential values. */
export type FetchLeases = (request: RouterRpc['credential']['request']) => Promise<{ leases: Leases }>;

const idOf = (ref: { id: string; version: string }): string => `${ref.id}@${ref.version}`;

/** Credential values this process may use: fetched sealed to a key pair that never leaves it, kept by version. */
export class CredentialLeases {
  private readonly values = new Map<string, string>();
  private readonly fetching = new Map<string, Promise<void>>();
  private readonly keys = generateKeyPair('ECDH-ES', { crv: 'P-256' });

  constructor(
    private readonly fetchLeases: FetchLeases,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  /** Fetches what a new snapshot names before a request needs it, and drops what it no longer names. */
  prefetch(snapshot: RoutingSnapshot): void {
    const refs = new Map(snapshot.deployments.flatMap((d) => d.credentials.map((c) => [idOf(c), c] as const)));
    for (const id of this.values.keys()) if (!refs.has(id)) this.values.delete(id);
    const missing = [...refs.values()].filter((ref) => !this.values.has(idOf(ref)));
    if (missing.length > 0) {
      this.fetch(missing).catch((error: unknown) => this.logger.warn({ err: error }, 'credentials could not be fetched ahead; the first request will ask again'));
    }
  }

  /** The value, from memory or from the router. Throws `no_deployment_available` when it cannot be had. */
  async value(ref: CredentialRef): Promise<string> {
    const known = this.values.get(idOf(ref));
    if (known !== undefined) return known;
    try {
      await (this.fetching.get(idOf(ref)) ?? this.fetch([ref]));
    } catch (cause) {
      throw new DejaError('no_deployment_available', 'The credential of the provider cannot be had at the moment.', { retryAfterMs: 1000, cause });
    }
    const value = this.values.get(idOf(ref));
    if (value === undefined) throw new DejaError('no_deployment_available', 'The credential of the provider is not available.', { retryAfterMs: 1000 });
    return value;
  }

  /** Forgets values at once. */
  revoke(ids: string[]): void {
    for (const known of this.values.keys()) if (ids.some((id) => known.startsWith(`${id}@`))) this.values.delete(known);
  }

  private fetch(refs: { id: string; version: string }[]): Promise<void> {
    const fetching = this.request(refs).finally(() => {
      for (const ref of refs) this.fetching.delete(idOf(ref));
    });
    for (const ref of refs) this.fetching.set(idOf(ref), fetching);
    return fetching;
  }

  private async request(refs: { id: string; version: string }[]): Promise<void> {
    const { publicKey, privateKey } = await this.keys;
    const jwk = (await exportJWK(publicKey)) as JsonWebKeyPublic;
    const { leases } = await this.fetchLeases({ credentials: refs.map(({ id, version }) => ({ id, version })), publicKey: jwk });
    for (const lease of leases) this.values.set(idOf(lease), await open(lease.jwe, privateKey));
  }
}

async function open(jwe: string, privateKey: CryptoKey): Promise<string> {
  const { plaintext } = await compactDecrypt(jwe, privateKey, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] });
  return new TextDecoder().decode(plaintext);
}
