/**
 * What limits and budgets cost, by how many apply to a request: microseconds of Redis's time in the script, and of the gateway's processor for making
 * the call, sending it and reading the answer. `node --conditions=@deja/source bench/limits.ts [requests]`, over a redis-server of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '@deja/launcher';
import type { ScriptCall } from '@deja/redis';
import { Redis } from 'ioredis';
import type { BudgetCeiling, Ceiling, Charge, Shard } from '../apps/gateway/src/limits/ask.ts';
import { LimitShards, type Held } from '../apps/gateway/src/limits/shards.ts';
import { percentiles, thisMachine } from './added-latency/report.ts';

const REQUESTS = Number(process.argv[2] ?? 20_000);
const AT_ONCE = 16;
const WARM_UP = 2000;
const BATCHES = 20;
/** A limit that nobody reaches. */
const NEVER = 1e12;

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);
const ceiling = (n: number, limits: Ceiling['limits']): Ceiling => ({ scope: 'key', model: null, counter: `deja:limits:{acme}:key:00000000-0000-4000-8000-00000000000${n}`, limits, degraded: 'open' });
const budget = (n: number): BudgetCeiling => ({
  scope: 'tenant', model: null, limitNanoUsd: 10n ** 15n, degraded: 'open', budget: { usd: '1000', period: 'month', mode: 'hard', time_zone: 'UTC' },
  account: { key: `deja:budget:{acme}:tenant:all:${n}`, tenant: 'acme', clientKey: null, user: null, model: null, fromMs: 0, toMs: Date.now() + 86_400_000 },
});
const requests = (count: number): Ceiling[] => range(count).map((n) => ceiling(n, { requests_per_minute: NEVER }));
const both = (count: number): Ceiling[] => range(count).map((n) => ceiling(n, { requests_per_minute: NEVER, tokens_per_minute: NEVER }));
const days = (count: number): Ceiling[] => range(count).map((n) => ceiling(n, { requests_per_day: NEVER, tokens_per_day: NEVER }));
const calls = (count: number): Ceiling[] => range(count).map((n) => ceiling(n, { concurrency: NEVER }));

const CASES: [what: string, ceilings: Ceiling[], budgets: BudgetCeiling[]][] = [
  ...[1, 4, 8].map((count): [string, Ceiling[], BudgetCeiling[]] => [`${count} of requests`, requests(count), []]),
  ...[1, 4, 8].map((count): [string, Ceiling[], BudgetCeiling[]] => [`${count} of requests and tokens`, both(count), []]),
  ['8 of requests and tokens a day', days(8), []],
  ['1 of calls under way', calls(1), []],
  ['1 budget', [], [budget(1)]],
  ['4 of requests and tokens, 2 budgets', both(4), [budget(1), budget(2)]],
  ['8 of requests and tokens, 4 budgets', both(8), range(4).map(budget)],
];

const limits = new LimitShards({ leaseMs: 60_000, merged: true });
const dir = await mkdtemp(join(tmpdir(), 'deja-bench-limits-'));
const server = await startRedis({ dir });
const redis = new Redis(server.url);
let made = 0;

interface Cost {
  /** Microseconds of one script. */
  redisUs: number;
  /** Microseconds of this process's processor for one of them. */
  gatewayUs: number;
}

try {
  const { cpu, cores, node, platform } = thisMachine();
  const [, version = '?'] = /redis_version:(\S+)/.exec(await redis.info('server')) ?? [];
  console.log(`${cpu}, ${cores} cores, ${platform}, Node ${node}, Redis ${version}, ${REQUESTS} requests each, ${AT_ONCE} at once\n`);
  console.log(`${'µs a request'.padEnd(44)} ${['reserve: Redis', 'gateway', 'settle: Redis', 'gateway', 'the call alone'].map((head) => head.padStart(14)).join(' ')}`);
  await cost(WARM_UP, async () => void (await redis.ping()));
  const floor = await cost(REQUESTS, async () => void (await redis.pipeline().ping().exec()));
  row('none (a PING)', [undefined, floor.gatewayUs]);
  for (const [what, ceilings, budgets] of CASES) await measure(what, [{ name: 'acme', ceilings, budgets }]);
  await measureRefusal();
  await measureRenewal();
} finally {
  redis.disconnect();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
}

async function measure(what: string, shards: Shard[]): Promise<void> {
  await redis.flushall();
  for (const call of limits.seedCalls(shards.flatMap(({ budgets }) => budgets).map(({ account }) => ({ account, spentNanoUsd: '0' })))) await send(call);
  for (const held of await reserveAll(shards, WARM_UP, [])) await settle(held);
  const held: Held[] = [];
  const reserved = await cost(REQUESTS, async () => void held.push(await reserve(shards)));
  const settled = await cost(REQUESTS, async () => settle(held.pop()));
  row(what, [reserved.redisUs, reserved.gatewayUs, settled.redisUs, settled.gatewayUs, callUs(shards)]);
}

