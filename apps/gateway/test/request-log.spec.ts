import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CAPTURE_QUEUE, CAPTURE_QUEUE_PREFIX, newId, type CaptureBatch, type CapturedExchange } from '@deja/contracts';
import { openRedis, type RedisClient } from '@deja/redis';
import { eventually, RedisProcess } from '@deja/testing';
import { Queue } from 'bullmq';
import { CaptureQueue, type CaptureBounds } from '../src/capture/capture-queue.ts';
import { CaptureSpool } from '../src/capture/capture-spool.ts';
import { DataKeys } from '../src/capture/data-keys.ts';
import { transportOf } from '../src/capture/gateway-capture.ts';
import { RequestLog, type RequestLogOptions } from '../src/capture/request-log.ts';
import { openBody } from '../src/capture/seal.ts';
import { Counted, operation, SECRET } from './captured-operations.ts';
import { ScriptedDataKeys } from './sealed-data-keys.ts';

let server: RedisProcess;
const dir = mkdtempSync(join(tmpdir(), 'deja-captures-'));
const stages: Stage[] = [];

beforeAll(async () => {
  server = await RedisProcess.start();
});
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.end();
  await server.client.flushall();
});
afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A gateway's request log with a router and a spool of its own. */
class Stage {
  readonly router = new ScriptedDataKeys();
  readonly keys = new DataKeys(this.router.ask, quiet);
  readonly counted = new Counted();
  readonly redis: RedisClient = openRedis(server.url, { role: 'commands', name: 'test', logger: quiet });
  readonly jobs = new Queue<CaptureBatch>(CAPTURE_QUEUE, { connection: this.redis, prefix: CAPTURE_QUEUE_PREFIX, skipVersionCheck: true, skipWaitingForReady: true });
  readonly bounds: CaptureBounds = { queue_max_bytes: 1024 ** 3, capture_spool_max_bytes: 1024 ** 3 };
  readonly log: RequestLog;
  private closed: Promise<void> | null = null;

  constructor(
    readonly spoolDir: string,
    o: Partial<RequestLogOptions> = {},
  ) {
    this.jobs.on('error', () => undefined);
    const queue = new CaptureQueue(transportOf(this.jobs, this.redis), new CaptureSpool(spoolDir), this.counted, () => this.bounds, quiet, { batchMs: 5, tickMs: 20 });
    this.log = new RequestLog(this.keys, queue, this.counted, quiet, { retryMs: 5, ...o });
    queue.start();
    stages.push(this);
  }

  /** What the usage-worker would find. */
  async queued(): Promise<CapturedExchange[]> {
    const jobs = await this.jobs.getJobs(['wait', 'active', 'delayed', 'prioritized']);
    return jobs.flatMap(({ data }) => data.exchanges);
  }

  async opened(exchange: CapturedExchange, part: 'request' | 'response'): Promise<string | null> {
    const body = exchange[part];
    const key = await this.keys.byId(exchange.tenant, exchange.dataKey);
    return body === null || key === null ? null : openBody(body, key.key, { tenant: exchange.tenant, operation: exchange.operation, part });
  }

  close(): Promise<void> {
    return (this.closed ??= this.log.close());
  }

  async end(): Promise<void> {
    await this.close();
    await this.jobs.close();
    this.redis.disconnect();
  }
}

let spools = 0;
const stage = (o: Partial<RequestLogOptions> = {}): Stage => new Stage(join(dir, `spool-${(spools += 1)}`), o);

