// What capturing bodies costs a gateway: `node --conditions=@deja/source bench/capture-cost.ts`. Requests of 1, 4 and 64 KB with answers of a quarter of that are noted,
// sealed and put on the queue of a Redis of its own, as settlement has it done; then the same by parts, and what the context of zstd can be. Processor time of this
// process, all its threads. A minute.
import { createSecretKey, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, createZstdCompress, deflateRawSync, zstdCompress, zstdCompressSync } from 'node:zlib';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { CAPTURE_QUEUE, CAPTURE_QUEUE_PREFIX, newId, type CaptureBatch, type Principal, type Settings } from '../libs/contracts/src/index.ts';
import { findRedisServer, freePort, temporaryDirectory } from '../libs/launcher/src/index.ts';
import { startTelemetry } from '../libs/telemetry/src/index.ts';
import { CaptureMetrics } from '../apps/gateway/src/capture/capture-metrics.ts';
import { CaptureQueue } from '../apps/gateway/src/capture/capture-queue.ts';
import { CaptureSpool } from '../apps/gateway/src/capture/capture-spool.ts';
import { Captured } from '../apps/gateway/src/capture/captured.ts';
import { requestText } from '../apps/gateway/src/capture/captured-text.ts';
import { RequestLog } from '../apps/gateway/src/capture/request-log.ts';
import { sealedBytes } from '../apps/gateway/src/capture/seal.ts';
import { ShortFrames } from '../apps/gateway/src/capture/zstd-frames.ts';
import { parseJsonBody } from '../apps/gateway/src/validate/json-body.ts';

const REQUESTS = 4_000;
const KIB = 1024;
const key = createSecretKey(randomBytes(32));
const settings: Captured['settings'] = { capture: 'full', request_log: { retention_days: 7, search: false }, content_safety: { deny: [], prompts: {}, answers: {}, moderation: null } as unknown as Settings['content_safety'] };
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Prose, from the documentation: `bytes` of it, from a place of its own. */
let prose = '';
const text = (bytes: number, n: number): string => prose.slice((n * 997) % (prose.length - bytes), ((n * 997) % (prose.length - bytes)) + bytes);

/** µs of processor time each; the best of three. */
async function microseconds(times: number, run: () => Promise<void> | void): Promise<number> {
  const runs: number[] = [];
  for (let n = 0; n < 3; n++) {
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    runs.push((user + system) / times);
  }
  return Math.min(...runs);
}

function capturedOf(bytes: number, n: number): Captured {
  const captured = new Captured(settings);
  const body = bodies(bytes)[n % 64];
  if (body === undefined) throw new Error('there are fewer bodies');
  captured.asked(body.request, ['messages']);
  captured.replied(body.reply);
  return captured;
}

const made = new Map<number, { request: ReturnType<typeof parseJsonBody>; reply: Buffer }[]>();
function bodies(bytes: number): { request: ReturnType<typeof parseJsonBody>; reply: Buffer }[] {
  const known = made.get(bytes);
  if (known !== undefined) return known;
  const all = Array.from({ length: 64 }, (_, n) => ({
    request: parseJsonBody(Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'system', content: text(bytes / 2, n) }, { role: 'user', content: text(bytes / 2, n + 7) }] }))),
    reply: Buffer.from(JSON.stringify({ object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: text(bytes / 4, n + 13) }, finish_reason: 'stop' }] })),
  }));
  made.set(bytes, all);
  return all;
}

/** The whole way, to the queue. */
async function wholeWay(jobs: Queue<CaptureBatch>, bytes: number, mode: 'full' | 'metadata', times: number): Promise<{ each: number; sealed: number }> {
  const principal = { tenant: 't', capture: mode } as Principal;
  let sealed = 0;
  const each = await microseconds(times, async () => {
    const metrics = new CaptureMetrics(startTelemetry({ service: 'bench', instance: 'bench', variables: {} }).meter);
    const transport = {
      add: async (batch: CaptureBatch): Promise<void> => {
        sealed = batch.exchanges.reduce((sum, { request, response }) => sum + ((request?.sealed.length ?? 0) + (response?.sealed.length ?? 0)) * 0.75, 0) / batch.exchanges.length;
        await jobs.add('captured', batch, { removeOnComplete: true });
      },
      waiting: () => Promise.resolve(0),
    };
    const queue = new CaptureQueue(transport, new CaptureSpool('/nowhere'), metrics, () => ({ queue_max_bytes: 2 ** 40, capture_spool_max_bytes: 0 }), quiet);
    const log = new RequestLog({ current: () => ({ id: 'k', key }), fetch: () => Promise.resolve('held') }, queue, metrics, quiet, { mostWaitingBytes: 2 ** 40 });
    for (let n = 0; n < times; n++) {
      log.take({ id: newId(), principal, captured: capturedOf(bytes, n) });
      if (n % 50 === 49) await delay(0);
    }
    await log.close();
    await jobs.drain();
  });
  return { each, sealed };
}

