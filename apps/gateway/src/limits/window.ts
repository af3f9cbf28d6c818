/** Lengths of the sliding window in seconds. A bucket is one second, and counts until it has wholly left the window. */
export const WINDOW_S = 60;

/** What one request takes from a limit. */
export interface Charge {
  requests: number;
  tokens: number;
}

/** A ceiling a request must fit under, and where it is counted. */
export interface Ceiling {
  /** For people: `global`, `tenant`, `key`, `user`. */
  scope: 'global' | 'tenant' | 'key' | 'user';
  /** Redis key of its counters. */
  counter: string;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
}

/** State of a ceiling after a decision. */
export interface CeilingState {
  ceiling: Ceiling;
  usedRequests: number;
  usedTokens: number;
}

/** A sliding window in this process alone: what is left of a limit while Redis is away. Exact to a second. */
export class LocalWindow {
  private readonly buckets = new Map<number, Charge>();
  private readonly used: Charge = { requests: 0, tokens: 0 };

  /** Takes the charge if it fits under the share of the ceiling that is this process's; `share` is in (0, 1]. */
  admit(ceiling: Pick<Ceiling, 'requestsPerMinute' | 'tokensPerMinute'>, charge: Charge, nowMs: number, share: number): boolean {
    const second = Math.floor(nowMs / 1000);
    this.expire(second);
    const fits = (limit: number | null, used: number, added: number): boolean => limit === null || used + added <= Math.max(1, Math.floor(limit * share));
    if (!fits(ceiling.requestsPerMinute, this.used.requests, charge.requests) || !fits(ceiling.tokensPerMinute, this.used.tokens, charge.tokens)) return false;
    const bucket = this.buckets.get(second) ?? { requests: 0, tokens: 0 };
    this.buckets.set(second, { requests: bucket.requests + charge.requests, tokens: bucket.tokens + charge.tokens });
    this.used.requests += charge.requests;
    this.used.tokens += charge.tokens;
    return true;
  }

  private expire(second: number): void {
    for (const [at, bucket] of this.buckets) {
      if (at >= second - WINDOW_S) return;
      this.buckets.delete(at);
      this.used.requests -= bucket.requests;
      this.used.tokens -= bucket.tokens;
    }
  }
}
