/** Repeats that every place may have whatever it gets to do, per second. */
const FLOOR_PER_S = 3;
/** Most repeats that can be saved up, and what a place begins with. */
const MOST = 20;
/** More buckets than this, and those that are full again are forgotten: a new one is as full. */
const MOST_BUCKETS = 1000;

interface Bucket {
  repeats: number;
  atMs: number;
}

/**
 * How often calls may be repeated at places (a deployment at an address) that fail, so that repeats never become the load that keeps
 * them down: a share of the calls that each gets at first hand, and a few a second. A token bucket per place: over any time of `s`
 * seconds with `calls` calls there are at most `20 + 3·s + share·calls` repeats. (Google, "Site Reliability Engineering", chapter 22, "Retry budgets".)
 */
export class RetryBudget {
  private readonly buckets = new Map<string, Bucket>();

  /** A call at first hand. `share` is `settings.retries.budget`. */
  deposit(place: string, share: number, nowMs: number): void {
    const bucket = this.filled(place, nowMs);
    bucket.repeats = Math.min(MOST, bucket.repeats + share);
  }

  /** Takes one repeat; false when there is none. */
  withdraw(place: string, nowMs: number): boolean {
    const bucket = this.filled(place, nowMs);
    if (bucket.repeats < 1) return false;
    bucket.repeats -= 1;
    return true;
  }

  private filled(place: string, nowMs: number): Bucket {
    let bucket = this.buckets.get(place);
    if (bucket === undefined) {
      if (this.buckets.size >= MOST_BUCKETS) this.forgetFull(nowMs);
      bucket = { repeats: MOST, atMs: nowMs };
      this.buckets.set(place, bucket);
    }
    fill(bucket, nowMs);
    return bucket;
  }

  private forgetFull(nowMs: number): void {
    for (const [place, bucket] of this.buckets) {
      fill(bucket, nowMs);
      if (bucket.repeats >= MOST) this.buckets.delete(place);
    }
  }
}

/** A clock that is set back fills nothing. */
function fill(bucket: Bucket, nowMs: number): void {
  bucket.repeats = Math.min(MOST, bucket.repeats + (Math.max(0, nowMs - bucket.atMs) / 1000) * FLOOR_PER_S);
  bucket.atMs = Math.max(bucket.atMs, nowMs);
}
