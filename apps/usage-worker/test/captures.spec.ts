import { jest } from '@jest/globals';
import { CAPTURE_QUEUE, CAPTURE_QUEUE_PREFIX, newId, type CapturedExchange } from '@deja/contracts';
import { openPool, type Pool } from '@deja/postgres';
import { openRedis, type RedisClient } from '@deja/redis';
import { eventually } from '@deja/testing';
import { Queue } from 'bullmq';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { readCaptures } from '../src/captures/capture-batch.ts';
import { CaptureConsumer } from '../src/captures/capture-consumer.ts';
import { CaptureMetrics } from '../src/captures/capture-metrics.ts';
import { capturedExchange, CaptureStore } from '../src/captures/capture-store.ts';
import { CaptureWriter } from '../src/captures/capture-writer.ts';
import { WordSweep } from '../src/captures/word-sweep.ts';
import { Cleanup, database, logger, migrateLedger, pathTo, redisServer, telemetry } from './infrastructure.ts';

// Deadlines are for a machine that does ten other things meanwhile.
jest.setTimeout(60_000);

const DAY_MS = 86_400_000;
const servers = new Cleanup();
const each = new Cleanup();
let redisUrl: string;
let url: string;
let pool: Pool;
let redis: RedisClient;
let queue: Queue;

beforeAll(async () => {
  ({ url: redisUrl } = await redisServer(servers));
  ({ url, pool } = await database(servers));
  await migrateLedger(pool);
  redis = openRedis(redisUrl, { role: 'blocking', name: 'test', logger });
  queue = new Queue(CAPTURE_QUEUE, { connection: redis, prefix: CAPTURE_QUEUE_PREFIX, skipVersionCheck: true });
  servers.add(async () => {
    await queue.close();
    redis.disconnect();
  });
});
afterAll(() => servers.run());
beforeEach(async () => {
  await pool.query('truncate usage.captures');
  await redis.flushall();
});
afterEach(() => each.run());

const exchange = (over: Partial<CapturedExchange> = {}): CapturedExchange => ({
  operation: newId(), tenant: 'acme', mode: 'full', dataKey: 'key-1', request: { sealed: 'AQIDBA==', bytes: 40, truncated: false }, response: { sealed: '/+8=', bytes: 700, truncated: true }, searchText: null, ...over,
});
const send = (exchanges: unknown[]): Promise<{ id?: string | undefined }> => queue.add('captures', { v: 1, exchanges });
const queued = async (): Promise<number> => Object.values(await queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed')).reduce((sum, n) => sum + n, 0);
const emptied = (): Promise<unknown> => eventually('an empty queue', async () => (await queued()) === 0);
const kept = async (): Promise<string[]> => (await pool.query<{ id: string }>('select operation_id as id from usage.captures order by 1')).rows.map(({ id }) => id);
const idsOf = (...exchanges: CapturedExchange[]): string[] => exchanges.map(({ operation }) => operation).toSorted();

function consumer(o: { pool?: Pool; retentionDays?: number | null } = {}): CaptureConsumer {
  const metrics = new CaptureMetrics(telemetry.meter);
  const writer = new CaptureWriter({ store: new CaptureStore(o.pool ?? pool), metrics, logger, retentionDays: () => o.retentionDays ?? null });
  const made = new CaptureConsumer(redisUrl, writer, metrics, logger);
  let closed: Promise<void> | null = null;
  const close = made.close.bind(made);
  made.close = (deadlineMs) => (closed ??= close(deadlineMs));
  each.add(() => made.close(1000));
  made.start();
  return made;
}

test('a body is given back as it was sealed, to its tenant and to those who see all', async () => {
  consumer();
  const whole = exchange();
  const half = exchange({ mode: 'metadata', response: null });
  await send([whole, half]);
  await emptied();
  expect(await capturedExchange(pool, { operation: whole.operation, tenant: 'acme' })).toEqual(whole);
  expect(await capturedExchange(pool, { operation: half.operation, tenant: null })).toEqual(half);
  expect(await capturedExchange(pool, { operation: whole.operation, tenant: 'other' })).toBeNull();
  expect(await capturedExchange(pool, { operation: newId(), tenant: null })).toBeNull();
});

test('bodies of any size, beside others and beside none, are each given back as they were sealed', async () => {
  const body = fc.option(fc.uint8Array({ maxLength: 3000 }).map((bytes) => ({ sealed: Buffer.from(bytes).toString('base64'), bytes: bytes.length, truncated: bytes.length % 2 === 1 })), { nil: null });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(body, body), { minLength: 1, maxLength: 12 }), async (bodies) => {
      const exchanges = bodies.map(([request, response], i) => exchange({ request, response, tenant: `a"\\{,}${i}` }));
      const { captures } = readCaptures({ v: 1, exchanges }, { nowMs: Date.now(), retentionDays: null });
      expect(await new CaptureStore(pool).keep(captures)).toEqual({ stored: exchanges.length, erased: 0 });
      expect(await Promise.all(exchanges.map(({ operation, tenant }) => capturedExchange(pool, { operation, tenant })))).toEqual(exchanges);
    }),
    { numRuns: 15 },
  );
});

test('what comes twice is kept once, as it came first', async () => {
  consumer();
  const first = exchange();
  await send([first, { ...first, mode: 'metadata' }]);
  await emptied();
  await send([{ ...first, tenant: 'other' }, first]);
  await emptied();
  expect(await capturedExchange(pool, { operation: first.operation, tenant: null })).toEqual(first);
});

