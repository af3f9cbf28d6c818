import fc from 'fast-check';
import { expired, retentionDaysOf } from './expired-partitions.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 6, 15, 12);
const days = { captures: 30, ledger: 400, minutes: 8 };
const part = (name: string) => ({ table: name.replace(/_\d+$/, ''), name });

test('a partition goes when its last moment is longer ago than it is to be kept, and not before', () => {
  const minutes = (nowMs: number) => expired([part('rollup_minutes_20260706'), part('rollup_minutes_20260707')], days, nowMs);
  expect(minutes(Date.UTC(2026, 6, 15) - 1)).toEqual([]);
  expect(minutes(Date.UTC(2026, 6, 15))).toEqual([['rollup_minutes_20260706']]);
});

test('a month of sums goes when all of it is over, and a year’s last month ends with the year', () => {
  const quarters = (nowMs: number) => expired([part('rollup_quarters_202512')], { ...days, ledger: 10 }, nowMs);
  expect(quarters(Date.UTC(2026, 0, 11) - 1)).toEqual([]);
  expect(quarters(Date.UTC(2026, 0, 11))).toEqual([['rollup_quarters_202512']]);
});

test('operations and their attempts go together, in the order in which they are written, and the oldest day goes first', () => {
  const names = ['attempts_20250102', 'operations_20250102', 'captures_20260101', 'operations_20250101', 'attempts_20250101', 'operations_20260701'];
  expect(expired(names.map(part), days, NOW_MS)).toEqual([['operations_20250101', 'attempts_20250101'], ['operations_20250102', 'attempts_20250102'], ['captures_20260101']]);
});

test('what is no partition of ours by its name stays', () => {
  expect(expired([part('operations_backup'), { table: 'operations', name: 'operations_old_20200101' }, part('spend_20200101'), part('operations_2020')], days, NOW_MS)).toEqual([]);
});

test('nothing that is to be kept is ever named, whatever the settings', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 600 }), (kept, ageDays) => {
      const day = new Date(NOW_MS - ageDays * DAY_MS).toISOString().slice(0, 10);
      const gone = expired([part(`rollup_minutes_${day.replaceAll('-', '')}`)], { ...days, minutes: kept }, NOW_MS).length > 0;
      expect(gone).toBe(Date.parse(day) + DAY_MS <= NOW_MS - kept * DAY_MS);
    }),
  );
});

test('no captured body outlives the row of its request', () => {
  const ledger = { retention_days: 7, minutes_retention_days: 2, queue_max_bytes: 0, spool_max_bytes: 0, capture_spool_max_bytes: 0 };
  expect(retentionDaysOf({ request_log: { retention_days: 30, search: false }, ledger })).toEqual({ captures: 7, ledger: 7, minutes: 2 });
});
