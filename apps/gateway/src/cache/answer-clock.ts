/** More than one reading, so that a single slow reply does not count. */
const KEPT = 8;

/**
 * What Redis's clock says, without asking: answers and invalidations go by one clock, whatever the clocks of the gateways say. It is never
 * ahead of Redis's own, and behind by no more than the fastest of the last replies took on its way back.
 */
export class AnswerClock {
  private readonly leads: number[] = [];

  /** @param redisMs what Redis said, Unix ms @param heardAtMs when its reply was here, by a clock that never steps (`performance.now()`) */
  heard(redisMs: number, heardAtMs: number): void {
    this.leads.push(redisMs - heardAtMs);
    if (this.leads.length > KEPT) this.leads.shift();
  }

  /** Unix ms, whole; null before anything was heard. @param atMs by the clock that never steps */
  at(atMs: number): number | null {
    return this.leads.length === 0 ? null : Math.floor(atMs + Math.max(...this.leads));
  }
}
