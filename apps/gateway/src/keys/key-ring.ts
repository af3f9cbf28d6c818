import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DejaError, type Principal, type RouterRpc } from '@deja/contracts';

type Resolution = RouterRpc['resolve_key']['reply'];
/** Asks the router who a key is. */
export type ResolveKey = (keySha256: string) => Promise<Resolution>;

const KNOWN_KEYS = 10_000;
const UNKNOWN_KEYS = 10_000;
const FRESH_MS = 5 * 60_000;
/** A made-up key is asked about once in this time, not on every try. */
const UNKNOWN_FRESH_MS = 5_000;
/** How long a known key stays good where nobody can tell whether it still is, unless told otherwise. */
const STALE_OK_MS = 60_000;

interface Cached {
  resolution: Resolution;
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
  private readonly known = new Map<string, Cached>();
  private readonly unknown = new Map<string, Cached>();
  private readonly asking = new Map<string, Promise<Resolution>>();
  /** Grows with every invalidation, so that an answer that was under way at that moment is used once and not kept. */
  private generation = 0;

  constructor(
    private readonly resolve: ResolveKey,
    private readonly now: () => number = Date.now,
    private readonly staleOkMs: () => number = () => STALE_OK_MS,
  ) {}

  /** Throws 401 for a missing or unknown key, 403 for a disabled or expired one, 503 when nobody can tell. */
  async authenticate(headers: IncomingHttpHeaders): Promise<Principal> {
    const key = presentedKey(headers);
    if (key === null) throw new DejaError('invalid_api_key', "No API key was given. Send it as 'Authorization: Bearer <key>'.");
    const keySha256 = createHash('sha256').update(key).digest('hex');
    const resolution = this.cached(keySha256) ?? (await this.ask(keySha256));
    return admit(resolution, this.now());
  }

  /** Forgets these keys. Without any: changes may have been missed, so that each is asked about before it is used again, if anybody can tell. */
  forget(keySha256s?: string[]): void {
    this.generation++;
    this.asking.clear();
    if (keySha256s === undefined) {
      const nowMs = this.now();
      for (const cached of this.known.values()) {
        cached.usableUntilMs = Math.min(cached.usableUntilMs, nowMs + this.staleOkMs());
        cached.untilMs = Math.min(cached.untilMs, nowMs);
        cached.unanswered = false;
      }
      this.unknown.clear();
      return;
    }
    for (const keySha256 of keySha256s) {
      this.known.delete(keySha256);
      this.unknown.delete(keySha256);
    }
  }

  private cached(keySha256: string): Resolution | undefined {
    const hit = this.known.get(keySha256) ?? this.unknown.get(keySha256);
    if (hit === undefined) return undefined;
    if (hit.untilMs > this.now()) return hit.resolution;
    if (!hit.unanswered || hit.usableUntilMs <= this.now()) return undefined;
    void this.ask(keySha256).catch(() => undefined);
    return hit.resolution;
  }

  private async ask(keySha256: string): Promise<Resolution> {
    const underWay = this.asking.get(keySha256);
    if (underWay) return underWay;
    const { generation } = this;
    const asked = this.resolve(keySha256)
      .then((resolution) => {
        if (generation === this.generation) this.keep(keySha256, resolution);
        return resolution;
      })
      .catch((cause: unknown) => {
        const known = this.known.get(keySha256);
        if (known !== undefined && known.usableUntilMs > this.now()) {
          known.unanswered = true;
          return known.resolution;
        }
        throw new DejaError('overloaded', 'The key cannot be checked at the moment. Try again shortly.', { retryAfterMs: 1000, cause });
      })
      .finally(() => {
        if (this.asking.get(keySha256) === asked) this.asking.delete(keySha256);
      });
    this.asking.set(keySha256, asked);
    return asked;
  }

  private keep(keySha256: string, resolution: Resolution): void {
    const isKnown = resolution.status !== 'unknown';
    const cache = isKnown ? this.known : this.unknown;
    if (cache.size >= (isKnown ? KNOWN_KEYS : UNKNOWN_KEYS)) cache.delete(cache.keys().next().value ?? '');
    const untilMs = this.now() + (isKnown ? FRESH_MS : UNKNOWN_FRESH_MS);
    // What it was before, it is no more.
    this.known.delete(keySha256);
    this.unknown.delete(keySha256);
    cache.set(keySha256, { resolution, untilMs, usableUntilMs: isKnown ? untilMs + this.staleOkMs() : untilMs, unanswered: false });
  }
}

function admit(resolution: Resolution, nowMs: number): Principal {
  const { status, principal } = resolution;
  if (status === 'disabled') throw new DejaError('key_disabled', 'This API key is disabled.');
  if (status === 'expired' || (principal?.expiresAtMs != null && principal.expiresAtMs <= nowMs)) throw new DejaError('key_expired', 'This API key has expired.');
  if (status === 'unknown' || principal === null) throw new DejaError('invalid_api_key', 'Incorrect API key provided.');
  return principal;
}

const MAX_KEY_CHARS = 512;

/** The key as clients send it: `Authorization: Bearer`, `api-key` (Azure's SDK) or `x-api-key` (Anthropic's). */
function presentedKey(headers: IncomingHttpHeaders): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  const key = bearer ?? first(headers['api-key']) ?? first(headers['x-api-key']);
  return key === undefined || key === '' || key.length > MAX_KEY_CHARS ? null : key;
}

const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);
