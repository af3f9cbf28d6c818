import { isUp, openRedis, whenReady, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess } from '@deja/testing';
import { ENTRY_LOG, EntryLog, recordOf, type LogRecord } from '../src/entries/entry-log.ts';
import { LoggedEntries } from '../src/entries/logged-entries.ts';
import type { StoreMessage } from '../src/entries/messages.ts';

const silent = { info: () => undefined, warn: () => undefined };
const NOW_MS = Date.now();
const PARTITION = { tenant: 'acme', scope: 'tenant', fingerprint: 'f'.repeat(64) };
const NAME = 'built-in';
const entry = (id: string, text: string): StoreMessage => ({ ...PARTITION, text, entry: id, expiresAtMs: NOW_MS + 3_600_000 });
/** A direction for each letter that a text begins with. */
const vectorOf = (text: string): Float32Array => Float32Array.from({ length: 32 }, (_, i) => Number(i === text.charCodeAt(0) % 32));

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await RedisProcess.start();
  redis = openRedis(server.url, { role: 'commands', name: 'test', logger: silent });
  await whenReady(redis, 25_000);
});
beforeEach(async () => {
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

function replica(): { entries: LoggedEntries; embedded: string[]; follow: () => Promise<void> } {
  const embedded: string[] = [];
  const embed = (text: string): { vector: Float32Array; outOfDepth: null } => {
    embedded.push(text);
    return { vector: vectorOf(text), outOfDepth: null };
  };
  const log = new EntryLog(redis, { maxEntries: 1000 });
  const entries = new LoggedEntries({ log, builtIn: { name: NAME, embed } as never, bounds: { maxEntriesPerTenant: 1000, maxBytesPerTenant: 1e9, maxEntries: 1000 }, now: () => NOW_MS, onEvicted: () => undefined });
  return { entries, embedded, follow: async () => entries.learn((await redis.xrange(ENTRY_LOG.key, '-', '+')).map(([, fields]) => recordOf(fields)).filter((record): record is LogRecord => record !== null)) };
}

const found = (entries: LoggedEntries, text: string): string[] => entries.search(PARTITION, { vector: { embedder: NAME, values: vectorOf(text) }, limit: 10, floor: 0.9, nowMs: NOW_MS }).map(({ entry: one }) => one.entry);

test('the replica that stored an entry finds it by the vector it had, and every other one by its own', async () => {
  const [one, other] = [replica(), replica()];
  await Promise.all(['apple', 'banana', 'cherry'].map((text) => one.entries.store(entry(text, text), { embedder: NAME, values: vectorOf(text) })));
  for (const { follow } of [one, other]) await follow();
  for (const { entries } of [one, other]) expect(['apple', 'banana', 'cherry'].map((text) => found(entries, text))).toEqual([['apple'], ['banana'], ['cherry']]);
  expect([one.embedded, other.embedded]).toEqual([[], ['apple', 'banana', 'cherry']]);
});

test('an entry of the same id with another text is not found by the vector of the first', async () => {
  const one = replica();
  await one.entries.store(entry('id', 'apple'), { embedder: NAME, values: vectorOf('apple') });
  one.entries.learn([{ entry: entry('id', 'banana') }]);
  expect([found(one.entries, 'apple'), found(one.entries, 'banana')]).toEqual([[], ['id']]);
});

test('records that are written together are read in their order, each once', async () => {
  const log = new EntryLog(redis, { maxEntries: 1000 });
  const ids = Array.from({ length: 200 }, (_, i) => `e${i}`);
  await Promise.all(ids.map((id) => log.append(entry(id, id))));
  const read = (await redis.xrange(ENTRY_LOG.key, '-', '+')).map(([, fields]) => recordOf(fields));
  expect(read.map((record) => record !== null && 'entry' in record && record.entry.entry)).toEqual(ids);
});

test('while Redis is away, each of those that were to be written together is told so', async () => {
  const away = openRedis(server.url, { role: 'commands', name: 'away', logger: silent });
  await eventually('a connection', () => isUp(away));
  away.disconnect();
  const log = new EntryLog(away, { maxEntries: 1000 });
  const told = await Promise.allSettled(['a', 'b'].map((id) => log.append(entry(id, id))));
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