/** Ways to one frame for each text. */
function contexts(): Record<string, (body: Buffer) => Buffer | Promise<Buffer>> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  const frames = new ShortFrames();
  if (!frames.isContextKept) throw new Error('this version of Node is not known to capture/zstd-frames.ts');
  const stream = createZstdCompress({ params, flush: constants.ZSTD_e_end });
  const made: Buffer[] = [];
  stream.on('data', (part: Buffer) => made.push(part));
  return {
    'zstd 1, one context for all': (body) => frames.frame(body),
    'zstd 1, a stream for all': (body) => new Promise((resolve) => stream.write(body, () => resolve(Buffer.concat(made.splice(0))))),
    'deflate 1 with little memory': (body) => deflateRawSync(body, { level: 1, windowBits: 12, memLevel: 5 }),
  };
}

async function parts(bytes: number, show: (what: string, value: number, more?: string) => void): Promise<void> {
  const times = Math.round((REQUESTS * 4 * KIB) / Math.max(bytes, 4 * KIB));
  const texts = Array.from({ length: 64 }, (_, n) => requestText(capturedOf(bytes, n), 'full')?.bytes ?? Buffer.alloc(0));
  const elsewhere = promisify(zstdCompress);
  const at = (n: number): Buffer => texts[n % texts.length] ?? Buffer.alloc(0);
  for (const level of [1, 3, 6]) {
    const options = (body: Buffer): object => ({ params: { [constants.ZSTD_c_compressionLevel]: level }, pledgedSrcSize: body.length });
    const size = zstdCompressSync(at(0), options(at(0))).length;
    show(`zstd ${level}, here`, await microseconds(times, () => { for (let n = 0; n < times; n++) zstdCompressSync(at(n), options(at(n))); }), `${size} of ${at(0).length} bytes`);
    show(`zstd ${level}, in another thread`, await microseconds(times, async () => { for (let n = 0; n < times; n++) await elsewhere(at(n), options(at(n))); }));
  }
  for (const [what, of] of Object.entries(contexts())) {
    const size = (await of(at(0))).length;
    show(what, await microseconds(times, async () => {
      for (let n = 0; n < times; n++) await of(at(n));
    }), `${size} of ${at(0).length} bytes`);
  }
  const packed = zstdCompressSync(at(0));
  show('AES-256-GCM', await microseconds(times, () => { for (let n = 0; n < times; n++) sealedBytes(packed, key, { tenant: 't', operation: 'o', part: 'request' }, randomBytes(12)); }));
  show('its shape, as JSON', await microseconds(times, () => { for (let n = 0; n < times; n++) requestText(capturedOf(bytes, n), 'metadata'); }));
}

async function measure(): Promise<void> {
  for (const name of ['ledger', 'limits', 'routing', 'caching', 'safety', 'api', 'config', 'admin']) prose += await readFile(new URL(`../docs/${name}.md`, import.meta.url), 'utf8');
  const [port, dir] = [await freePort(), await temporaryDirectory('deja-bench-')];
  const server = spawn(await findRedisServer(), ['--port', String(port), '--dir', dir, '--save', ''], { stdio: 'ignore' });
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
  redis.on('error', () => undefined); // until it stands
  const jobs = new Queue<CaptureBatch>(CAPTURE_QUEUE, { connection: redis, prefix: CAPTURE_QUEUE_PREFIX });
  jobs.on('error', () => undefined);
  await jobs.waitUntilReady();
  const show = (what: string, value: number, more = ''): void => console.log(`${what.padEnd(58)} ${value.toFixed(1).padStart(8)} µs  ${more}`);
  for (const bytes of [KIB, 4 * KIB, 64 * KIB]) {
    for (const mode of ['full', 'metadata'] as const) {
      const { each, sealed } = await wholeWay(jobs, bytes, mode, bytes > 16 * KIB ? REQUESTS / 4 : REQUESTS);
      show(`request of ${bytes / KIB} KB, answer of ${bytes / KIB / 4} KB, ${mode}, onto the queue`, each, `${Math.round(sealed)} bytes sealed`);
    }
    await parts(bytes, (what, value, more) => show(`  ${bytes / KIB} KB: ${what}`, value, more));
  }
  await jobs.close();
  redis.disconnect();
  server.kill();
  await rm(dir, { recursive: true, force: true });
}

await measure();
