import { jest } from '@jest/globals';
import { DejaError, newId } from '@deja/contracts';
import { inTransaction, openPool, type Pool, type PoolClient } from '@deja/postgres';
import { eventually } from '@deja/testing';
import type { JobKind, JobStep } from '../src/jobs/job-kind.ts';
import { getJob, listJobs } from '../src/jobs/job-queries.ts';
import { JobRunner } from '../src/jobs/job-runner.ts';
import { JobStore } from '../src/jobs/job-store.ts';
import { Cleanup, database, logger, migrateLedger, pathTo, telemetry } from './infrastructure.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const servers = new Cleanup();
const each = new Cleanup();
let url: string;
let pool: Pool;

beforeAll(async () => {
  ({ url, pool } = await database(servers));
  await migrateLedger(pool);
  await pool.query('create table steps (job uuid not null, n integer not null, runner text not null)');
});
afterAll(() => servers.run());
beforeEach(() => pool.query('truncate usage.jobs, steps'));
afterEach(() => each.run());

interface Count {
  to: number;
  tenant?: string;
}

/** Counts to a number, a step each, and writes down every one. `before` may break a step off. */
const counting = (name: string, before: (n: number) => Promise<void> = () => Promise.resolve()): JobKind<Count> => ({
  kind: 'reprice',
  async step(client, { to }, progress, id): Promise<JobStep> {
    const n = ((progress as number | null) ?? 0) + 1;
    await client.query('insert into steps values ($1, $2, $3)', [id, n, name]);
    await before(n);
    return { progress: n, result: { counted: n }, done: n >= to };
  },
});

function runner(name: string, kind: JobKind<Count>, o: { pool?: Pool; leaseMs?: number } = {}): JobRunner {
  const made = new JobRunner({ pool: o.pool ?? pool, kinds: [kind], instance: name, logger, meter: telemetry.meter, leaseMs: o.leaseMs ?? 30_000 });
  each.add(() => made.close());
  made.start();
  return made;
}

async function asked(to: number, over: { id?: string; tenant?: string } = {}): Promise<string> {
  const id = over.id ?? newId();
  await new JobStore(pool).create({ id, kind: 'reprice', request: { to, ...(over.tenant === undefined ? {} : { tenant: over.tenant }) }, by: 'root' });
  return id;
}

const read = <T>(work: (client: PoolClient) => Promise<T>): Promise<T> => inTransaction(pool, work);
const job = (id: string): ReturnType<typeof getJob> => read((client) => getJob(client, { scope: null, nowMs: 0 }, id));
const stepsOf = async (id: string): Promise<{ n: number; runner: string }[]> => (await pool.query<{ n: number; runner: string }>('select n, runner from steps where job = $1 order by n', [id])).rows;
const ended = (id: string, state: 'done' | 'failed' = 'done') => eventually(`the job is ${state}`, async () => (await job(id)).state === state);

test('a job is done step by step, and says what it did', async () => {
  const id = await asked(3);
  expect(await job(id)).toMatchObject({ object: 'job', id, kind: 'reprice', state: 'waiting', request: { to: 3 }, result: {}, error: null, created_by: 'root', finished_at: null });
  runner('a', counting('a'));
  await ended(id);
  expect(await job(id)).toMatchObject({ state: 'done', result: { counted: 3 }, error: null, finished_at: expect.any(String) as unknown });
  expect(await stepsOf(id)).toEqual([1, 2, 3].map((n) => ({ n, runner: 'a' })));
});

test('a job that is asked for again under its id is the same job', async () => {
  const id = await asked(2);
  runner('a', counting('a'));
  await ended(id);
  const again = await new JobStore(pool).create({ id, kind: 'reprice', request: { to: 5 }, by: 'somebody else' });
  expect(again).toMatchObject({ id, state: 'done', request: { to: 2 }, created_by: 'root' });
  expect(await stepsOf(id)).toHaveLength(2);
});

