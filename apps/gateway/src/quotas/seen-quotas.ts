import type { QuotaSaid, RateLimitsSaid } from './rate-limit-headers.ts';

/** A quota that is more than half there and good for so many calls is not worth a look into Redis at every one of them. */
const FAR_CALLS = 200;
const FAR_SHARE = 0.5;
/** For how long: others may use it up meanwhile. */
const FAR_MS = 5000;
const MOST_SEEN = 4096;

interface Seen {
  /** What was said last, and when; null after a 429 or where only others know. */
  said: RateLimitsSaid | null;
  saidAtMs: number;
  waitUntilMs: number;
}

/** What this process knows of limited credentials (`id@version:model`) by itself. */
export class SeenQuotas {
  private readonly byName = new Map<string, Seen>();

  /** Takes in what a reply said; `waitUntilMs` after a 429. */
  learn(name: string, said: RateLimitsSaid, waitUntilMs: number | null, nowMs: number): void {
    const tells = said.requests !== null || said.tokens !== null;
    if (!tells && waitUntilMs === null) return;
    const seen = this.entry(name);
    seen.said = waitUntilMs === null ? said : null;
    seen.saidAtMs = nowMs;
    seen.waitUntilMs = Math.max(seen.waitUntilMs, waitUntilMs ?? 0);
  }

  announced(name: string): void {
    this.entry(name);
  }

  /** Whether the credential is limited, and not far from its limit as far as is known. `tokens`: what one call takes. */
  isNear(name: string, tokens: number, nowMs: number): boolean {
    const seen = this.byName.get(name);
    if (seen === undefined) return false;
    return seen.said === null || nowMs - seen.saidAtMs > FAR_MS || !isFar(seen.said.requests, 1) || !isFar(seen.said.tokens, Math.max(1, tokens));
  }

  waitMs(name: string, nowMs: number): number {
    return Math.max(0, (this.byName.get(name)?.waitUntilMs ?? 0) - nowMs);
  }

  private entry(name: string): Seen {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const seen = { said: null, saidAtMs: 0, waitUntilMs: 0 };
    this.byName.set(name, seen);
    const [oldest] = this.byName.keys();
    if (this.byName.size > MOST_SEEN && oldest !== undefined) this.byName.delete(oldest);
    return seen;
  }
}

const isFar = (said: QuotaSaid | null, need: number): boolean =>
  said === null || (said.limit !== null && said.remaining > FAR_SHARE * said.limit && said.remaining > FAR_CALLS * need);
