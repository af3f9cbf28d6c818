import type { IncomingHttpHeaders } from 'node:http';
import { CLIENT_KEY_PREFIX, DejaError, keySha256, publicIdOf, type Principal, type Priority, type RouterRpc } from '@deja/contracts';
import { checkEndpoint, checkNetwork } from './key-checks.ts';

type Question = RouterRpc['resolve_key']['request'];
type Resolution = RouterRpc['resolve_key']['reply'];

/** Who comes with a key, and what for. An operation is one. */
export interface Caller {
  headers: IncomingHttpHeaders;
  /** Where the request comes from; null where that cannot be told. */
  address: string | null;
  /** Below `/v1/`, as the ledger names it. */
  endpoint: string;
}

export interface KeyRingOptions {
  /** Asks the router who a key is. */
  resolve: (question: Question) => Promise<Resolution>;
  now?: () => number;
  /** How long a known key stays good where nobody can tell whether it still is. */
  staleOkMs?: () => number;
  /** Whether a router is heard, so that changes come by themselves. */
  pushHealthy?: () => boolean;
  /** What Redis has of a tenant's revision; null where it has none, or does not say it at once. Never rejects. */
  tenantRevision?: (tenant: string) => Promise<number | null>;
}

const KNOWN_KEYS = 10_000;
const UNKNOWN_KEYS = 10_000;
const FRESH_MS = 5 * 60_000;
/** The same while no router is heard that could tell of a change. */
const UNHEARD_FRESH_MS = 1_000;
/** A made-up key is asked about once in this time, not on every try. */
const UNKNOWN_FRESH_MS = 5_000;
/** Different keys that a router is asked about at once: they end within its deadline, and more are made up. */
const ASKED_AT_ONCE = 1000;
const STALE_OK_MS = 60_000;
/** While no router is heard, whoever comes with a key that was known waits no longer to hear whether it still is. */
const KNOWN_WAIT_MS = 250;

interface Cached {
  resolution: Resolution;
  /** When the router was asked. */
  askedAtMs: number;
  /** Not to be asked about before. */
  untilMs: number;
  /** From `untilMs` to here it is used where nobody can tell. */
  usableUntilMs: number;
  /** Nobody could tell when it was asked about last: who comes next does not wait for that. */
  unanswered: boolean;
}

/**
 * Client keys this process knows. Holds hashes and principals, never a key; forgets when the router says so. One that was known is
 * used for a while where no router can be asked: that routers are away, or cannot be reached, fails no request.
 */
export class KeyRing {
  private readonly resolve: KeyRingOptions['resolve'];
  private readonly now: () => number;
  private readonly staleOkMs: () => number;
  private readonly pushHealthy: () => boolean;
  private readonly tenantRevision: (tenant: string) => Promise<number | null>;
  private readonly known = new Map<string, Cached>();
  private readonly unknown = new Map<string, Cached>();
  private readonly asking = new Map<string, Promise<Resolution>>();
  /** Questions at a router, those also whose answers nobody will be given any more. */
  private unanswered = 0;
  /** Principals that are older than their tenant although they were just asked for: the router knows no newer one. */
  private readonly asNewAsCanBe = new WeakMap<Principal, { revision: number; untilMs: number }>();
  /** Grows with every invalidation, so that an answer that was under way at that moment is used once and not kept. */
  private generation = 0;

  constructor({ resolve, now = Date.now, staleOkMs = () => STALE_OK_MS, pushHealthy = () => true, tenantRevision = () => Promise.resolve(null) }: KeyRingOptions) {
    this.resolve = resolve;
    this.now = now;
    this.staleOkMs = staleOkMs;
    this.pushHealthy = pushHealthy;
    this.tenantRevision = tenantRevision;
  }

  /**
   * Who this is, and that the key may be used from there and for that. Throws 401 for a missing or unknown key, 403 for one that is disabled
   * or expired, is used from a network or for an endpoint that it is not for, or whose tenant is disabled, 503 when nobody can tell.
   */
  async authenticate(caller: Caller): Promise<Principal> {
    const question = questionOf(caller.headers);
    return this.admitted(caller, this.cached(question) ?? (await this.inTime(question.keySha256, this.ask(question))));
  }

