/** What one second used. */
export interface WindowEntry {
  readonly second: number;
  requests: number;
  tokens: number;
  /** It has left the window. */
  gone: boolean;
}

/** A sliding window in this process alone, exact to a second: a charge counts until its whole second has left the window. The clock may stand still, and is not followed backwards. */
export class LocalWindow {
  private entries: WindowEntry[] = [];
  /** The first of `entries` that counts. */
  private head = 0;
  private readonly sums = { requests: 0, tokens: 0 };
  private nowS = 0;

  constructor(private readonly lengthS: number) {}

  used(counts: 'requests' | 'tokens', nowMs: number): number {
    this.expire(nowMs);
    return this.sums[counts];
  }

  /** The entry is where a correction goes. */
  add(nowMs: number, requests: number, tokens: number): WindowEntry {
    this.expire(nowMs);
    let entry = this.entries.at(-1);
    if (entry === undefined || entry.second !== this.nowS) this.entries.push((entry = { second: this.nowS, requests: 0, tokens: 0, gone: false }));
    this.change(entry, requests, tokens);
    return entry;
  }

  /** Changes nothing of an entry that counts no more. */
  change(entry: WindowEntry, requests: number, tokens: number): void {
    if (entry.gone) return;
    entry.requests += requests;
    entry.tokens += tokens;
    this.sums.requests += requests;
    this.sums.tokens += tokens;
  }

  /** Until `needed` fits under `limit`, if nothing is added meanwhile; ms. `needed` is no more than `limit`. */
  roomAfterMs(counts: 'requests' | 'tokens', needed: number, limit: number, nowMs: number): number {
    this.expire(nowMs);
    let excess = this.sums[counts] + needed - limit;
    if (excess <= 0) return 0;
    for (let i = this.head; i < this.entries.length; i++) {
      const entry = this.entries[i];
      if (entry === undefined) break;
      excess -= entry[counts];
      if (excess <= 0) return Math.max(1, (entry.second + this.lengthS + 1) * 1000 - nowMs);
    }
    return this.lengthS * 1000;
  }

  private expire(nowMs: number): void {
    this.nowS = Math.max(this.nowS, Math.floor(nowMs / 1000));
    for (let entry = this.entries[this.head]; entry !== undefined && entry.second < this.nowS - this.lengthS; entry = this.entries[this.head]) {
      this.sums.requests -= entry.requests;
      this.sums.tokens -= entry.tokens;
      entry.gone = true;
      this.head++;
    }
    if (this.head < 1024 && this.head < this.entries.length) return;
    this.entries = this.entries.slice(this.head);
    this.head = 0;
  }
}
