import { jest } from '@jest/globals';
import { newId, type CapturedExchange, type OperationRecord } from '@deja/contracts';
import { inTransaction, type Pool } from '@deja/postgres';
import { eventually } from '@deja/testing';
import { v7 } from 'uuid';
import { CaptureMetrics } from '../src/captures/capture-metrics.ts';
import { CaptureStore } from '../src/captures/capture-store.ts';
import { CaptureWriter } from '../src/captures/capture-writer.ts';
import { eraseUser, type EraseUserParts } from '../src/erasure/erase-user.ts';
import { eraseUserData, findUserData } from '../src/erasure/user-data.ts';
import type { JobStep } from '../src/jobs/job-kind.ts';
import { getJob } from '../src/jobs/job-queries.ts';
import { JobRunner } from '../src/jobs/job-runner.ts';
import { JobStore } from '../src/jobs/job-store.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { orphanedRows, settledRows } from '../src/ledger/rows.ts';
import { Cleanup, database, logger, migrateLedger, telemetry } from './infrastructure.ts';
import { attemptRecord, openOperation, operationRecord } from './records.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(120_000);

const DAY_MS = 86_400_000;
const NOW = Date.now();
const cleanup = new Cleanup();
let pool: Pool;
let ledger: Ledger;
let captures: CaptureStore;

beforeAll(async () => {
  ({ pool } = await database(cleanup));
  await migrateLedger(pool);
  ledger = new Ledger(pool);
  captures = new CaptureStore(pool);
});
afterAll(() => cleanup.run());
beforeEach(() => pool.query('truncate usage.operations, usage.attempts, usage.captures, usage.spend, usage.series, usage.rollup_minutes, usage.rollup_quarters, usage.rollup_days, usage.erasures, usage.jobs, usage.alert_events, usage.alert_deliveries, usage.alert_states'));

const ann = { tenant: 'default', user: 'ann of the "north"' };
const at = (ms: number, over: Partial<OperationRecord> = {}): OperationRecord => operationRecord({ id: v7({ msecs: ms }), receivedAtMs: ms, user: ann.user, ...over });
const record = (records: OperationRecord[]): Promise<unknown> => ledger.insert({ rows: records.map(settledRows), late: [], rejected: [] });
const capture = (...records: { id: string }[]): Promise<boolean> =>
  new CaptureWriter({ store: captures, metrics: new CaptureMetrics(telemetry.meter), logger, retentionDays: () => null }).keep(
    { v: 1, exchanges: records.map(({ id }): CapturedExchange => ({ operation: id, tenant: 'default', mode: 'full', dataKey: 'k', request: { sealed: 'AQID', bytes: 3, truncated: false }, response: null, searchText: 'it is ann' })) },
    Date.now(), new AbortController().signal,
  );

let pseudonyms = 0;
const parts = (over: Partial<EraseUserParts> = {}): EraseUserParts => ({ pseudonym: () => `erased:${++pseudonyms}`, nowMs: () => NOW, unrecordedMs: () => Promise.resolve(0), lateMs: 0, ...over });

/** All steps of an erasure, one transaction each; `between` is called after each. */
async function erased(who = ann, o: { parts?: Partial<EraseUserParts>; between?: (step: JobStep, steps: number) => Promise<unknown> } = {}): Promise<{ result: Record<string, unknown>; request: unknown; steps: number }> {
  const kind = eraseUser(parts(o.parts));
  let progress: unknown = null;
  for (let steps = 1; ; steps++) {
    const step = await inTransaction(pool, (client) => kind.step(client, who, progress, newId()));
    progress = JSON.parse(JSON.stringify(step.progress)) as unknown;
    await o.between?.(step, steps);
    if (step.done) return { result: step.result, request: step.request, steps };
  }
}

