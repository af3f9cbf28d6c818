const HOUR_MS = 3_600_000;

/** Audits are paid for by their tenant: so many are made for each in an hour of the clock, by this gateway. */
export class AuditBudget {
  private hour = -1;
  private readonly made = new Map<string, number>();

  /** Whether one more may be made, and counts it. @param nowMs Unix ms */
  take(tenant: string, maxPerHour: number, nowMs: number): boolean {
    const hour = Math.floor(nowMs / HOUR_MS);
    if (hour !== this.hour) {
      this.hour = hour;
      this.made.clear();
    }
    const made = this.made.get(tenant) ?? 0;
    if (made >= maxPerHour) return false;
    this.made.set(tenant, made + 1);
    return true;
  }
}
