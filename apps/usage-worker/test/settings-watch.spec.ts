import { jest } from '@jest/globals';
import { SNAPSHOT_KEY } from '@deja/contracts';
import { onReady, openRedis, type RedisClient } from '@deja/redis';
import { SettingsWatch } from '../src/settings-watch.ts';
import { Cleanup, logger, redisServer } from './infrastructure.ts';

jest.setTimeout(30_000);

const cleanup = new Cleanup();
let redis: RedisClient;

beforeAll(async () => {
  const server = await redisServer(cleanup);
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger });
  cleanup.add(async () => redis.disconnect());
  await new Promise<void>((resolve) => onReady(redis, resolve));
});
afterAll(() => cleanup.run());
beforeEach(() => redis.flushall());

const publish = (version: number, days: number) => redis.set(SNAPSHOT_KEY, JSON.stringify({ version, issuedAtMs: 0, models: [], deployments: [], settings: { ledger: { retention_days: days } } }));

test('nobody’s settings are guessed: there are none until routers published some', async () => {
  const watch = new SettingsWatch(redis);
  await watch.look();
  expect(watch.snapshot()).toBeNull();
});

test('the newest settings hold, and stay when Redis has lost them', async () => {
  const watch = new SettingsWatch(redis);
  await publish(1, 400);
  await watch.look();
  const first = watch.snapshot();
  expect(first?.settings.ledger.retention_days).toBe(400);
  await watch.look();
  expect(watch.snapshot()).toBe(first);
  await publish(2, 90);
  await watch.look();
  expect(watch.snapshot()?.settings.ledger.retention_days).toBe(90);
  await redis.flushall();
  await watch.look();
  expect(watch.snapshot()?.version).toBe(2);
});

test('what is no snapshot changes nothing', async () => {
  const watch = new SettingsWatch(redis);
  await publish(1, 400);
  await watch.look();
  await redis.set(SNAPSHOT_KEY, '{"version":2,');
  await expect(watch.look()).rejects.toThrow('JSON');
  expect(watch.snapshot()?.version).toBe(1);
});
