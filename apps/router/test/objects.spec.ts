import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readEnvironment } from '@deja/config';
import { storedObjectKey, type RouterRpc, type StoredObject } from '@deja/contracts';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { startTelemetry } from '@deja/telemetry';
import { eventually, RedisProcess, TcpPath, testDatabase, type TestDatabase } from '@deja/testing';
import { StreamsClient } from '@deja/transport';
import { eq } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { ObjectDirectory } from '../src/objects/object-directory.ts';
import { ResponseSweep } from '../src/objects/response-sweep.ts';
import { StoredObjectsRepository } from '../src/objects/stored-objects.repository.ts';
import { WaitingObjects } from '../src/objects/waiting-objects.ts';
import { startRouter } from '../src/router.ts';
import { storedObjects, tenants } from '../src/schema/tables.ts';
import { recorder } from './infrastructure.ts';

jest.setTimeout(60_000);

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
const DAY_MS = 24 * 60 * 60_000;
const NOW = Date.UTC(2026, 0, 1);

let redisServer: RedisProcess;
let redis: RedisClient;
let database: TestDatabase;
let path: TcpPath;
let pool: Pool;
let db: NodePgDatabase;
let repository: StoredObjectsRepository;
let directory: ObjectDirectory;
const { logger, lines } = recorder();

beforeAll(async () => {
  redisServer = await RedisProcess.start();
  redis = openRedis(redisServer.url, { role: 'commands', name: 'test', logger });
  await whenReady(redis, 25_000);
  database = await testDatabase();
  path = await TcpPath.to(database.url);
  pool = openPool(path.url, { name: 'test', logger });
  await migrate(pool, { folder: MIGRATIONS, schema: 'router', logger });
  db = drizzle(pool);
  await db.insert(tenants).values(['acme', 'rival'].map((id) => ({ id, name: id })));
  repository = new StoredObjectsRepository(db);
  directory = new ObjectDirectory(repository, redis, logger);
});
afterAll(async () => {
  await path.close();
  await pool.end();
  await database.drop();
  redis.disconnect();
  await redisServer.stop();
});
beforeEach(async () => {
  await db.delete(storedObjects);
  await redis.flushall();
});

