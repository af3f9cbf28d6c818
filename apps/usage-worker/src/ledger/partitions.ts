import { idTimeMs } from '@deja/contracts';
import type { Pool } from '@deja/postgres';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;

/** The UTC day of an operation, `2026-11-25`, from its id. */
export const dayOf = (operationId: string): string => new Date(idTimeMs(operationId)).toISOString().slice(0, 10);

/**
 * One partition a UTC day, made ahead of time and, for older events, when they come. There is no default partition: a row
 * without its day is an error that is noticed, not a row that retention never finds.
 */
export class Partitions {
  private readonly known = new Set<string>();

  constructor(private readonly pool: Pool) {}

  /** Today and the week to come. */
  async ensureAhead(nowMs: number): Promise<void> {
    const days = Array.from({ length: DAYS_AHEAD + 1 }, (_, i) => new Date(nowMs + i * DAY_MS).toISOString().slice(0, 10));
    await this.ensure(days);
  }

  async ensure(days: Iterable<string>): Promise<void> {
    for (const day of new Set(days)) {
      if (this.known.has(day)) continue;
      await this.pool.query('select usage.ensure_day($1::date)', [day]);
      this.known.add(day);
    }
  }

  /** After an insert found a day missing that was there before, as when retention dropped it. */
  forget(): void {
    this.known.clear();
  }
}
