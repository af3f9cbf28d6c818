import { idTimeMs } from '@deja/contracts';
import type { Pool } from '@deja/postgres';
import { beginningOf } from '../rollups/grains.ts';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 7;

/** UTC days (`2026-11-25`) that rows fall into: those of operations, by their ids; those of sums by minute, and the first of the months of sums by quarter of an hour, by when they were received. */
export interface NeededPartitions {
  operations: Iterable<string>;
  minutes: Iterable<string>;
  quarters: Iterable<string>;
}

/** Each takes a day and makes its partition where it is missing. */
const ENSURE: Record<keyof NeededPartitions, string> = {
  operations: 'select usage.ensure_day($1::date)',
  minutes: 'select usage.ensure_minutes($1::date)',
  quarters: 'select usage.ensure_quarters($1::date)',
};

const dayAt = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const monthAt = (ms: number): string => `${new Date(ms).toISOString().slice(0, 7)}-01`;

/** What a batch needs. There are no sums by minute from before `minutesFromMs`. */
export function partitionsOf(operations: readonly { id: string; received_at: string }[], attempts: readonly { operation_id: string }[], minutesFromMs: number): NeededPartitions {
  const received = daysOf(operations.map(({ received_at: at }) => Date.parse(at)));
  return {
    operations: daysOf([...operations.map(({ id }) => idTimeMs(id)), ...attempts.map((attempt) => idTimeMs(attempt.operation_id))]).map(dayAt),
    minutes: received.filter((ms) => ms >= minutesFromMs).map(dayAt),
    quarters: received.map(monthAt),
  };
}

/** The beginnings of the days of some moments, each once. */
const daysOf = (moments: readonly number[]): number[] => [...new Set(moments.map((ms) => beginningOf('days', ms)))];

/**
 * Partitions by time, made ahead and, for older events, when they come. There is no default partition: a row
 * without its partition is an error that is noticed, not a row that retention never finds.
 */
export class Partitions {
  private readonly known = new Set<string>();

  constructor(private readonly pool: Pool) {}

  /** Today and the week to come. */
  async ensureAhead(nowMs: number): Promise<void> {
    const ahead = Array.from({ length: DAYS_AHEAD + 1 }, (_, i) => nowMs + i * DAY_MS);
    await this.ensure({ operations: ahead.map(dayAt), minutes: ahead.map(dayAt), quarters: ahead.map(monthAt) });
  }

  async ensure(needed: NeededPartitions): Promise<void> {
    for (const table of ['operations', 'minutes', 'quarters'] as const) {
      for (const day of new Set(needed[table])) {
        if (this.known.has(`${table} ${day}`)) continue;
        await this.pool.query(ENSURE[table], [day]);
        this.known.add(`${table} ${day}`);
      }
    }
  }

  /** After an insert found a partition missing that was there before, as when retention dropped it. */
  forget(): void {
    this.known.clear();
  }
}
