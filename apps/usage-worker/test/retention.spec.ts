import { jest } from '@jest/globals';
import type { Pool } from '@deja/postgres';
import { eventually } from '@deja/testing';
import { v7 } from 'uuid';
import { Ledger } from '../src/ledger/ledger.ts';
import { settledRows } from '../src/ledger/rows.ts';
import type { RetentionDays } from '../src/retention/expired-partitions.ts';
import { Retention } from '../src/retention/retention.ts';
import { Cleanup, database, logger, migrateLedger } from './infrastructure.ts';
import { operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 6, 15, 12);
const DAYS: RetentionDays = { captures: 10, ledger: 100, minutes: 8 };

const cleanup = new Cleanup();
let pool: Pool;
let ledger: Ledger;
const going = new AbortController().signal;
const retention = (over: Partial<{ days: RetentionDays | null; pausesMs: number[] }> = {}): Retention =>
  new Retention({ pool, days: () => (over.days === undefined ? DAYS : over.days), logger, ...(over.pausesMs ? { pausesMs: over.pausesMs } : {}) });

beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
});
afterAll(() => cleanup.run());
beforeEach(async () => {
  for (const name of await partitions()) await pool.query(`drop table usage.${name}`);
  await pool.query('truncate usage.series, usage.rollup_days');
  ledger = new Ledger(pool, { nowMs: () => NOW_MS });
});

const record = async (...agesDays: number[]): Promise<void> => {
  const times = agesDays.map((age) => NOW_MS - age * DAY_MS);
  await ledger.insert({ rows: times.map((ms) => settledRows(operationRecord({ id: v7({ msecs: ms }), receivedAtMs: ms }))), late: [], rejected: [] });
};
const count = async (table: string): Promise<number> => (await pool.query<{ n: number }>(`select count(*)::int as n from usage.${table}`)).rows[0]!.n;
const partitions = async (): Promise<string[]> =>
  (await pool.query<{ name: string }>(`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relnamespace = 'usage'::regnamespace and c.relkind = 'r'`)).rows.map(({ name }) => name);

const dropWaits = () => eventually('a drop that waits', async () => (await pool.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like 'drop table%'`)).rowCount === 1);

test('each thing goes when its time is over, and the sums by day stay', async () => {
  await record(0, 7, 20, 99, 101, 150);
  await pool.query(`select usage.ensure_capture_day('2026-07-14'), usage.ensure_capture_day('2026-07-04'), usage.ensure_minutes('2026-07-01')`);
  await retention().run(NOW_MS, going);
  expect(await count('operations')).toBe(4);
  expect(await count('attempts')).toBe(4);
  expect((await partitions()).toSorted()).toEqual([
    'attempts_20260407', 'attempts_20260625', 'attempts_20260708', 'attempts_20260715', 'captures_20260714', 'operations_20260407', 'operations_20260625', 'operations_20260708', 'operations_20260715',
    'rollup_minutes_20260708', 'rollup_minutes_20260715', 'rollup_quarters_202604', 'rollup_quarters_202606', 'rollup_quarters_202607',
  ]);
  const { rows } = await pool.query(`select sum(requests)::int as requests from usage.rollup_days r join usage.series s on s.id = r.series where s.cube = 'all'`);
  expect(rows).toEqual([{ requests: 6 }]);
});

test('while nobody has said how long things are kept, everything is', async () => {
  await record(390);
  await retention({ days: null }).run(NOW_MS, going);
  expect(await count('operations')).toBe(1);
});

test('a worker goes on recording of a day that was dropped under it', async () => {
  await record(101);
  await retention().run(NOW_MS, going);
  await record(101, 0);
  expect(await count('operations')).toBe(2);
});

test('one replica drops at a time: what another is at is left to it', async () => {
  await record(101);
  const other = await pool.connect();
  try {
    await other.query(`begin; select pg_advisory_xact_lock(hashtext('deja.usage.retention'))`);
    await retention().run(NOW_MS, going);
    expect(await count('operations')).toBe(1);
    await other.query('rollback');
  } finally {
    other.release();
  }
  await Promise.all([retention().run(NOW_MS, going), retention().run(NOW_MS, going), retention().run(NOW_MS, going)]);
  expect(await count('operations')).toBe(0);
});

test('while a long question reads, events are recorded all the same, and the drop is done when it has ended', async () => {
  await record(101, 0);
  const reader = await pool.connect();
  try {
    await reader.query('begin; select count(*) from usage.operations, usage.attempts, usage.rollup_quarters');
    const dropping = retention({ pausesMs: Array.from({ length: 1000 }, () => 20) }).run(NOW_MS, going);
    // It waits, and is told to wait no longer, again and again; between that, and behind it, the ledger is written.
    for (let i = 0; i < 5; i += 1) {
      await dropWaits();
      await record(0);
    }
    expect(await partitions()).toContain('operations_20260405');
    await reader.query('commit');
    await dropping;
    expect(await partitions()).not.toContain('operations_20260405');
    expect(await count('operations')).toBe(6);
  } finally {
    reader.release(true);
  }
});

test('a drop that never gets its turn is left to the next round', async () => {
  await record(101);
  const reader = await pool.connect();
  try {
    await reader.query('begin; select count(*) from usage.operations');
    await retention({ pausesMs: [0, 1] }).run(NOW_MS, going);
    await reader.query('commit');
    expect(await count('operations')).toBe(1);
  } finally {
    reader.release(true);
  }
  await retention().run(NOW_MS, going);
  expect(await count('operations')).toBe(0);
});

test('a stop does not wait for what a question holds', async () => {
  await record(101);
  const reader = await pool.connect();
  const stopping = new AbortController();
  try {
    await reader.query('begin; select count(*) from usage.operations');
    const pausesMs = [0, ...Array<number>(99).fill(1000)];
    const running = retention({ pausesMs }).run(NOW_MS, stopping.signal);
    await dropWaits();
    pausesMs.fill(1_000_000); // of the next one
    stopping.abort();
    expect(await running).toBeUndefined();
  } finally {
    reader.release(true);
  }
});