const rowsOf = async (sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => (await pool.query(sql, values)).rows as Record<string, unknown>[];
const found = (who = ann, scope: string | null = null) => inTransaction(pool, (client) => findUserData(client, { scope, nowMs: NOW }, who));

const SERIES = 'cube, s.tenant, s.key, tag, endpoint, requested_model, model, provider, cache, cache_reason, price_version';
const FIGURES = 'requests, errors, cancelled, blocked, orphaned, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, cost_nano_usd, saved_nano_usd, saved_ms, unpriced_requests, l30, l38, l39, l40';
/** Everything that is counted, with another name for one user. */
async function sums(called: string): Promise<Record<string, unknown>[][]> {
  const user = `replace("user", '${called}', 'somebody')`;
  const added = FIGURES.split(', ').map((name) => `sum(${name})::text as ${name}`).join(', ');
  return Promise.all([
    ...['minutes', 'quarters', 'days'].map((grain) => rowsOf(`select at, ${SERIES}, ${user} as "user", ${added} from usage.rollup_${grain} r join usage.series s on s.id = r.series group by at, ${SERIES}, ${user} order by at, ${SERIES}, ${user}`)),
    rowsOf(`select at, model, tenant, key, ${user} as "user", sum(nano_usd)::text as spent from usage.spend group by at, model, tenant, key, ${user} order by at, model, tenant, key, ${user}`),
  ]);
}
/** Sums that rows do not add up to, or that no series names. */
async function wrong(): Promise<Record<string, unknown>[]> {
  const names = FIGURES.split(', ').filter((name) => !name.startsWith('l'));
  return rowsOf(`
    with counted as (select date_bin('15 minutes', received_at, '2000-01-01T00:00:00Z') as at, series, ${names.map((name) => `sum(${name}) as ${name}`).join(', ')} from usage.operation_sums group by 1, 2)
    select coalesce(c.series, r.series) as series, c.requests as rows, r.requests as sum from counted c full join usage.rollup_quarters r on r.at = c.at and r.series = c.series
    where (${names.map((name) => `c.${name}`).join(', ')}) is distinct from (${names.map((name) => `r.${name}`).join(', ')})
    union all select r.series, null, r.requests from usage.rollup_days r where not exists (select from usage.series s where s.id = r.series)`);
}
/** Tables of the ledger with the user's name anywhere in them. */
async function named(user: string): Promise<string[]> {
  const tables = (await rowsOf(`select oid::regclass::text as name from pg_class where relnamespace = 'usage'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1`)).map(({ name }) => String(name));
  const has = await Promise.all(tables.map(async (name) => (await rowsOf(`select 1 from ${name} t where position($1 in to_jsonb(t)::text) > 0 limit 1`, [JSON.stringify(user).slice(1, -1)])).length > 0));
  return tables.filter((_, i) => has[i]);
}

test('an erased user is named nowhere, has no bodies, and every figure is what it was', async () => {
  const mine = Array.from({ length: 2300 }, (_, i) => at(NOW - (i % 13) * DAY_MS - i * 60_000, { requestedModel: `m-${i % 60}`, model: `m-${i % 60}`, key: `key-${i % 2}`, durationMs: 100 + i, attempts: [attemptRecord({ model: `m-${i % 60}` })], tags: i % 3 === 0 ? {} : { team: 'search' } }));
  const others = [at(NOW, { user: 'bob' }), at(NOW, { user: null }), at(NOW, { tenant: 'other' })];
  for (let i = 0; i < mine.length; i += 500) await record(mine.slice(i, i + 500));
  await record(others);
  await ledger.insert({ rows: [orphanedRows(openOperation({ user: ann.user, receivedAtMs: NOW, estimatedCostNanoUsd: '700' }))], late: [], rejected: [] });
  await capture(...mine.slice(0, 40), ...others);
  const before = await sums(ann.user);
  const attempts = await rowsOf('select * from usage.attempts order by id');
  const kept = await found();
  expect(kept).toMatchObject({ requests: 2301, captured: 40, cost_usd: '0.9660007' });

  const { result, request, steps } = await erased();
  expect(steps).toBeGreaterThan(5);
  expect(result).toEqual({ requests: 2301, bodies: 40, pseudonym: `erased:${pseudonyms}` });
  expect(request).toEqual({ tenant: 'default', user: `erased:${pseudonyms}` });
  expect(await named(ann.user)).toEqual(['usage.operations', 'usage.series', 'usage.spend']); // of the other tenant's user of that name
  expect(await rowsOf(`select 1 from usage.operations where "user" = $1 and tenant = 'default' union all select 1 from usage.spend where "user" = $1 and tenant = 'default' union all select 1 from usage.series where "user" = $1 and tenant = 'default'`, [ann.user])).toEqual([]);
  expect(await found()).toMatchObject({ requests: 0, captured: 0, cost_usd: '0', first_at: null, last_at: null });
  expect(await found({ tenant: 'default', user: `erased:${pseudonyms}` })).toEqual({ ...kept, user: `erased:${pseudonyms}`, captured: 0 });
  expect((await rowsOf('select operation_id as id from usage.captures order by 1')).map(({ id }) => id)).toEqual(others.map(({ id }) => id).toSorted());

  expect(await wrong()).toEqual([]);
  expect(await rowsOf('select * from usage.attempts order by id')).toEqual(attempts);
  await pool.query('update usage.series set "user" = $2 where "user" = $1', [ann.user, `erased:${pseudonyms}`]); // the other tenant's
  await pool.query('update usage.spend set "user" = $2 where "user" = $1', [ann.user, `erased:${pseudonyms}`]);
  expect(await sums(`erased:${pseudonyms}`)).toEqual(before);
});

test('budgets of everybody, tenants and keys are what they were', async () => {
  await record(Array.from({ length: 30 }, (_, i) => at(NOW - i * 3_600_000)));
  const budgets = (): Promise<unknown> => rowsOf(`select * from usage.spend where "user" is null order by who, at, model`);
  const before = await budgets();
  await erased();
  expect(await budgets()).toEqual(before);
  expect(await rowsOf(`select distinct "user", who = usage.spender('default', null, "user") as found from usage.spend where "user" is not null`)).toEqual([{ user: `erased:${pseudonyms}`, found: true }]);
});

test('sums whose rows retention has dropped lose the name too', async () => {
  const old = Array.from({ length: 20 }, (_, i) => at(NOW - (40 + i) * DAY_MS));
  await record(old);
  await record([at(NOW)]);
  await pool.query('delete from usage.operations where id = any($1)', [old.map(({ id }) => id)]);
  expect(await found()).toMatchObject({ requests: 21, cost_usd: '0.00882', first_at: new Date(NOW - 59 * DAY_MS).toISOString(), last_at: new Date(NOW).toISOString() });
  const before = await sums(ann.user);
  const { result } = await erased();
  expect(result).toMatchObject({ requests: 1 });
  expect(await named(ann.user)).toEqual([]);
  expect(await sums(`erased:${pseudonyms}`)).toEqual(before);
});

test('who calls itself by the name afterwards is a new user', async () => {
  await record([at(NOW), at(NOW - DAY_MS)]);
  await erased();
  const fresh = at(NOW + 1000);
  await record([fresh]);
  await capture(fresh);
  expect(await found()).toMatchObject({ requests: 1, captured: 1, cost_usd: '0.00042' });
  expect(await found({ tenant: 'default', user: `erased:${pseudonyms}` })).toMatchObject({ requests: 2, captured: 0 });
  expect(await wrong()).toEqual([]);
  // And may be erased as well.
  expect((await erased()).result).toEqual({ requests: 1, bodies: 1, pseudonym: `erased:${pseudonyms}` });
  expect(await named(ann.user)).toEqual([]);
  expect(await wrong()).toEqual([]);
});

test('what is recorded and captured while the erasure runs is erased with the rest, and no sum is lost or left without a series', async () => {
  await record(Array.from({ length: 100 }, (_, i) => at(NOW - (i % 5) * DAY_MS, { requestedModel: `m-${i % 7}` })));
  let sent = 100;
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      const late = Array.from({ length: 10 }, (_, i) => at(NOW - (i % 5) * DAY_MS, { requestedModel: `m-${i % 7}` }));
      await record(late);
      await capture(...late);
      sent += 10;
    }
  })();
  // The first pass has rivals; then they stop, and what they left is on the ledger before the last one.
  try {
    await erased(ann, {
      between: async ({ pauseMs }) => {
        if (pauseMs === undefined) return;
        isOver = true;
        await writing;
      },
    });
  } finally {
    isOver = true;
    await writing;
  }
  expect(await named(ann.user)).toEqual([]);
  expect(await rowsOf('select 1 from usage.captures')).toEqual([]);
  expect(await wrong()).toEqual([]);
  expect(await found({ tenant: 'default', user: `erased:${pseudonyms}` })).toMatchObject({ requests: sent });
});