async function reserve(shards: Shard[]): Promise<Held> {
  const asked = charge();
  const [ask] = limits.asks(shards, asked);
  if (ask === undefined) throw new Error('nothing is limited');
  const verdict = limits.read(ask, await send(limits.reserveCall(ask)));
  if (verdict.kind !== 'admitted') throw new Error(`nobody reaches these limits: ${verdict.kind}`);
  return { charge: asked, shards: [verdict.held] };
}

async function reserveAll(shards: Shard[], count: number, held: Held[]): Promise<Held[]> {
  await cost(count, async () => void held.push(await reserve(shards)));
  return held;
}

async function settle(held: Held | undefined): Promise<void> {
  if (held === undefined) return;
  for (const call of limits.settleCalls(held, { tokens: 420, nanoUsd: 123_456n })) await send(call);
}

/** A client that goes on although its day is used up, in a window that is full. */
async function measureRefusal(): Promise<void> {
  await redis.flushall();
  const now = Math.floor(Date.now() / 1000);
  const [of] = days(1);
  if (of === undefined) return;
  let clockMs = (now - 3000) * 1000;
  const filling = new LimitShards({ leaseMs: 60_000, merged: true, now: () => (clockMs += 1000) });
  const shards = (limit: number): Shard[] => [{ name: 'acme', ceilings: [{ ...of, limits: { requests_per_day: limit, tokens_per_day: NEVER } }], budgets: [] }];
  for (const _ of range(3000)) for (const ask of filling.asks(shards(NEVER), charge())) await send(filling.reserveCall(ask));
  const [ask] = limits.asks(shards(2900), charge());
  if (ask === undefined) return;
  const refused = await cost(REQUESTS, async () => {
    if (limits.read(ask, await send(limits.reserveCall(ask))).kind !== 'refused') throw new Error('admitted');
  });
  row('refused, 101 too many in a day', [refused.redisUs, refused.gatewayUs]);
}

async function measureRenewal(): Promise<void> {
  await redis.flushall();
  const held = await reserveAll([{ name: 'acme', ceilings: both(4), budgets: [] }], 1000, []);
  const renewed = await cost(20, async () => void (await Promise.all(limits.renewCalls(held).map(send))), 1);
  row('a lease renewed, of 1000 (4 limits)', [renewed.redisUs / 100, renewed.gatewayUs / held.length]);
}

/** µs of making the call by itself. */
function callUs(shards: Shard[]): number {
  const startedUs = process.cpuUsage();
  for (let n = 0; n < REQUESTS; n++) for (const ask of limits.asks(shards, charge())) limits.reserveCall(ask);
  return processorUs(startedUs) / REQUESTS;
}

function charge(): Charge {
  return { operation: `0197-${(made += 1)}`, tokens: 1500, keptTokens: 300, nanoUsd: 900_000n, keptNanoUsd: 45_000n };
}

/** As in the reserve round trip: part of a pipeline. */
async function send({ script, keys, args }: ScriptCall): Promise<unknown> {
  const [reply] = (await redis.pipeline().evalsha(script.sha1, keys.length, ...keys, ...args).exec()) ?? [];
  if (reply?.[0]?.message.startsWith('NOSCRIPT')) return redis.eval(script.source, keys.length, ...keys, ...args);
  if (reply === undefined || reply[0] !== null) throw reply?.[0] ?? new Error('Redis gave no answer');
  return reply[1];
}

/** Medians of batches: what else the machine does falls on some of them. */
async function cost(count: number, task: () => Promise<void>, atOnce = AT_ONCE): Promise<Cost> {
  const batches: Cost[] = [];
  for (const _ of range(BATCHES)) batches.push(await batch(Math.ceil(count / BATCHES), task, atOnce));
  return { redisUs: percentiles(batches.map(({ redisUs }) => redisUs)).p50, gatewayUs: percentiles(batches.map(({ gatewayUs }) => gatewayUs)).p50 };
}

async function batch(count: number, task: () => Promise<void>, atOnce: number): Promise<Cost> {
  await redis.config('RESETSTAT');
  const startedUs = process.cpuUsage();
  let left = count;
  await Promise.all(range(atOnce).map(async () => {
    while (left > 0) {
      left -= 1;
      await task();
    }
  }));
  const gatewayUs = processorUs(startedUs) / count;
  const [, redisUs] = /cmdstat_evalsha:.*?usec_per_call=([\d.]+)/.exec(await redis.info('commandstats')) ?? [];
  return { redisUs: Number(redisUs), gatewayUs };
}

function processorUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

function row(what: string, costs: (number | undefined)[]): void {
  console.log(`${what.padEnd(44)} ${costs.map((us) => (us === undefined || Number.isNaN(us) ? '' : us.toFixed(1)).padStart(14)).join(' ')}`);
}