describe('what is captured of a settled request', () => {
  test('comes to the queue sealed, and opens to what was asked and answered', async () => {
    const { log, queued, opened, counted } = bound(stage());
    const asked = operation({ search: true });
    log.take(asked);
    const [exchange] = await eventually('the capture', async () => ((await queued()).length > 0 ? queued() : null));
    expect(exchange).toMatchObject({ operation: asked.id, tenant: 'acme', mode: 'full', searchText: SECRET, request: { truncated: false } });
    expect(await opened(exchange!, 'request')).toBe(asked.captured.request?.text);
    expect(await opened(exchange!, 'response')).toContain(`You said: ${SECRET}`);
    expect(counted.captures).toEqual({ queued: 1, spooled: 0, dropped: 0 });
  });

  test('is the shape alone where no more is wanted, and nothing where nothing is', async () => {
    const { log, queued, opened } = bound(stage());
    log.take(operation({ capture: 'none' }));
    log.take({ ...operation(), captured: null });
    log.take(operation({ capture: 'metadata', search: true }));
    const exchanges = await eventually('the capture', async () => ((await queued()).length > 0 ? queued() : null));
    expect(exchanges).toMatchObject([{ mode: 'metadata', searchText: null }]);
    expect(await opened(exchanges[0]!, 'request')).toBe(`{"model":"m","messages":[{"role":"user","content":{"chars":${SECRET.length}}}]}`);
  });

  test('is in Redis and on the disk never in clear', async () => {
    const { log, jobs, router, spoolDir, bounds, counted } = bound(stage());
    log.take(operation());
    await eventually('the capture', () => counted.captures.queued === 1);
    bounds.queue_max_bytes = 0;
    log.take(operation());
    await eventually('the capture', () => counted.captures.spooled === 1);
    const [job] = await jobs.getJobs(['wait']);
    const [file] = readdirSync(spoolDir);
    for (const text of [JSON.stringify(job?.data), readFileSync(join(spoolDir, file!), 'utf8')]) {
      expect(text).not.toContain('treasure');
      expect(text).toContain('"sealed"');
    }
    expect(statSync(join(spoolDir, file!)).mode & 0o777).toBe(0o600);
    expect(router.asked).toEqual(['acme current']);
  });

  test('goes out when the gateway stops', async () => {
    const { log, queued, close } = bound(stage());
    for (let n = 0; n < 300; n++) log.take(operation({ tenant: `t${n % 3}` }));
    await close();
    expect(await queued()).toHaveLength(300);
  });
});

describe('while no router can be asked for a key', () => {
  test('what is captured waits in memory, is never written in clear, and goes out sealed when one is back', async () => {
    const { log, queued, router, spoolDir } = bound(stage());
    router.isAway = true;
    for (let n = 0; n < 10; n++) log.take(operation());
    await eventually('the key to be asked for again', () => router.asked.length > 3);
    expect([await queued(), readable(spoolDir)]).toEqual([[], []]);
    router.isAway = false;
    await eventually('the captures', async () => (await queued()).length === 10);
  });

  test('other tenants, whose keys are held, do not wait', async () => {
    const { log, queued, router, keys } = bound(stage());
    await keys.fetch('b');
    router.isAway = true;
    log.take(operation({ tenant: 'a' }));
    log.take(operation({ tenant: 'b' }));
    expect(await eventually('the capture', async () => ((await queued()).length > 0 ? queued() : null))).toMatchObject([{ tenant: 'b' }]);
  });

  test('what does not fit into memory, or waits too long, is dropped and counted', async () => {
    const time = { ms: 0 };
    const { log, router, counted } = bound(stage({ mostWaitingBytes: 8000, mostWaitMs: 1000, now: () => time.ms }));
    router.isAway = true;
    log.take(operation({ text: 'x'.repeat(9000) }));
    expect(counted.captures.dropped).toBe(1);
    log.take(operation());
    await eventually('the key to be asked for', () => router.asked.length > 0);
    time.ms = 1001;
    await eventually('the capture to be dropped', () => counted.captures.dropped === 2);
    router.isAway = false;
    log.take(operation());
    await eventually('the next one', () => counted.captures.queued === 1);
  });

  test('what waits for however many tenants is never more than its bound, and what was let in comes when one is back', async () => {
    const mostWaitingBytes = 1_000_000;
    const { log, router, queued, counted } = bound(stage({ mostWaitingBytes }));
    router.isAway = true;
    const text = 'x'.repeat(20_000);
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 100; n++) log.take(operation({ tenant: `t${round}-${n}`, text }));
      const asked = router.asked.length;
      await eventually('keys to be asked for', () => router.asked.length > asked);
    }
    router.isAway = false;
    await eventually('all of them', () => counted.captures.queued + counted.captures.dropped === 500);
    const exchanges = await queued();
    expect(exchanges).toHaveLength(counted.captures.queued);
    expect(exchanges.length).toBeGreaterThan(0);
    expect(exchanges.reduce((sum, { request, response }) => sum + (request?.bytes ?? 0) + (response?.bytes ?? 0), 0)).toBeLessThanOrEqual(mostWaitingBytes);
  });

  test('a gateway that stops does not wait for one', async () => {
    const { log, router, counted, close } = bound(stage());
    router.isAway = true;
    log.take(operation());
    await close();
    expect(counted.captures).toEqual({ queued: 0, spooled: 0, dropped: 1 });
  });

  test('captures of a tenant that is gone are dropped', async () => {
    const { log, router, counted } = bound(stage());
    router.deleteTenant('acme');
    log.take(operation());
    await eventually('the capture to be dropped', () => counted.captures.dropped === 1);
    expect(counted.captures).toEqual({ queued: 0, spooled: 0, dropped: 1 });
  });
});

