import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { newId, PUSH_CHANNEL, type Push } from '@deja/contracts';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { openRedis, whenReady } from '@deja/redis';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Redis } from 'ioredis';
import { ClientKeysRepository } from '../src/keys/client-keys.repository.ts';
import { followKeyChanges } from '../src/keys/follow-key-changes.ts';
import { KeyDirectory } from '../src/keys/key-directory.ts';
import { PushChannel } from '../src/push-channel.ts';
import { clientKeys, tenants } from '../src/schema/tables.ts';
import { bootstrap } from '../src/tenants/bootstrap.ts';
import { eventually, RedisProcess, TcpPath, testDatabase, type TestDatabase } from '@deja/testing';
import { recorder } from './infrastructure.ts';

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

// A first start of Postgres, and databases that do not answer, take their time.
jest.setTimeout(60_000);

const { logger } = recorder();
let redisServer: RedisProcess;
let redis: Redis;
let database: TestDatabase;
let path: TcpPath;
let pool: Pool;
let db: NodePgDatabase;
let directory: KeyDirectory;
let now: number;

beforeAll(async () => {
  redisServer = await RedisProcess.start();
  redis = openRedis(redisServer.url, { role: 'commands', name: 'test', logger });
  await whenReady(redis, 5000);
  database = await testDatabase();
  path = await TcpPath.to(database.url);
  pool = openPool(path.url, { name: 'test', logger });
  db = drizzle(pool);
});
afterAll(async () => {
  await path.close();
  await pool.end();
  await database.drop();
  redis.disconnect();
  await redisServer.stop();
});
beforeEach(() => {
  path.set('open');
  now = Date.now();
  directory = new KeyDirectory(new ClientKeysRepository(db), new PushChannel(redis, logger), logger, () => now);
});

async function keyNamed(key: string, over: Partial<typeof clientKeys.$inferInsert> = {}): Promise<string> {
  const id = newId();
  await db.insert(clientKeys).values({ id, tenant: 'default', keySha256: sha256(key), name: 'a key', ...over });
  return id;
}

describe('starting', () => {
  test('replicas that start together make one schema, one salt and one bootstrap key', async () => {
    const salts = await Promise.all([1, 2, 3].map(async () => {
      await migrate(pool, { folder: MIGRATIONS, schema: 'router', logger });
      return (await bootstrap(db, 'sk-deja-planted')).salt.toString('hex');
    }));
    expect(new Set(salts).size).toBe(1);
    expect(salts[0]).toHaveLength(64);
    expect(await db.select({ id: tenants.id }).from(tenants)).toEqual([{ id: 'default' }]);
    expect(await db.select({ keySha256: clientKeys.keySha256 }).from(clientKeys)).toEqual([{ keySha256: sha256('sk-deja-planted') }]);
  });

  test('a bootstrap key that was disabled stays disabled at the next start', async () => {
    const id = await keyNamed('boot');
    await directory.change(id, { disabled: true });
    await bootstrap(db, 'boot');
    expect(await directory.resolve(sha256('boot'))).toEqual({ status: 'disabled', principal: null });
  });
});

describe('a client key', () => {
  test('stands for its tenant, with the limits of both and the models it may use', async () => {
    await db.insert(tenants).values({ id: 'acme', name: 'Acme', limits: { requests_per_minute: 60 }, validation: { max_messages: 5, max_input_tokens: 100 } });
    const id = await keyNamed('one', { tenant: 'acme', models: ['m'], limits: { tokens_per_minute: 5 }, perUserLimits: { concurrency: 1 }, validation: { max_input_tokens: 50 }, expiresAt: new Date(now + 60_000) });
    expect(await directory.resolve(sha256('one'))).toEqual({
      status: 'active',
      principal: {
        tenant: 'acme', key: id, models: ['m'], expiresAtMs: now + 60_000, validation: { max_messages: 5, max_input_tokens: 50 },
        limits: { tenant: { requests_per_minute: 60 }, key: { tokens_per_minute: 5 }, perUser: { concurrency: 1 } },
      },
    });
  });

  test('is unknown, disabled or expired, and then stands for nobody', async () => {
    await keyNamed('off', { disabled: true });
    await keyNamed('old', { expiresAt: new Date(now) });
    expect(await directory.resolve(sha256('never'))).toEqual({ status: 'unknown', principal: null });
    expect(await directory.resolve(sha256('off'))).toEqual({ status: 'disabled', principal: null });
    expect(await directory.resolve(sha256('old'))).toEqual({ status: 'expired', principal: null });
  });

  test('that is changed is changed at once, and every gateway and replica is told to forget it', async () => {
    const id = await keyNamed('change');
    const other = new KeyDirectory(new ClientKeysRepository(db), new PushChannel(redis, logger), logger);
    const subscriber = openRedis(redisServer.url, { role: 'subscriber', name: 'other', logger });
    const pushed: Push[] = [];
    subscriber.on('message', (_: string, text: string) => void pushed.push(JSON.parse(text) as Push));
    followKeyChanges(subscriber, other);
    await eventually('the subscription', async () => (await redis.pubsub('NUMSUB', PUSH_CHANNEL))[1] === 1);
    expect(await other.resolve(sha256('change'))).toMatchObject({ status: 'active' });

    expect(await directory.change(id, { disabled: true })).toBe(true);
    await eventually('the push', () => pushed.length === 1);
    expect(pushed).toEqual([{ kind: 'key_changed', keySha256: [sha256('change')] }]);
    expect(await directory.resolve(sha256('change'))).toMatchObject({ status: 'disabled' });
    path.set('cut');
    await expect(other.resolve(sha256('change'))).rejects.toMatchObject({ code: 'overloaded' });
    subscriber.disconnect();
  });

  test('that does not exist cannot be changed', async () => {
    expect(await directory.change(newId(), { disabled: true })).toBe(false);
  });
});

describe.each(['cut', 'hanging'] as const)('while Postgres is away (%s)', (mode) => {
  test('a known key is still known, for a while, and expires; any other is never called unknown', async () => {
    const key = `known while ${mode}`;
    await keyNamed(key, { expiresAt: new Date(now + 300_000) });
    expect(await directory.resolve(sha256(key))).toMatchObject({ status: 'active' });
    path.set(mode);
    expect(await directory.resolve(sha256(key))).toMatchObject({ status: 'active' });
    await expect(directory.resolve(sha256('other'))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1000 });
    now += 300_000;
    expect(await directory.resolve(sha256(key))).toMatchObject({ status: 'expired' });
    now += 300_000;
    await expect(directory.resolve(sha256(key))).rejects.toMatchObject({ code: 'overloaded' });
    path.set('open');
    await eventually('Postgres to be asked again', async () => (await directory.resolve(sha256('other')).catch(() => null))?.status === 'unknown');
  });
});
