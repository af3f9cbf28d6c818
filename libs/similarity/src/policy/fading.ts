const DAY_MS = 86_400_000;

/** How much something of `atMs` still counts, in (0, 1]. */
export function fading(atMs: number, nowMs: number, halfLifeDays: number): number {
  return 2 ** (-Math.max(0, nowMs - atMs) / (halfLifeDays * DAY_MS));
}

/**
 * Sums that forget: what was added counts half after each half-life. In which order things of different times come does not matter (but for
 * rounding), so replicas that read the same log hold the same sums.
 */
export class FadingSums<Name extends string> {
  private readonly sums: Record<Name, number>;
  private atMs = -Infinity;
  private readonly halfLifeDays: number;

  constructor(names: readonly Name[], halfLifeDays: number) {
    this.sums = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
    this.halfLifeDays = halfLifeDays;
  }

  /** Time of the newest addition, Unix ms; −Infinity before the first. */
  get newestMs(): number {
    return this.atMs;
  }

  add(amounts: Partial<Record<Name, number>>, atMs: number): void {
    if (atMs > this.atMs) {
      for (const name of Object.keys(this.sums) as Name[]) this.sums[name] *= fading(this.atMs, atMs, this.halfLifeDays);
      this.atMs = atMs;
    }
    const factor = fading(atMs, this.atMs, this.halfLifeDays);
    for (const name of Object.keys(amounts) as Name[]) this.sums[name] += (amounts[name] ?? 0) * factor;
  }

  /** What is left of each sum. A time before the newest addition sees them as of then. */
  at(nowMs: number): Record<Name, number> {
    const factor = this.atMs === -Infinity ? 1 : fading(this.atMs, nowMs, this.halfLifeDays);
    return Object.fromEntries((Object.keys(this.sums) as Name[]).map((name) => [name, this.sums[name] * factor])) as Record<Name, number>;
  }
}
