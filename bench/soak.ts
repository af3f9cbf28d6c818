/**
 * Nothing lost, nothing twice: two replicas of everything under mixed load (hits, misses, streams, clients that leave, failovers) with random kills of every
 * process, Redis restarted and killed, Postgres away for a minute; then the providers' own logs and the ledger are compared row by row, to the nano-dollar.
 * `node --conditions=@deja/source bench/soak.ts [minutes] [requests a second] [seed]` (30, 40, 1). Exit code 1 where anything differs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { testCluster, type TestCluster } from '@deja/testing';
import { Redis } from 'ioredis';
import { buildIfChanged } from '../tools/build.ts';
import { thisMachine } from './added-latency/report.ts';
import { agreementOf, type LedgerCall, type LedgerOperation, type Rates } from './soak/agreement.ts';
import { Clients } from './soak/clients.ts';
import { faults, type Fault } from './soak/faults.ts';
import { LoggedProvider } from './soak/providers.ts';

const [minutes = '30', perSecond = '40', seed = '1'] = process.argv.slice(2);
const LASTS_MS = Number(minutes) * 60_000;
const KILL_EVERY_MS = 20_000;
const SETTLES_MS = 180_000;
const RATES: Rates = { input: 150_000_000n, cachedInput: 75_000_000n, output: 600_000_000n };
const MOST_SHOWN = 20;

/** mulberry32 (public domain). */
function randomFrom(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const configFor = (providers: LoggedProvider[]): object => ({
  providers: Object.fromEntries(providers.map(({ name, url }) => [name, { kind: 'openai', server: 'openai', base_url: url, credentials: [{ name: 'one', value: `soak-${name}-one` }, { name: 'two', value: `soak-${name}-two` }] }])),
  models: [{ name: 'soak', deployments: providers.map(({ name }) => ({ provider: name, model: 'soak' })) }],
  prices: { soak: { input_usd_per_million: 0.15, cached_input_usd_per_million: 0.075, output_usd_per_million: 0.6 } },
  cache: { semantic: { audit: { share: 0 } }, exact: { ttl_s: 120 } },
});

async function loaded(cluster: TestCluster, clients: Clients, during: Promise<void>): Promise<void> {
  const sent = new Set<Promise<void>>();
  const fromMs = performance.now();
  let [over, n] = [false, 0];
  const sending = (async () => {
    for (; !over; await delay(5)) {
      for (; n < ((performance.now() - fromMs) / 1000) * Number(perSecond); n++) {
        const one = clients.ask().finally(() => sent.delete(one));
        sent.add(one);
      }
    }
  })();
  await during.finally(() => (over = true));
  await sending;
  await Promise.all(sent);
  await cluster.waitReady(60_000);
}

/** Until the queues are empty, the spools too, no operation is open, and two looks at the ledger find the same. Milliseconds. */
async function settled(cluster: TestCluster): Promise<number> {
  const fromMs = Date.now();
  const redis = new Redis(cluster.redisUrl);
  let rows = -1;
  let left = { waiting: 0, active: 0, open: 0, spool_files: 0, rows: -1 as number | undefined };
  try {
    for (; Date.now() < fromMs + SETTLES_MS; await delay(2000)) {
      const [waiting, active] = await Promise.all([redis.llen('{deja:queue}:usage:wait'), redis.llen('{deja:queue}:usage:active')]);
      const open = await Promise.all((await redis.keys('deja:ops:*:open')).map((key) => redis.hlen(key)));
      const [count] = await cluster.sql<{ n: number }>('select count(*)::int as n from usage.operations');
      left = { waiting, active, open: open.reduce((sum, one) => sum + one, 0), spool_files: spooled(cluster), rows: count?.n };
      const isEmpty = waiting + active + left.open + left.spool_files === 0;
      if (isEmpty && count?.n === rows) return Date.now() - fromMs;
      rows = count?.n ?? -1;
    }
    const held = (await Promise.all((await redis.keys('deja:ops:*:open')).map((key) => redis.hvals(key)))).flat();
    for (const value of held.slice(0, MOST_SHOWN)) process.stderr.write(`still open: ${value}\n`);
    throw new Error(`the queue, the spools or open operations did not come to an end: ${JSON.stringify(left)}`);
  } finally {
    redis.disconnect();
  }
}

function spooled(cluster: TestCluster): number {
  try {
    return readdirSync(join(cluster.dataDir, 'spool')).filter((name) => name.endsWith('.jsonl')).length;
  } catch {
    return 0; // there never was one
  }
}

async function ledger(cluster: TestCluster): Promise<{ operations: LedgerOperation[]; attempts: LedgerCall[] }> {
  const nano = (text: string | null): bigint | null => (text === null ? null : BigInt(text));
  const operations = await cluster.sql<{ id: string; mark: string; question: string; outcome: string; cache: string | null; cost: string | null }>(
    `select id, tags->>'m' as mark, tags->>'q' as question, outcome, cache, cost_nano_usd::text as cost from usage.operations where tags ? 'm'`);
  const attempts = await cluster.sql<Omit<LedgerCall, 'costNanoUsd'> & { cost: string | null }>(
    `select a.operation_id as operation, o.tags->>'q' as question, a.provider, a.status, a.outcome, a.usage_source as "usageSource", a.prompt_tokens as "promptTokens",
       a.cached_tokens as "cachedTokens", a.completion_tokens as "completionTokens", a.cost_nano_usd::text as cost
     from usage.attempts a join usage.operations o on o.id = a.operation_id where o.tags ? 'm' and not a.shadow`);
  return { operations: operations.map(({ cost, ...row }) => ({ ...row, costNanoUsd: nano(cost) })), attempts: attempts.map(({ cost, ...row }) => ({ ...row, costNanoUsd: nano(cost) })) };
}

async function admin(cluster: TestCluster, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${cluster.url}/admin/v1/${path}`, { headers: { authorization: `Bearer ${cluster.adminKey}` } });
  return (await response.json()) as Record<string, unknown>;
}

async function main(): Promise<void> {
  await buildIfChanged({ root: fileURLToPath(new URL('..', import.meta.url)), onStart: () => process.stderr.write('Building the apps …\n') });
  const random = randomFrom(Number(seed));
  const providers = [new LoggedProvider('a', random), new LoggedProvider('b', random)];
  await Promise.all(providers.map((provider) => provider.start()));
  const cluster = await testCluster({ config: configFor(providers), scale: { gateway: 2, router: 2, 'semantic-cache': 2, 'usage-worker': 2 }, ownPostgres: true });
  try {
    const clients = new Clients({ urls: () => cluster.urls, key: cluster.key, random });
    const all: Fault[] = [];
    await loaded(cluster, clients, faults(cluster, providers, { lastsMs: LASTS_MS, everyMs: KILL_EVERY_MS, random, log: (fault) => void (all.push(fault), process.stderr.write(`${Math.round(fault.atMs / 1000)} s: ${fault.what}\n`)) }));
    const settledMs = await settled(cluster);
    const { operations, attempts } = await ledger(cluster);
    const agreement = agreementOf({ clients: clients.requests, calls: providers.flatMap(({ calls }) => calls), operations, attempts, rates: RATES });
    const sumNanoUsd = operations.reduce((sum, { costNanoUsd }) => sum + (costNanoUsd ?? 0n), 0n);
    const [usage, reconciliation] = await Promise.all([admin(cluster, 'usage'), admin(cluster, 'ledger/reconciliation')]);
    process.stdout.write(`${JSON.stringify({
      machine: thisMachine(), minutes: Number(minutes), requests_per_s: Number(perSecond), seed: Number(seed), faults: all.length, answers: Object.fromEntries([...clients.statuses].toSorted(([a], [b]) => (a < b ? -1 : 1))), settled_after_s: Math.round(settledMs / 1000),
      ...agreement, agreedNanoUsd: String(agreement.agreedNanoUsd), ledgerNanoUsd: String(sumNanoUsd), differences: agreement.differences.length, usage: usage['data'], reconciliation: { ...reconciliation, quarters: undefined },
    }, null, 2)}\n`);
    for (const difference of agreement.differences.slice(0, MOST_SHOWN)) process.stdout.write(`DIFFERS: ${difference}\n`);
    process.exitCode = agreement.differences.length === 0 ? 0 : 1;
  } finally {
    await cluster.stop({ force: true });
    await Promise.all(providers.map((provider) => provider.close()));
  }
}

await main();
