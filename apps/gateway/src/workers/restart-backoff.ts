const FIRST_MS = 250;
const MOST_MS = 15_000;
/** Whoever has lived for so long was well. */
const WELL_AFTER_MS = 30_000;

/** How long to wait until a process that has ended is started again, so that one which cannot live does not use up a processor by dying. */
export class RestartBackoff {
  private quickDeaths = 0;

  /** Milliseconds until the next start, after a life of `livedMs`: doubled with each death, up to a quarter of a minute, until one lives for half a minute. */
  afterLifeOf(livedMs: number): number {
    this.quickDeaths = livedMs >= WELL_AFTER_MS ? 1 : this.quickDeaths + 1;
    return Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(this.quickDeaths - 1, 16));
  }
}