test('what nobody can read is dropped; the rest of its batch is kept, and so is what comes after it', async () => {
  consumer();
  const [good, later] = [exchange(), exchange()];
  await queue.add('captures', 'no batch');
  await send([exchange({ operation: 'x' }), good, exchange({ operation: v7({ msecs: Date.now() + 3 * DAY_MS }) })]);
  await send([later]);
  await emptied();
  expect(await kept()).toEqual(idsOf(good, later));
});

test('what is older than bodies are kept is not kept, and makes no partition', async () => {
  consumer({ retentionDays: 5 });
  const [old, recent] = [exchange({ operation: v7({ msecs: Date.now() - 7 * DAY_MS }) }), exchange({ operation: v7({ msecs: Date.now() - 4 * DAY_MS }) })];
  await send([old, recent]);
  await emptied();
  expect(await kept()).toEqual([recent.operation]);
  const days = (await pool.query<{ name: string }>(`select inhrelid::regclass::text as name from pg_inherits where inhparent = 'usage.captures'::regclass`)).rows.map(({ name }) => name);
  expect(days).not.toContain(`usage.captures_${new Date(Date.now() - 7 * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`);
});

test('a day that retention dropped is made again when something of it comes', async () => {
  consumer();
  const [before, after] = [exchange(), exchange()];
  await send([before]);
  await emptied();
  await pool.query(`do $$ declare name text; begin for name in select inhrelid::regclass::text from pg_inherits where inhparent = 'usage.captures'::regclass loop execute 'drop table ' || name; end loop; end $$`);
  await send([after]);
  await emptied();
  expect(await kept()).toEqual([after.operation]);
});

test('while Postgres is away bodies wait, and no job fails', async () => {
  const path = await pathTo(url, each);
  const through = openPool(path.url, { name: 'through', logger, max: 2 });
  path.set('cut');
  const made = consumer({ pool: through });
  const all = [exchange(), exchange()];
  const { id } = await send(all);
  await eventually('the job is under way', async () => (await queue.getJobCounts('active'))['active'] === 1);
  expect((await queue.getJob(id!))?.attemptsMade).toBe(0);
  path.set('open');
  await emptied();
  expect(await kept()).toEqual(idsOf(...all));
  await made.close(1000);
  await through.end();
});

test('a worker that stops while Postgres is away gives its jobs back, and the next one keeps them', async () => {
  const path = await pathTo(url, each);
  const through = openPool(path.url, { name: 'through', logger, max: 2 });
  path.set('cut');
  const made = consumer({ pool: through });
  const one = exchange();
  await send([one]);
  await eventually('the job is under way', async () => (await queue.getJobCounts('active'))['active'] === 1);
  await made.close(5000);
  await through.end();
  expect(await queue.getJobCounts('waiting', 'active', 'failed')).toEqual({ waiting: 1, active: 0, failed: 0 });
  consumer();
  await emptied();
  expect(await kept()).toEqual([one.operation]);
});

test('prompts are found by their words, by an index, in whatever alphabet, and however long they are', async () => {
  consumer();
  const searched = [
    exchange({ searchText: 'When does the Zürich office open?' }), exchange({ searchText: 'где находится офис' }), exchange({ searchText: `office ${'日本語'.repeat(100_000)}` }),
    exchange({ searchText: Array.from({ length: 300_000 }, (_, i) => i.toString(36)).join(' ') }), exchange(),
  ];
  await send(searched);
  await emptied();
  expect(await kept()).toHaveLength(5);
  const found = async (q: string): Promise<string[]> => (await pool.query<{ id: string }>(`select operation_id as id from usage.captures where search @@ websearch_to_tsquery('simple', $1) order by 1`, [q])).rows.map(({ id }) => id);
  expect(await found('office')).toEqual(idsOf(searched[0]!, searched[2]!));
  expect(await found('офис')).toEqual(idsOf(searched[1]!));
  expect(await found('"zürich office" -closed')).toEqual(idsOf(searched[0]!));
  const client = await pool.connect();
  await client.query('set enable_seqscan = off');
  const plan = JSON.stringify((await client.query(`explain (format json) select 1 from usage.captures where search @@ websearch_to_tsquery('simple', 'office')`)).rows);
  client.release(true);
  expect(plan).toContain('Bitmap Index Scan');
  expect(plan).not.toContain('Seq Scan');
});

test('when a data key is destroyed the words of its bodies go, also of those that were on their way; no other words do', async () => {
  const store = new CaptureStore(pool);
  const writer = new CaptureWriter({ store, metrics: new CaptureMetrics(telemetry.meter), logger, retentionDays: () => null });
  const keep = (exchanges: CapturedExchange[]): Promise<boolean> => writer.keep({ v: 1, exchanges }, Date.now(), new AbortController().signal);
  const words = (dataKey: string, n: number): CapturedExchange[] => Array.from({ length: n }, () => exchange({ dataKey, searchText: 'secret words' }));
  await keep([...words('a', 3), ...words('b', 2), ...words('c', 1), exchange({ dataKey: 'd' })]);
  const asked: string[][] = [];
  const gone = new Set(['b', 'd']);
  const sweep = new WordSweep(pool, (keys) => Promise.resolve(keys.filter((key) => gone.has(key))).finally(() => asked.push(keys)));
  const left = async (): Promise<unknown> => (await pool.query('select data_key, count(*)::integer as n from usage.captures where search is not null group by 1 order by 1')).rows;
  expect(await sweep.sweep()).toBe(2);
  expect(asked).toEqual([['a', 'b', 'c']]);
  expect(await left()).toEqual([{ data_key: 'a', n: 3 }, { data_key: 'c', n: 1 }]);
  await keep(words('b', 2));
  expect(await sweep.sweep()).toBe(2);
  expect(await left()).toEqual([{ data_key: 'a', n: 3 }, { data_key: 'c', n: 1 }]);
  expect(await kept()).toHaveLength(9);
});