test('a job goes on where it was after its runner vanished in the middle of a step, and no step counts twice', async () => {
  const id = await asked(4);
  const vanishing = openPool(url, { name: 'vanishing', logger, max: 1 });
  const inStep = Promise.withResolvers<void>();
  const killed = Promise.withResolvers<void>();
  const first = runner('a', counting('a', async (n) => {
    if (n < 3) return;
    inStep.resolve();
    await killed.promise; // as a process that never comes back
  }), { pool: vanishing, leaseMs: 300 });
  await inStep.promise;
  runner('b', counting('b'), { leaseMs: 300 });
  await eventually('the lease is over', async () => (await pool.query('select 1 from usage.jobs where lease_until < now()')).rowCount === 1);
  expect(await stepsOf(id)).toHaveLength(2); // a step under way is nobody else's, lease or not
  await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'deja-vanishing' and datname = current_database()`);
  await ended(id);
  expect(await stepsOf(id)).toEqual([{ n: 1, runner: 'a' }, { n: 2, runner: 'a' }, { n: 3, runner: 'b' }, { n: 4, runner: 'b' }]);
  killed.resolve();
  await first.close();
  await vanishing.end();
});

test('a runner that stops gives its job to the next one', async () => {
  const id = await asked(3);
  const inStep = Promise.withResolvers<void>();
  const first = runner('a', counting('a', () => Promise.resolve(inStep.resolve())));
  await inStep.promise;
  await first.close();
  runner('b', counting('b'));
  await ended(id);
  expect((await stepsOf(id)).map(({ n }) => n)).toEqual([1, 2, 3]);
});

test('two runners share the jobs, and each step happens once', async () => {
  const ids = await Promise.all(Array.from({ length: 6 }, () => asked(5)));
  runner('a', counting('a'));
  runner('b', counting('b'));
  for (const id of ids) {
    await ended(id);
    expect((await stepsOf(id)).map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
  }
});

test('while Postgres is away a job waits, and goes on when it is back', async () => {
  const path = await pathTo(url, each);
  const through = openPool(path.url, { name: 'through', logger, max: 1 });
  const id = await asked(3);
  const isCut = Promise.withResolvers<void>();
  let isOnce = false;
  const made = runner('a', counting('a', (n) => {
    if (n !== 2 || isOnce) return Promise.resolve();
    isOnce = true;
    path.set('cut');
    return Promise.resolve(isCut.resolve());
  }), { pool: through });
  await isCut.promise;
  expect(await job(id)).toMatchObject({ state: 'running', result: { counted: 1 } });
  path.set('open');
  await ended(id);
  expect((await stepsOf(id)).map(({ n }) => n)).toEqual([1, 2, 3]);
  await made.close();
  await through.end();
});

test('a job that cannot be done fails with a sentence for its caller, and without what only the log is to tell', async () => {
  const told = await asked(3);
  runner('a', counting('a', (n) => (n < 2 ? Promise.resolve() : Promise.reject(new DejaError('invalid_value', 'There is no such price.')))));
  await ended(told, 'failed');
  expect(await job(told)).toMatchObject({ state: 'failed', error: 'There is no such price.', result: { counted: 1 }, finished_at: expect.any(String) as unknown });
  expect(await stepsOf(told)).toHaveLength(1);
  await each.run();
  const untold = await asked(3);
  runner('b', counting('b', () => Promise.reject(new Error('password of the database'))));
  await ended(untold, 'failed');
  expect((await job(untold)).error).toBe('It failed for a reason that the log of b tells.');
});

test('a step that is for later is left until then, by whoever has time', async () => {
  const id = await asked(2);
  const pausing = (name: string): JobKind<Count> => ({ ...counting(name), step: async (client, request, progress, id) => ({ ...(await counting(name).step(client, request, progress, id)), ...(progress === null ? { pauseMs: 400 } : {}) }) });
  runner('a', pausing('a'));
  await eventually('the first step', async () => (await stepsOf(id)).length === 1);
  expect(await job(id)).toMatchObject({ state: 'running', result: { counted: 1 } });
  await each.run();
  runner('b', pausing('b'));
  await ended(id);
  expect(await stepsOf(id)).toEqual([{ n: 1, runner: 'a' }, { n: 2, runner: 'b' }]);
});

test('jobs are listed the latest first, in pages; those of another tenant are nobody else\'s', async () => {
  const ids = [await asked(1, { tenant: 'acme' }), await asked(1, { tenant: 'other' }), await asked(1)].toReversed();
  const all = { scope: null, nowMs: 0 };
  const first = await read((client) => listJobs(client, all, { limit: 2 }));
  expect(first).toMatchObject({ object: 'list', has_more: true, data: [{ id: ids[0] }, { id: ids[1] }] });
  const second = await read((client) => listJobs(client, all, { limit: 2, cursor: first.next_cursor! }));
  expect(second).toMatchObject({ has_more: false, next_cursor: null, data: [{ id: ids[2] }] });
  const acme = { scope: 'acme', nowMs: 0 };
  expect((await read((client) => listJobs(client, acme, { limit: 10 }))).data.map(({ id }) => id)).toEqual([ids[2]]);
  await expect(read((client) => getJob(client, acme, ids[1]!))).rejects.toMatchObject({ code: 'not_found', message: 'There is no such job.' });
  await expect(read((client) => getJob(client, all, 'x'))).rejects.toMatchObject({ code: 'not_found' });
  await expect(read((client) => listJobs(client, all, { limit: 2, cursor: 'x' }))).rejects.toMatchObject({ code: 'invalid_value', param: 'cursor' });
});
