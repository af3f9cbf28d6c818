import type { Settings } from '@deja/contracts';

/** For how many days things are kept. */
export interface RetentionDays {
  /** Captured bodies. */
  captures: number;
  /** Rows of operations and attempts, and sums by quarter of an hour. */
  ledger: number;
  /** Sums by minute. */
  minutes: number;
}

const DAY_MS = 86_400_000;

/** Tables with partitions, and what says how long theirs are kept. Those that go together stand beside each other, in the order in which the ledger writes them. */
const KEPT_BY: Record<string, keyof RetentionDays> = { captures: 'captures', operations: 'ledger', attempts: 'ledger', rollup_quarters: 'ledger', rollup_minutes: 'minutes' };
export const PARTITIONED: readonly string[] = Object.keys(KEPT_BY);

/** No body outlives the row that says whose it is. */
export const retentionDaysOf = ({ request_log: log, ledger }: Pick<Settings, 'request_log' | 'ledger'>): RetentionDays => ({
  captures: Math.min(log.retention_days, ledger.retention_days),
  ledger: ledger.retention_days,
  minutes: ledger.minutes_retention_days,
});

/**
 * Of partitions by name (`operations_20261125`, `rollup_quarters_202611`), those whose last moment is longer ago than it is to be kept: oldest first,
 * and what describes the same requests together. A name that says no time is never one of them.
 */
export function expired(partitions: readonly { table: string; name: string }[], days: RetentionDays, nowMs: number): string[][] {
  const groups = new Map<string, { endMs: number; names: string[] }>();
  for (const { table, name } of partitions.toSorted((a, b) => PARTITIONED.indexOf(a.table) - PARTITIONED.indexOf(b.table))) {
    const kept = KEPT_BY[table];
    const endMs = endOf(name.slice(table.length + 1));
    if (kept === undefined || endMs === null || endMs > nowMs - days[kept] * DAY_MS) continue;
    const key = table === 'attempts' || table === 'operations' ? `rows ${endMs}` : name;
    const group = groups.get(key);
    if (group) group.names.push(name);
    else groups.set(key, { endMs, names: [name] });
  }
  return [...groups.values()].toSorted((a, b) => a.endMs - b.endMs).map(({ names }) => names);
}

/** When the UTC day (`20261125`) or month (`202611`) is over; Unix ms. */
function endOf(suffix: string): number | null {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})?$/.exec(suffix) ?? [];
  if (year === undefined || month === undefined) return null;
  return day === undefined ? Date.UTC(Number(year), Number(month), 1) : Date.UTC(Number(year), Number(month) - 1, Number(day) + 1);
}