  /** The same without a wait; null where the key has to be asked about. Throws as `authenticate` rejects. */
  authenticateKnown(caller: Caller): Principal | null {
    const resolution = this.cached(questionOf(caller.headers));
    return resolution === undefined ? null : this.admitted(caller, resolution);
  }

  /** The same for calls that reserve nothing, and so hear nothing of the tenant's revision on the way. Throws as `authenticate` does. */
  async authenticateAlone(caller: Caller): Promise<Principal> {
    const principal = await this.authenticate(caller);
    return this.confirm(caller, principal, await this.tenantRevision(principal.tenant));
  }

  /** Whether the tenant or one of its keys has changed since this was heard. @param tenantRevision what Redis has of it; null: nothing */
  isStale(principal: Principal, tenantRevision: number | null): boolean {
    if (tenantRevision === null || tenantRevision <= principal.revision) return false;
    const known = this.asNewAsCanBe.get(principal);
    return known === undefined || known.revision < tenantRevision || known.untilMs <= this.now();
  }

  /** The same principal where it is not stale, else the one of now: throws as `authenticate` does when the key may not be used any more. */
  async confirm(caller: Caller, principal: Principal, tenantRevision: number | null): Promise<Principal> {
    if (tenantRevision === null || !this.isStale(principal, tenantRevision)) return principal;
    const { keySha256: hash } = questionOf(caller.headers);
    const cached = this.known.get(hash);
    // Of many requests that see it at once, the first has it asked about and the others wait for the same answer.
    if (cached?.resolution.principal === principal && cached.untilMs > this.now()) {
      this.beginAnew();
      this.doubt(cached);
    }
    const again = await this.authenticate(caller);
    if (again.revision < tenantRevision) this.asNewAsCanBe.set(again, { revision: tenantRevision, untilMs: this.now() + UNHEARD_FRESH_MS });
    return again;
  }

  /** What the key in these headers has, as far as it is known here; whether it may be used is not asked. Costs one hash. */
  priorityOf(headers: IncomingHttpHeaders): Priority | null {
    const key = presentedKey(headers);
    const principal = key === null ? null : this.known.get(keySha256(key))?.resolution.principal;
    return principal ? (principal.priority ?? 'interactive') : null;
  }

  /** Forgets these keys. Without any: changes may have been missed, so that each is asked about before it is used again, if anybody can tell. */
  forget(hashes?: string[]): void {
    this.beginAnew();
    if (hashes === undefined) {
      for (const cached of this.known.values()) this.doubt(cached);
      this.unknown.clear();
      return;
    }
    for (const hash of hashes) {
      this.known.delete(hash);
      this.unknown.delete(hash);
    }
  }

  /** Something of this tenant's keys was changed: each is asked about before it is used again, if anybody can tell. */
  forgetTenant(tenant: string): void {
    this.beginAnew();
    // Whose a key is that may not be used is not known here.
    for (const cached of this.known.values()) if (cached.resolution.principal === null || cached.resolution.principal.tenant === tenant) this.doubt(cached);
  }

  private admitted({ address, endpoint }: Caller, resolution: Resolution): Principal {
    const principal = admit(resolution, this.now());
    checkNetwork(principal, address);
    checkEndpoint(principal, endpoint);
    return principal;
  }

  private beginAnew(): void {
    this.generation++;
    this.asking.clear();
  }

  private doubt(cached: Cached): void {
    const nowMs = this.now();
    cached.usableUntilMs = Math.min(cached.usableUntilMs, nowMs + this.staleOkMs());
    cached.untilMs = Math.min(cached.untilMs, nowMs);
    cached.unanswered = false;
  }

  private cached(question: Question): Resolution | undefined {
    const hit = this.known.get(question.keySha256) ?? this.unknown.get(question.keySha256);
    if (hit === undefined) return undefined;
    const nowMs = this.now();
    if (hit.untilMs > nowMs && nowMs - hit.askedAtMs >= UNHEARD_FRESH_MS && !this.pushHealthy() && hit.resolution.status !== 'unknown') this.doubt(hit);
    if (hit.untilMs > nowMs) return hit.resolution;
    if (!hit.unanswered || hit.usableUntilMs <= nowMs) return undefined;
    void this.ask(question).catch(() => undefined);
    return hit.resolution;
  }

