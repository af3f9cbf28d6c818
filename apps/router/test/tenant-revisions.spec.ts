import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { PUSH_CHANNEL, tenantRevisionKey, type Push } from '@deja/contracts';
import { migrate, openPool, type Pool } from '@deja/postgres';
import { openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess, testDatabase, type TestDatabase } from '@deja/testing';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { PushChannel } from '../src/push-channel.ts';
import { tenants } from '../src/schema/tables.ts';
import { tenantChanged } from '../src/tenants/tenant-changed.ts';
import { TenantRevisions } from '../src/tenants/tenant-revisions.ts';
import { TenantsRepository } from '../src/tenants/tenants.repository.ts';
import { recorder } from './infrastructure.ts';

jest.setTimeout(60_000);

const MIGRATIONS = fileURLToPath(new URL('../migrations', import.meta.url));
const { logger } = recorder();
let server: RedisProcess;
let redis: RedisClient;
let database: TestDatabase;
let pool: Pool;
let db: NodePgDatabase;
let revisions: TenantRevisions;

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger });
  database = await testDatabase();
  pool = openPool(database.url, { name: 'test', logger });
  db = drizzle(pool);
  await migrate(pool, { folder: MIGRATIONS, schema: 'router', logger });
  await db.insert(tenants).values(['a', 'b'].map((id) => ({ id, name: id })));
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await whenReady(redis, 25_000);
  revisions = new TenantRevisions(redis, new TenantsRepository(db), new PushChannel(redis, logger), logger);
});
afterEach(() => revisions.stop());

const standing = async (tenant: string): Promise<number> => Number(await server.client.get(tenantRevisionKey(tenant)));
const kept = async (tenant: string): Promise<number> => (await new TenantsRepository(db).find(tenant))!.revision;
const agree = async (): Promise<boolean> => (await Promise.all(['a', 'b'].map(async (tenant) => (await standing(tenant)) === (await kept(tenant))))).every(Boolean);
const change = (tenant: string): Promise<number> => db.transaction((tx) => tenantChanged(tx, tenant));

test('a revision grows with every change, also with those made at once, and is never one that another tenant had', async () => {
  const seen = await Promise.all(['a', 'a', 'b', 'a', 'b'].map(change));
  expect(new Set(seen).size).toBe(5);
  expect(await kept('a')).toBe(Math.max(...[0, 1, 3].map((index) => seen[index]!)));
  expect(await change('nowhere')).toBe(0);
});

test('what stands in Redis never goes back, and gateways are told', async () => {
  const pushed: Push[] = [];
  const subscriber = openRedis(server.url, { role: 'subscriber', name: 'gateway', logger });
  await whenReady(subscriber, 25_000);
  subscriber.on('message', (_: string, text: string) => void pushed.push(JSON.parse(text) as Push));
  await subscriber.subscribe(PUSH_CHANNEL);
  const [first, second] = [await change('a'), await change('a')];
  await revisions.changed('a', second);
  await revisions.changed('a', first);
  expect(await standing('a')).toBe(second);
  await eventually('the pushes', () => pushed.filter((push) => push.kind === 'tenant_changed' && push.tenant === 'a').length === 2);
  subscriber.disconnect();
});

test('all are written at a start, and again when Redis has lost them', async () => {
  revisions.start();
  await eventually('the first writing', agree);
  await server.client.flushall();
  expect(await standing('a')).toBe(0);
  await server.kill();
  await server.restart();
  await eventually('the second writing', agree);
});

test('a change during an outage of Redis stands there when it is back', async () => {
  await server.kill();
  await eventually('the outage', () => redis.ping().then(() => false, () => true));
  const revision = await change('b');
  await revisions.changed('b', revision);
  await server.restart();
  expect(await eventually('the revision', async () => ((await standing('b')) === revision ? kept('b') : null))).toBe(revision);
});

test('a Postgres that is older than Redis gets on top of it, for nothing known would ever be new enough', async () => {
  await redis.set(tenantRevisionKey('a'), 1_000_000);
  revisions.start();
  await eventually('the raised revision', async () => (await kept('a')) === 1_000_001 && (await standing('a')) === 1_000_001);
  expect(await change('a')).toBe(1_000_002);
});