const object = (over: Partial<StoredObject> = {}): StoredObject => ({ tenant: 'acme', kind: 'file', id: 'file-1', provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/a', createdAtMs: NOW, ...over });
const note = async (one: StoredObject): Promise<void> => void (await repository.insert(one));
const everything = async (): Promise<unknown[]> => await db.select({ tenant: storedObjects.tenant, id: storedObjects.id, provider: storedObjects.provider }).from(storedObjects).orderBy(storedObjects.tenant, storedObjects.id);

describe('a stored object', () => {
  test('is its tenant’s, as it was told, and nobody else’s', async () => {
    await directory.stored(object());
    await directory.stored(object({ id: 'file-2', credential: null }));
    expect(await directory.find('acme', ['file-1', 'file-2', 'file-3'])).toEqual(expect.arrayContaining([object(), object({ id: 'file-2', credential: null })]));
    expect(await directory.find('rival', ['file-1', 'file-2'])).toEqual([]);
    expect(await directory.find('acme', [])).toEqual([]);
  });

  test('that is told again, or told after something newer, changes nothing', async () => {
    await directory.stored(object({ credential: 'openai/b' }));
    await directory.stored(object({ credential: 'openai/b' }));
    await directory.stored(object({ credential: 'openai/a', createdAtMs: NOW - 1 }));
    expect(await directory.find('acme', ['file-1'])).toEqual([object({ credential: 'openai/b' })]);
  });

  test('never changes its owner, and the other tenant’s memory of it is taken out of Redis', async () => {
    await directory.stored(object());
    await redis.set(storedObjectKey('rival', 'file-1'), JSON.stringify(object({ tenant: 'rival' })));
    await directory.stored(object({ tenant: 'rival', createdAtMs: NOW + DAY_MS }));
    expect(await directory.find('acme', ['file-1'])).toEqual([object()]);
    expect(await directory.find('rival', ['file-1'])).toEqual([]);
    expect(await redis.get(storedObjectKey('rival', 'file-1'))).toBeNull();
    expect(lines.at(-1)).toMatchObject({ tenant: 'rival', id: 'file-1', provider: 'openai' });
  });

  test('has one owner when two tenants are told to have it at the same moment', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => repository.insert(object({ tenant: i % 2 === 0 ? 'acme' : 'rival', createdAtMs: NOW + i }))));
    expect(results.filter((result) => result === 'foreign')).toHaveLength(10);
    expect(await everything()).toHaveLength(1);
  });

  test('may have the id of another tenant’s object at another provider', async () => {
    await directory.stored(object());
    await directory.stored(object({ tenant: 'rival', provider: 'local' }));
    expect(await everything()).toEqual([{ tenant: 'acme', id: 'file-1', provider: 'openai' }, { tenant: 'rival', id: 'file-1', provider: 'local' }]);
    // What is another's there does not become the tenant's own by being newer.
    await directory.stored(object({ provider: 'local', createdAtMs: NOW + 1 }));
    expect(await directory.find('acme', ['file-1'])).toEqual([object()]);
  });

  test('gives way to a newer one of the same tenant and id at another provider, in whatever order they are told', async () => {
    const newer = object({ provider: 'local', deployment: 'local/m', credential: null, createdAtMs: NOW + 1 });
    for (const order of [[object(), newer], [newer, object()]]) {
      await db.delete(storedObjects);
      for (const one of order) await directory.stored(one);
      expect(await directory.find('acme', ['file-1'])).toEqual([newer]);
    }
  });

  test('is gone when it was deleted, for its tenant only, and its id is free', async () => {
    await directory.stored(object());
    await redis.set(storedObjectKey('acme', 'file-1'), 'known');
    await directory.deleted({ tenant: 'rival', id: 'file-1' });
    expect(await directory.find('acme', ['file-1'])).toHaveLength(1);
    await directory.deleted({ tenant: 'acme', id: 'file-1' });
    await directory.deleted({ tenant: 'acme', id: 'file-1' });
    expect(await directory.find('acme', ['file-1'])).toEqual([]);
    expect(await redis.get(storedObjectKey('acme', 'file-1'))).toBeNull();
    await directory.stored(object({ tenant: 'rival' }));
    expect(await directory.find('rival', ['file-1'])).toHaveLength(1);
  });

  test('goes with its tenant', async () => {
    await db.insert(tenants).values({ id: 'leaving', name: 'leaving' });
    await directory.stored(object({ tenant: 'leaving' }));
    await db.delete(tenants).where(eq(tenants.id, 'leaving'));
    expect(await everything()).toEqual([]);
  });

  test('is never called unknown while Postgres is away', async () => {
    path.set('cut');
    await expect(directory.find('acme', ['file-1'])).rejects.toMatchObject({ code: 'overloaded' });
    await expect(directory.accounts('acme', 'file')).rejects.toMatchObject({ code: 'overloaded' });
    path.set('open');
    await eventually('Postgres', () => directory.find('acme', ['file-1']).then(() => true, () => false));
  });

  test('that is made while Postgres is away is noted when it is back, however long that takes, by whichever replica', async () => {
    path.set('cut');
    await directory.stored(object());
    await directory.stored(object({ id: 'file-2', tenant: 'nobody' }));
    await directory.stored(object({ id: 'file-3' }));
    await expect(new WaitingObjects(redis, logger).noteAll(note)).rejects.toBeInstanceOf(Error);
    path.set('open');
    await eventually('Postgres', () => directory.find('acme', []).then(() => true, () => false));
    await Promise.all([1, 2].map(() => new WaitingObjects(redis, logger).noteAll(note)));
    expect((await everything()).map((row) => (row as { id: string }).id)).toEqual(['file-1', 'file-3']);
    // The tenant of the other was deleted: waiting would not have helped.
    expect(lines.some(({ msg }) => msg === 'a stored object cannot be noted and is given up')).toBe(true);
    expect(await redis.keys('deja:objects:*')).toEqual([]);
  });

  test('of a tenant that does not exist is refused at once', async () => {
    await expect(directory.stored(object({ tenant: 'nobody' }))).rejects.toBeInstanceOf(Error);
    expect(await redis.keys('*')).toEqual([]);
  });
});