test('a body that comes when its user is erased already is not kept; a client that calls its user by a pseudonym hides nothing', async () => {
  const [early, late] = [at(NOW - 5000), at(NOW - 4000)];
  await record([early, late]);
  await capture(early);
  await erased();
  await capture(early, late);
  expect(await rowsOf('select 1 from usage.captures')).toEqual([]);
  const sly = at(Date.now() + 60_000, { user: `erased:${pseudonyms}` });
  await record([sly]);
  await capture(sly);
  expect(await rowsOf('select operation_id as id from usage.captures')).toEqual([{ id: sly.id }]);
});

test('the last look waits until what was on the queue is in the ledger', async () => {
  await record([at(NOW)]);
  const ages = [null, 5000, 100, 0];
  const asked: number[] = [];
  const late = at(NOW - 1000);
  const { result } = await erased(ann, {
    parts: {
      nowMs: () => NOW + 3000, // the erasure began then; the second answer is of a job from before
      lateMs: 700,
      unrecordedMs: () => Promise.resolve(ages[asked.length] ?? 0),
    },
    between: async ({ pauseMs }) => {
      if (pauseMs === undefined) return;
      if (asked.push(pauseMs) === 3) await record([late]);
    },
  });
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(new Set(asked)).toEqual(new Set([700]));
  expect(result).toMatchObject({ requests: 2 });
  expect(await named(ann.user)).toEqual([]);
});

