import { createSecretKey, type KeyObject } from 'node:crypto';
import { DejaError, type JsonWebKeyPublic, type RouterRpc } from '@deja/contracts';
import type { Logger } from '@deja/telemetry';
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose';

/** Asks the router for a tenant's data key. */
export type FetchDataKey = (request: RouterRpc['data_key']['request']) => Promise<RouterRpc['data_key']['reply']>;

export interface DataKey {
  id: string;
  key: KeyObject;
}

interface Held {
  dataKey: DataKey;
  /** When a router gave it, or nobody answered who could. */
  askedAtMs: number;
  /** Not used any longer without asking. */
  untilMs: number;
  /** Since when nobody answers who could say whether it is still the one; null while somebody does. */
  unansweredSinceMs: number | null;
}

export interface DataKeysOptions {
  /** Whether a router is heard, so that changes come by themselves. */
  pushHealthy?: () => boolean;
  /** How long a known key stays good where nobody can tell whether it still is. */
  staleOkMs?: () => number;
  now?: () => number;
}

const DATA_KEY_BYTES = 32;
const HELD_KEYS = 1_000;
const FRESH_MS = 10 * 60_000;
/** The same while no router is heard that could tell of a change. */
const UNHEARD_FRESH_MS = 1_000;
const STALE_OK_MS = 60_000;

/**
 * The keys that tenants' captured bodies are sealed with: leased from the router, sealed to a key pair that never leaves this process, and forgotten
 * when their tenant changes. A destroyed key is not used for longer than a second; only where no router can be asked, as client keys, for `stale_ok_s`.
 */
export class DataKeys {
  private readonly held = new Map<string, Held>();
  private readonly fetching = new Map<string, Promise<'held' | 'gone' | 'away'>>();
  private readonly keys = generateKeyPair('ECDH-ES', { crv: 'P-256' });
  private readonly pushHealthy: () => boolean;
  private readonly staleOkMs: () => number;
  private readonly now: () => number;
  /** An outage is told of once. */
  private isAway = false;

  constructor(
    private readonly ask: FetchDataKey,
    private readonly logger: Pick<Logger, 'warn'>,
    { pushHealthy = () => true, staleOkMs = () => STALE_OK_MS, now = Date.now }: DataKeysOptions = {},
  ) {
    this.pushHealthy = pushHealthy;
    this.staleOkMs = staleOkMs;
    this.now = now;
  }

  /** The key that a tenant's bodies are sealed with now; null: it has to be fetched first. */
  current(tenant: string): DataKey | null {
    const held = this.held.get(tenant);
    if (held === undefined) return null;
    const nowMs = this.now();
    const fresh = held.untilMs > nowMs && (this.pushHealthy() || nowMs - held.askedAtMs < UNHEARD_FRESH_MS);
    return fresh ? held.dataKey : null;
  }

  /** Asks for it. `gone`: there is no such tenant any more. `away`: nobody could tell. Never rejects. */
  async fetch(tenant: string): Promise<'held' | 'gone' | 'away'> {
    const underWay = this.fetching.get(tenant);
    if (underWay !== undefined) return underWay;
    const fetching: Promise<'held' | 'gone' | 'away'> = this.request(tenant, () => this.fetching.get(tenant) === fetching).finally(() => {
      if (this.fetching.get(tenant) === fetching) this.fetching.delete(tenant);
    });
    this.fetching.set(tenant, fetching);
    return fetching;
  }

  /** A key by its id, for opening; null: it was destroyed. Rejects where nobody answers. It is not held: what is destroyed opens nothing at once. */
  async byId(tenant: string, id: string): Promise<DataKey | null> {
    try {
      return await this.lease(tenant, id);
    } catch (error) {
      if (error instanceof DejaError && error.code === 'not_found') return null;
      throw error;
    }
  }

  /** Something of this tenant was changed: its key may be destroyed. */
  forgetTenant(tenant: string): void {
    this.held.delete(tenant);
    this.fetching.delete(tenant); // what is on its way is not taken in any more
  }

  /** Changes may have been missed: each key is asked for before it is used again, if anybody can tell. */
  doubt(): void {
    this.fetching.clear();
    for (const held of this.held.values()) held.untilMs = 0;
  }

  private async request(tenant: string, isWanted: () => boolean): Promise<'held' | 'gone' | 'away'> {
    const askedAtMs = this.now();
    try {
      const dataKey = await this.lease(tenant, null);
      this.isAway = false;
      if (!isWanted()) return 'away'; // it may have been destroyed while it was on its way
      this.keep(tenant, { dataKey, askedAtMs, untilMs: askedAtMs + FRESH_MS, unansweredSinceMs: null });
      return 'held';
    } catch (error) {
      if (error instanceof DejaError && error.code === 'not_found') {
        if (isWanted()) this.held.delete(tenant);
        return 'gone';
      }
      if (!this.isAway) this.logger.warn({ err: error, tenant }, 'data keys cannot be fetched; what is captured of requests waits, and is dropped when that takes too long');
      this.isAway = true;
      return isWanted() && this.usable(tenant) ? 'held' : 'away';
    }
  }

  /** Goes on with what is held, for a second at a time. */
  private usable(tenant: string): boolean {
    const held = this.held.get(tenant);
    if (held === undefined) return false;
    const nowMs = this.now();
    held.unansweredSinceMs ??= nowMs;
    if (nowMs - held.unansweredSinceMs >= this.staleOkMs()) return false;
    held.askedAtMs = nowMs;
    held.untilMs = nowMs + UNHEARD_FRESH_MS;
    return true;
  }

  private keep(tenant: string, held: Held): void {
    this.held.delete(tenant);
    if (this.held.size >= HELD_KEYS) this.held.delete(this.held.keys().next().value ?? '');
    this.held.set(tenant, held);
  }

  private async lease(tenant: string, id: string | null): Promise<DataKey> {
    const { publicKey, privateKey } = await this.keys;
    const reply = await this.ask({ tenant, id, publicKey: (await exportJWK(publicKey)) as JsonWebKeyPublic });
    const { plaintext } = await compactDecrypt(reply.jwe, privateKey, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] });
    try {
      if (plaintext.length !== DATA_KEY_BYTES) throw new Error('the router answered with something that is no data key');
      return { id: reply.id, key: createSecretKey(plaintext) };
    } finally {
      plaintext.fill(0);
    }
  }
}
