import { idTimeMs } from '@deja/contracts';
import type { Pool } from '@deja/postgres';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 2;

/** One partition of `usage.captures` a UTC day, made ahead of time and, for older captures, when they come. */
export class CapturePartitions {
  private readonly known = new Set<string>();

  constructor(private readonly pool: Pool) {}

  /** Today and the days to come. */
  async ensureAhead(nowMs: number): Promise<void> {
    for (let n = 0; n <= DAYS_AHEAD; n++) await this.ensureDay(nowMs + n * DAY_MS);
  }

  async ensureFor(operations: Iterable<string>): Promise<void> {
    for (const operation of operations) await this.ensureDay(idTimeMs(operation));
  }

  /** After an insert found a day missing that was there before, as when retention dropped it. */
  forget(): void {
    this.known.clear();
  }

  private async ensureDay(ms: number): Promise<void> {
    const day = new Date(ms).toISOString().slice(0, 10);
    if (this.known.has(day)) return;
    await this.pool.query('select usage.ensure_capture_day($1::date)', [day]);
    this.known.add(day);
  }
}