describe('captures that Redis does not take', () => {
  test('wait on the disk while it is away, and are queued when it is back, each once', async () => {
    const { log, queued, counted, spoolDir } = bound(stage());
    log.take(operation());
    await eventually('the first one', () => counted.captures.queued === 1);
    await server.kill();
    for (let n = 0; n < 20; n++) log.take(operation());
    await eventually('the captures to be spooled', () => counted.captures.spooled === 20);
    await server.restart();
    await eventually('the captures', async () => (await queued().catch(() => [])).length === 21);
    await eventually('an empty spool', () => readdirSync(spoolDir).length === 0);
    expect(new Set((await queued()).map(({ operation: id }) => id)).size).toBe(21);
  });

  test('wait on the disk where the queue holds as much as it may, and follow when workers have made room', async () => {
    const { log, queued, counted, bounds, jobs } = bound(stage());
    bounds.queue_max_bytes = 4 * 20_000;
    for (let n = 0; n < 30; n++) {
      log.take(operation({ text: `${n} ${SECRET}`.repeat(200) }));
      await eventually('the capture to be somewhere', () => counted.captures.queued + counted.captures.spooled > n);
    }
    const { spooled } = counted.captures;
    expect(spooled).toBeGreaterThan(0);
    expect((await queued()).length).toBe(30 - spooled);
    const seen = new Set<string>();
    await eventually('all of them', async () => {
      for (const job of await jobs.getJobs(['wait'])) {
        for (const { operation: id } of job.data.exchanges) seen.add(id);
        await job.remove(); // done
      }
      return seen.size === 30;
    });
  });

  test('are dropped and counted beyond what the disk may hold, or where it takes nothing', async () => {
    const { log, counted, bounds } = bound(stage());
    bounds.queue_max_bytes = 0;
    bounds.capture_spool_max_bytes = 5_000;
    for (let n = 0; n < 40; n++) {
      log.take(operation());
      await eventually('the capture to be somewhere', () => counted.captures.spooled + counted.captures.dropped > n);
    }
    expect(counted.captures.spooled).toBeGreaterThan(0);
    expect(counted.captures.dropped).toBeGreaterThan(0);
    const file = join(dir, 'no-directory');
    writeFileSync(file, '');
    const full = bound(new Stage(file));
    full.bounds.queue_max_bytes = 0;
    full.log.take(operation());
    await eventually('the capture to be dropped', () => full.counted.captures.dropped === 1);
  });

  test('of a process that was killed are adopted; what it had not finished writing is removed, and not what another may be writing', async () => {
    const spoolDir = join(dir, 'adopted');
    const before = bound(new Stage(spoolDir));
    before.bounds.queue_max_bytes = 0;
    before.log.take(operation());
    await eventually('the capture to be spooled', () => before.counted.captures.spooled === 1);
    await before.close();
    const [name = ''] = readdirSync(spoolDir);
    const text = readFileSync(join(spoolDir, name), 'utf8');
    rmSync(join(spoolDir, name));
    writeFileSync(join(spoolDir, `999999999.${newId()}.json`), text);
    writeFileSync(join(spoolDir, `999999999.${newId()}.json`), text.slice(0, 100));
    const [abandoned, underWay] = ['999999999', String(process.pid)].map((pid) => `${pid}.${newId()}.json.part`);
    for (const unfinished of [abandoned, underWay]) writeFileSync(join(spoolDir, unfinished!), text.slice(0, 100));
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(join(spoolDir, abandoned!), longAgo, longAgo);
    const { queued } = bound(new Stage(spoolDir));
    await eventually('the capture', async () => (await queued()).length === 1);
    await eventually('nothing else in the spool', () => String(readdirSync(spoolDir)) === underWay);
    expect(await queued()).toMatchObject([{ tenant: 'acme' }]);
  });
});

/** Its methods can be taken out of it. */
function bound(made: Stage): Pick<Stage, 'log' | 'jobs' | 'router' | 'keys' | 'counted' | 'bounds' | 'spoolDir' | 'queued' | 'opened' | 'close'> {
  const { log, jobs, router, keys, counted, bounds, spoolDir } = made;
  return { log, jobs, router, keys, counted, bounds, spoolDir, queued: () => made.queued(), opened: (...about) => made.opened(...about), close: () => made.close() };
}

function readable(spoolDir: string): string[] {
  try {
    return readdirSync(spoolDir);
  } catch {
    return [];
  }
}