test('the accounts of a tenant are each named once, by kind', async () => {
  for (const one of [object(), object({ id: 'b' }), object({ id: 'c', credential: 'openai/b' }), object({ id: 'd', provider: 'local', deployment: 'local/m', credential: null }), object({ id: 'e', kind: 'batch', credential: 'openai/z' }), object({ id: 'f', tenant: 'rival', credential: 'openai/y' })]) {
    await directory.stored(one);
  }
  expect(await directory.accounts('acme', 'file')).toEqual([
    { provider: 'local', deployment: 'local/m', credential: null },
    { provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/a' },
    { provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/b' },
  ]);
  expect(await directory.accounts('acme', 'batch')).toEqual([{ provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/z' }]);
  expect(await directory.accounts('acme', 'response')).toEqual([]);
});

describe('the sweep', () => {
  test('forgets responses older than 90 days; younger ones, files and batches stay', async () => {
    await directory.stored(object({ id: 'old', kind: 'response', createdAtMs: NOW - 90 * DAY_MS - 1 }));
    await directory.stored(object({ id: 'young', kind: 'response', createdAtMs: NOW - 90 * DAY_MS }));
    await directory.stored(object({ id: 'file', createdAtMs: 0 }));
    await directory.stored(object({ id: 'batch', kind: 'batch', createdAtMs: 0 }));
    await new ResponseSweep(repository, logger, () => NOW).sweep();
    expect((await everything()).map((row) => (row as { id: string }).id)).toEqual(['batch', 'file', 'young']);
  });

  test('goes on in batches until there is nothing left, also beside another replica', async () => {
    const rows = Array.from({ length: 2500 }, (_, i) => ({ tenant: 'acme', id: `resp-${i}`, kind: 'response' as const, provider: 'p', deployment: 'p/m', credential: null, createdAt: new Date(i) }));
    await db.insert(storedObjects).values(rows);
    expect(await repository.removeResponses(new Date(10), 4)).toBe(4);
    await Promise.all([1, 2].map(() => new ResponseSweep(repository, logger, () => NOW).sweep()));
    // One of them may have found the last rows in the other's hands.
    expect(await everything()).toEqual([]);
  });

  test('stops between two batches, and an outage ends only its round', async () => {
    let batches = 0;
    const sweep = new ResponseSweep({ removeResponses: async () => (batches++ === 0 ? 1000 : Promise.reject(new Error('away'))) }, logger);
    sweep.start();
    await eventually('the outage', () => lines.some(({ msg }) => String(msg).startsWith('old responses could not be forgotten')));
    await sweep.stop();
    await sweep.sweep();
    expect(batches).toBe(2);
  });
});

test('a router takes and answers all of it over the bus', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'deja-router-'));
  await writeFile(join(dir, 'deja.yaml'), 'providers: { p: { kind: openai, credentials: [{ name: a, value: v }] } }\nmodels: [{ name: m, deployments: [{ provider: p, model: m }] }]\n');
  const variables = { REDIS_URL: redisServer.url, DATABASE_URL: database.url, OPS_PORT: '0', DEJA_CONFIG: join(dir, 'deja.yaml'), DEJA_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') };
  const telemetry = startTelemetry({ service: 'router', instance: 'test', variables: {} });
  const router = await startRouter({ environment: { ...readEnvironment(variables), variables }, logger, telemetry });
  const client = new StreamsClient({ service: 'router', redisUrl: redisServer.url, logger });
  await client.connect();
  const find = (tenant: string): Promise<RouterRpc['find_objects']['reply']> => client.call('find_objects', { tenant, ids: ['file-1'] }, { deadlineMs: 5000 });

  await client.notify('object_stored', object());
  expect(await eventually('the object', async () => (await find('acme')).objects[0])).toEqual(object());
  expect(await find('rival')).toEqual({ objects: [] });
  expect(await client.call('object_accounts', { tenant: 'acme', kind: 'file' }, { deadlineMs: 5000 })).toEqual({ accounts: [{ provider: 'openai', deployment: 'openai/gpt-5', credential: 'openai/a' }] });
  await expect(client.call('find_objects', { tenant: 'acme', ids: ['a b'] }, { deadlineMs: 5000 })).rejects.toMatchObject({ code: 'invalid_value', param: 'ids[0]' });
  await expect(client.call('object_accounts', { tenant: 'acme', kind: 'key' }, { deadlineMs: 5000 })).rejects.toMatchObject({ code: 'invalid_value', param: 'kind' });
  await redis.rpush('deja:objects:waiting', JSON.stringify(object({ id: 'late' })));
  await eventually('what waited', async () => (await repository.find('acme', ['late'])).length === 1);
  await client.notify('object_deleted', { tenant: 'acme', id: 'file-1' });
  await eventually('the deletion', async () => (await find('acme')).objects.length === 0);

  await client.close();
  await router.close();
  await telemetry.shutdown();
  await rm(dir, { recursive: true });
});
