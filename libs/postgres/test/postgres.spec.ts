import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startPostgres } from '@deja/launcher';
import { testDatabase, type TestDatabase } from '@deja/testing';
import { isPassing, migrate, openPool, type Pool, type PostgresLog } from '../src/index.ts';

const folder = new URL('migrations', import.meta.url);
let database: TestDatabase;
const pools: Pool[] = [];
const lines: string[] = [];
const note = (_fields: object, message: string): void => void lines.push(message);
const logger: PostgresLog = { info: note, warn: note, error: note };
const poolTo = (url: string): Pool => {
  const pool = openPool(url, { name: 'test', logger });
  pools.push(pool);
  return pool;
};
const things = async (pool: Pool): Promise<unknown[]> => (await pool.query('select * from example.things')).rows;

beforeEach(async () => {
  database = await testDatabase();
  lines.length = 0;
}, 60_000);
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
  await database.drop();
});

test('replicas that start together migrate once, and all of them can go on', async () => {
  const replicas = [poolTo(database.url), poolTo(database.url), poolTo(database.url)];
  await Promise.all(replicas.map((pool) => migrate(pool, { folder, schema: 'example', logger })));
  for (const pool of replicas) expect(await things(pool)).toEqual([{ id: 1, name: null }]);
});

test('a schema that is up to date is left alone', async () => {
  const pool = poolTo(database.url);
  await migrate(pool, { folder, schema: 'example', logger });
  await migrate(pool, { folder, schema: 'example', logger });
  expect(await things(pool)).toHaveLength(1);
});

test('a broken migration changes nothing, is named at once, and can be mended', async () => {
  const mine = await mkdtemp(join(tmpdir(), 'deja-migrations-'));
  await cp(folder, mine, { recursive: true });
  await writeFile(join(mine, '0001_names.sql'), 'ALTER TABLE "example"."nothing" ADD COLUMN "name" text;');
  const pool = poolTo(database.url);
  await expect(migrate(pool, { folder: mine, schema: 'example', logger })).rejects.toThrow('The database schema "example" could not be brought up to date: relation "example.nothing" does not exist');
  await expect(things(pool)).rejects.toThrow('does not exist');
  await migrate(pool, { folder, schema: 'example', logger });
  expect(await things(pool)).toHaveLength(1);
  await rm(mine, { recursive: true });
});

test('a wrong password or a missing database is said at once, in one sentence', async () => {
  const url = new URL(database.url);
  url.pathname = '/nowhere';
  await expect(migrate(poolTo(url.href), { folder, schema: 'example', logger })).rejects.toThrow('database "nowhere" does not exist');
  const stranger = new URL(database.url);
  stranger.username = 'stranger';
  await expect(migrate(poolTo(stranger.href), { folder, schema: 'example', logger })).rejects.toThrow('stranger');
});

test('a database that never comes is an error at the deadline', async () => {
  const pool = poolTo(`postgres://deja@127.0.0.1:${await freePort()}/deja`);
  await expect(migrate(pool, { folder, schema: 'example', logger, deadlineMs: 200 })).rejects.toThrow('Postgres did not become reachable in time: connect ECONNREFUSED');
  expect(lines).toEqual(['waiting for Postgres']);
});

test('a migration waits for a database that is still starting, and a pool outlives its death', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'deja-postgres-'));
  const port = await freePort();
  const first = await startPostgres({ dir, port, durable: false });
  const pool = poolTo(first.url);
  await first.stop();

  const migrating = migrate(pool, { folder, schema: 'example', logger, deadlineMs: 30_000 });
  const second = await startPostgres({ dir, port, durable: false });
  await migrating;
  expect(await things(pool)).toHaveLength(1);

  // Both an idle connection and one in the middle of a statement lose their server.
  const sleeping = pool.query('select pg_sleep(60)').catch((error: unknown) => error);
  await second.stop();
  expect(isPassing(await sleeping)).toBe(true);
  expect(isPassing(await pool.query('select 1').catch((error: unknown) => error))).toBe(true);
  const third = await startPostgres({ dir, port, durable: false });
  expect(await things(pool)).toHaveLength(1);
  await pool.end();
  pools.length = 0;
  await third.stop();
  await rm(dir, { recursive: true });
}, 60_000);

test.each([
  ['a broken constraint', { code: '23505' }, false],
  ['a syntax error', { code: '42601' }, false],
  ['a deadlock', { code: '40P01' }, true],
  ['a full disk', { code: '53100' }, true],
  ['a shutdown', { code: '57P01' }, true],
  ['a standby', { code: '25006' }, true],
  ['a refused connection', { code: 'ECONNREFUSED' }, true],
])('%s is rightly told to be passing or not', (_what, fields, passing) => {
  const error = Object.assign(new Error('x'), fields);
  expect(isPassing(error)).toBe(passing);
  expect(isPassing(new Error('wrapped', { cause: error }))).toBe(passing);
});