test('an erasure that is broken off after every step, and in every one, ends as if it had not been', async () => {
  await record(Array.from({ length: 50 }, (_, i) => at(NOW - (i % 20) * DAY_MS, { requestedModel: `m-${i}` })));
  const kind = eraseUser(parts());
  let progress: unknown = null;
  let result: unknown = null;
  for (let isDone = false; !isDone; ) {
    await expect(inTransaction(pool, async (client) => {
      await kind.step(client, ann, progress, newId());
      throw new Error('killed');
    })).rejects.toThrow('killed');
    const step: JobStep = await inTransaction(pool, (client) => kind.step(client, ann, progress, newId()));
    progress = JSON.parse(JSON.stringify(step.progress)) as unknown;
    ({ done: isDone, result } = step);
  }
  expect(result).toMatchObject({ requests: 50 });
  expect(await named(ann.user)).toEqual([]);
  expect(await wrong()).toEqual([]);
});

test('a job erases, forgets the name itself, and is the same job for a repeated call', async () => {
  const jobs = new JobStore(pool);
  const id = newId();
  await record([at(NOW)]);
  const call = { changeId: id, by: { name: 'owner', tenant: null }, body: ann };
  expect(await eraseUserData(jobs, call)).toMatchObject({ id, kind: 'erase_user', state: 'waiting', request: ann, created_by: 'owner' });
  const runner = new JobRunner({ pool, kinds: [eraseUser(parts())], instance: 'a', logger, meter: telemetry.meter });
  cleanup.add(() => runner.close());
  runner.start();
  const job = () => inTransaction(pool, (client) => getJob(client, { scope: 'default', nowMs: NOW }, id));
  await eventually('the job is done', async () => (await job()).state === 'done');
  expect(await job()).toMatchObject({ request: { tenant: 'default', user: `erased:${pseudonyms}` }, result: { requests: 1, bodies: 0 } });
  expect(await named(ann.user)).toEqual([]);
  expect(await eraseUserData(jobs, call)).toMatchObject({ id, state: 'done' });
});

test('the history of alerts forgets the name, and nothing else', async () => {
  const [mine, other] = [newId(), newId()];
  const labels = (user: string): string => JSON.stringify({ tenant: 'default', key: 'k', user });
  const payload = { state: 'firing', alerts: [{ labels: JSON.parse(labels(ann.user)) as unknown, detail: 'k' }, { labels: JSON.parse(labels('bob')) as unknown, detail: `"user": "ann"` }] };
  for (const [id, user] of [[mine, ann.user], [other, 'bob']] as const) {
    await pool.query(`insert into usage.alert_events (id, at, rule, alert, state, metric, labels, started_at, notification) values ($1, now(), 'r', 'a', 'firing', 'new_user', $2, now(), $1)`, [id, labels(user)]);
    await pool.query(`insert into usage.alert_deliveries (id, notification, rule, receiver, shown, payload, created_at) values ($1, $1, 'r', 0, '{}', $2, now())`, [id, payload]);
    await pool.query(`insert into usage.alert_states (id, rule, alert, condition, metric, labels, state, since, exceeded_at, seen_at) values ($1, 'r', 'a', 'c', 'new_user', $2, 'firing', now(), now(), now())`, [id, labels(user)]);
  }
  await pool.query('delete from usage.alert_deliveries where notification = $1', [other]);
  await erased();
  expect(await named(ann.user)).toEqual([]);
  expect(await rowsOf(`select labels ->> 'user' as "user" from usage.alert_events order by 1`)).toEqual([{ user: 'bob' }, { user: `erased:${pseudonyms}` }]);
  expect(await rowsOf(`select id from usage.alert_states`)).toEqual([{ id: other }]);
  const [told] = payload.alerts;
  expect(await rowsOf('select payload from usage.alert_deliveries')).toEqual([{ payload: { ...payload, alerts: [{ ...told, labels: { ...(told!.labels as object), user: `erased:${pseudonyms}` } }, payload.alerts[1]] } }]);
});

test('a token of one tenant finds and erases nobody of another', async () => {
  await record([at(NOW)]);
  expect(await found(ann, 'other')).toMatchObject({ requests: 0, cost_usd: '0', first_at: null });
  expect(await found(ann, 'default')).toMatchObject({ requests: 1 });
  await expect(eraseUserData(new JobStore(pool), { changeId: newId(), by: { name: 'x', tenant: 'other' }, body: ann })).rejects.toMatchObject({ code: 'permission_denied', param: 'tenant' });
});
