import { semanticPresenceKey, type Invalidation } from '@deja/contracts';
import { isUp, openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess } from '@deja/testing';

const until = (condition: () => boolean | Promise<boolean>): Promise<true> => eventually(String(condition), condition);
import { ENTRY_LOG, EntryLog, INVALIDATION_LIFE_MS, recordOf, type LogRecord } from '../src/entries/entry-log.ts';
import { LogFollower } from '../src/entries/log-follower.ts';
import type { StoreMessage } from '../src/entries/messages.ts';
import { Presence } from '../src/entries/presence.ts';

const silent = { info: () => undefined, warn: () => undefined };
const NOW_MS = Date.now();
const entry = (id: string, more: Partial<StoreMessage> = {}): StoreMessage =>
  ({ tenant: 'acme', scope: 'tenant', fingerprint: 'f'.repeat(64), text: `text of ${id}`, entry: id, expiresAtMs: NOW_MS + 3_600_000, ...more });

let server: RedisProcess;
let redis: RedisClient;
let log: EntryLog;
const followers: LogFollower<LogRecord>[] = [];

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: silent });
  await whenReady(redis, 25_000);
  log = new EntryLog(redis, { maxEntries: 1000 });
});
beforeEach(async () => {
  await redis.flushall();
});
afterEach(async () => {
  for (const follower of followers.splice(0)) await follower.stop();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function follow(): { seen: Set<string>; resets: () => number; follower: LogFollower<LogRecord> } {
  const seen = new Set<string>();
  let resets = 0;
  const follower = new LogFollower<LogRecord>({
    log: ENTRY_LOG,
    read: recordOf,
    redis: openRedis(server.url, { role: 'blocking', name: 'test', logger: silent }),
    onRecords: (records) => records.forEach((record) => seen.add('entry' in record ? record.entry.entry : `-${record.invalidation.id}`)),
    onReset: () => {
      resets++;
      seen.clear();
    },
    logger: silent,
  });
  followers.push(follower);
  follower.start();
  return { seen, resets: () => resets, follower };
}

test('a follower sees what was written before it came, and what is written after', async () => {
  for (let i = 0; i < 1200; i++) await log.append(entry(`before-${i}`));
  const { seen, follower } = follow();
  await follower.whenReplayed();
  expect(seen.size).toBeGreaterThanOrEqual(1000); // trimmed approximately
  expect(seen).toContain('before-1199');
  await log.append(entry('after'));
  await until(() => seen.has('after'));
});

test('a follower of an empty log is ready at once', async () => {
  const { follower, seen } = follow();
  await follower.whenReplayed();
  expect(follower.replayed).toBe(true);
  expect(seen.size).toBe(0);
});

test('when Redis was emptied, followers forget, and then learn the new log only', async () => {
  await log.append(entry('old'));
  const { seen, follower } = follow();
  await follower.whenReplayed();
  expect(seen).toContain('old');
  await redis.flushall();
  await until(() => !seen.has('old'));
  await log.append(entry('new'));
  await until(() => seen.has('new'));
  expect(seen).not.toContain('old');
});

test('a log that was emptied and written again at once is still noticed', async () => {
  await log.append(entry('old'));
  const { seen, follower } = follow();
  await follower.whenReplayed();
  await redis.flushall();
  await log.append(entry('new-1'));
  await log.append(entry('new-2'));
  await until(() => seen.has('new-2') && !seen.has('old'));
  expect([...seen].sort()).toEqual(['new-1', 'new-2']);
});

test('records of another version are passed over', async () => {
  await redis.set(ENTRY_LOG.epochKey, 'e');
  await redis.xadd(ENTRY_LOG.key, '*', 'e', 'not json');
  await redis.xadd(ENTRY_LOG.key, '*', 'e', '{"v":9}');
  await redis.xadd(ENTRY_LOG.key, '*', 'other', '');
  await log.append(entry('good'));
  const { seen, follower } = follow();
  await follower.whenReplayed();
  expect([...seen]).toEqual(['good']);
});

test('a follower outlives the death of its connection', async () => {
  const { seen, follower } = follow();
  await follower.whenReplayed();
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await log.append(entry('late'));
  await until(() => seen.has('late'));
  expect(follower.replayed).toBe(true);
});

test('a partition is announced until its last entry is over', async () => {
  const key = semanticPresenceKey('acme', 'tenant', 'f'.repeat(64));
  const presence = new Presence(redis);
  await presence.announce(entry('long', { expiresAtMs: NOW_MS + 60_000 }), NOW_MS);
  await presence.announce(entry('brief', { expiresAtMs: NOW_MS + 1000 }), NOW_MS);
  expect(await redis.pttl(key)).toBeGreaterThan(30_000);
  await presence.announce(entry('longest', { expiresAtMs: NOW_MS + 600_000 }), NOW_MS);
  expect(await redis.pttl(key)).toBeGreaterThan(300_000);
  expect(await redis.exists(semanticPresenceKey('acme', 'tenant', 'another-fingerprint'))).toBe(0);
});

test('the expired head of the log is dropped, the rest stays', async () => {
  for (let i = 0; i < 600; i++) await log.append(entry(`brief-${i}`, { expiresAtMs: NOW_MS + 10 }));
  await log.append(entry('live'));
  await log.append(entry('brief', { expiresAtMs: NOW_MS + 10 }));
  await log.trimExpired(NOW_MS + 5);
  expect(await redis.xlen(ENTRY_LOG.key)).toBe(602);
  await log.trimExpired(NOW_MS + 20);
  expect(await redis.xlen(ENTRY_LOG.key)).toBe(2);
  await log.trimExpired(NOW_MS + 7_200_000);
  expect(await redis.xlen(ENTRY_LOG.key)).toBe(0);
  await log.trimExpired(NOW_MS + 7_200_000);
});

test('a follower sees what was taken back, and an invalidation is dropped from the log when an hour has passed', async () => {
  const invalidation: Invalidation = { id: 'r1', tenant: 'acme', model: null, tag: 'k=v', entry: null, beforeMs: NOW_MS, madeAtMs: NOW_MS };
  await log.appendInvalidation(invalidation);
  await log.append(entry('after', { expiresAtMs: NOW_MS + 10 * INVALIDATION_LIFE_MS }));
  const { seen, follower } = follow();
  await follower.whenReplayed();
  expect([...seen]).toEqual(['-r1', 'after']);
  await log.trimExpired(NOW_MS + INVALIDATION_LIFE_MS - 1);
  expect(await redis.xlen(ENTRY_LOG.key)).toBe(2);
  await log.trimExpired(NOW_MS + INVALIDATION_LIFE_MS);
  expect(await redis.xlen(ENTRY_LOG.key)).toBe(1);
});

test('dropping expired records is not taken for an emptied Redis', async () => {
  await log.append(entry('brief', { expiresAtMs: NOW_MS + 10 }));
  const { seen, resets, follower } = follow();
  await follower.whenReplayed();
  await log.trimExpired(NOW_MS + 20);
  await log.append(entry('next'));
  await until(() => seen.has('next'));
  expect(resets()).toBe(0);
});

test('a Redis that is down is an error for who appends', async () => {
  const second = await RedisProcess.start();
  const down = openRedis(second.url, { role: 'commands', name: 'test', logger: silent, commandTimeoutMs: 200 });
  await whenReady(down, 25_000);
  await second.stop();
  await until(() => !isUp(down));
  await expect(new EntryLog(down, { maxEntries: 10 }).append(entry('e'))).rejects.toThrow(/Stream|Connection/);
  down.disconnect();
});
