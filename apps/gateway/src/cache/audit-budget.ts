const HOUR_MS = 3_600_000;

/** Audits are paid for by their tenant: so many are made for each in an hour of the clock, by this gateway. */
export class AuditBudget {
  private hour = -1;
  private readonly made = new Map<string, number>();

  /** Whether one more may be made. @param nowMs Unix ms */
  has(tenant: string, maxPerHour: number, nowMs: number): boolean {
    this.turn(nowMs);
    return (this.made.get(tenant) ?? 0) < maxPerHour;
  }

  /** Whether one more may be made, and counts it. @param nowMs Unix ms */
  take(tenant: string, maxPerHour: number, nowMs: number): boolean {
    if (!this.has(tenant, maxPerHour, nowMs)) return false;
    this.made.set(tenant, (this.made.get(tenant) ?? 0) + 1);
    return true;
  }

  private turn(nowMs: number): void {
    const hour = Math.floor(nowMs / HOUR_MS);
    if (hour === this.hour) return;
    this.hour = hour;
    this.made.clear();
  }
}