  /** What is heard of it, or after a while what was known: the answer is kept when it comes. */
  private async inTime(hash: string, asked: Promise<Resolution>): Promise<Resolution> {
    const known = this.known.get(hash);
    if (known === undefined || known.usableUntilMs <= this.now() || this.pushHealthy()) return asked;
    let timer: NodeJS.Timeout | undefined;
    const tired = new Promise<Resolution>((resolve) => {
      timer = setTimeout(() => {
        known.unanswered = true;
        resolve(known.resolution);
      }, KNOWN_WAIT_MS);
    });
    try {
      return await Promise.race([asked, tired]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async ask(question: Question): Promise<Resolution> {
    const { keySha256: hash } = question;
    const underWay = this.asking.get(hash);
    if (underWay) return underWay;
    if (this.unanswered >= ASKED_AT_ONCE) throw new DejaError('overloaded', 'Too many keys are being checked at the moment. Try again shortly.', { retryAfterMs: 1000 });
    const { generation } = this;
    const askedAtMs = this.now();
    this.unanswered++;
    const asked = this.resolve(question)
      .then((resolution) => {
        if (generation === this.generation) this.keep(hash, resolution, askedAtMs);
        return resolution;
      })
      .catch((cause: unknown) => {
        const known = this.known.get(hash);
        if (known !== undefined && known.usableUntilMs > this.now()) {
          known.unanswered = true;
          return known.resolution;
        }
        throw new DejaError('overloaded', 'The key cannot be checked at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
      })
      .finally(() => {
        this.unanswered--;
        if (this.asking.get(hash) === asked) this.asking.delete(hash);
      });
    this.asking.set(hash, asked);
    return asked;
  }

  private keep(hash: string, resolution: Resolution, askedAtMs: number): void {
    const isKnown = resolution.status !== 'unknown';
    const cache = isKnown ? this.known : this.unknown;
    // What it was before, it is no more.
    this.known.delete(hash);
    this.unknown.delete(hash);
    if (cache.size >= (isKnown ? KNOWN_KEYS : UNKNOWN_KEYS)) cache.delete(cache.keys().next().value ?? '');
    const untilMs = this.now() + (isKnown ? FRESH_MS : UNKNOWN_FRESH_MS);
    cache.set(hash, { resolution, askedAtMs, untilMs, usableUntilMs: isKnown ? untilMs + this.staleOkMs() : untilMs, unanswered: false });
  }
}

function admit({ status, principal }: Resolution, nowMs: number): Principal {
  if (status === 'tenant_disabled') throw new DejaError('tenant_disabled', 'The tenant of this API key is disabled. Ask the operator of this gateway to enable it.');
  if (status === 'disabled') throw new DejaError('key_disabled', 'This API key is disabled. Use another one, or have it enabled.');
  if (status === 'expired' || (principal?.expiresAtMs != null && principal.expiresAtMs <= nowMs)) throw new DejaError('key_expired', 'This API key has expired. Use a new one.');
  if (status === 'unknown' || principal === null) throw new DejaError('invalid_api_key', 'Incorrect API key provided.');
  return principal;
}

const MAX_KEY_CHARS = 512;

/** What the router is asked about the key in these headers. Throws 401 where there is none. */
function questionOf(headers: IncomingHttpHeaders): Question {
  const key = presentedKey(headers);
  if (key === null) throw new DejaError('invalid_api_key', "No API key was given. Send it as 'Authorization: Bearer <key>'.");
  return { keySha256: keySha256(key), publicId: publicIdOf(key, CLIENT_KEY_PREFIX) };
}

/** The key as clients send it: `Authorization: Bearer`, `api-key` (Azure's SDK) or `x-api-key` (Anthropic's). */
function presentedKey(headers: IncomingHttpHeaders): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  const key = bearer ?? first(headers['api-key']) ?? first(headers['x-api-key']);
  return key === undefined || key === '' || key.length > MAX_KEY_CHARS ? null : key;
}

const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
