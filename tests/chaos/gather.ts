import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestCluster } from '@deja/testing';
import { Redis } from 'ioredis';
import { placesOf, secretsIn, tablesOf, type Planted } from '../src/secret-search.ts';
import type { LedgerCall, LedgerOperation } from './agreement.ts';
import type { Evidence } from './evidence.ts';
import { whatIsMissing } from './faults.ts';
import { MODEL } from './load.ts';
import { fresh } from './questions.ts';
import type { ChaosStage } from './stage.ts';

const LOOK_MS = 1000;
const MOST_SHOWN = 20;
const PAGE_ROWS = 5000;

/**
 * Waits until the queues and spools are empty, no operation is open, no place and no money is held, and two looks at the ledger find the same; at most `deadlineMs`.
 * What is left then is said, each by its name: all 0 where all is settled.
 */
export async function settled({ cluster, keys }: ChaosStage, deadlineMs: number, log: (line: string) => void): Promise<Record<string, number>> {
  const untilMs = Date.now() + deadlineMs;
  const redis = new Redis(cluster.redisUrl);
  let told = '';
  try {
    for (let rows = -1; ; await delay(LOOK_MS)) {
      // What the dead had of limits is given back by the next decision about the same tenant; what that leaves is gone by the next look.
      await Promise.all([keys.limited, keys.narrow, keys.poor].map(({ key }) => oneMore(cluster, key)));
      await delay(LOOK_MS);
      const left = await leftIn(redis, cluster);
      const [count] = await cluster.sql<{ n: number }>("select count(*)::int as n from usage.operations where tags ? 'm'");
      const isEmpty = Object.values(left).every((n) => n === 0);
      if (isEmpty && count?.n === rows) return left;
      if (Date.now() > untilMs) {
        for (const line of await whatIsHeld(redis)) log(line);
        return left;
      }
      rows = count?.n ?? -1;
      const now = `left: ${Object.entries(left).map(([what, n]) => `${n} ${what}`).join(', ')}; ${rows} rows`;
      if (now !== told) log(now);
      told = now;
    }
  } finally {
    redis.disconnect();
  }
}

/** For whoever has to find out why something is left. */
async function whatIsHeld(redis: Redis): Promise<string[]> {
  const open = await Promise.all((await redis.keys('deja:ops:*:open')).map(async (key) => Object.values(await redis.hgetall(key)).map((value) => `${key}: ${value}`)));
  const places = await Promise.all((await redis.keys('deja:limits:*:flights')).map(async (key) => [`${key}: ${await redis.get(key)}`]));
  return [...open, ...places].flat().slice(0, MOST_SHOWN);
}

async function oneMore({ url }: TestCluster, key: string): Promise<void> {
  const { text } = fresh('x', 0);
  const reply = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: text }] }) });
  await reply.text();
}

async function leftIn(redis: Redis, cluster: TestCluster): Promise<Record<string, number>> {
  const sum = async (pattern: string, size: (key: string) => Promise<number>): Promise<number> => (await Promise.all((await redis.keys(pattern)).map(size))).reduce((total, n) => total + n, 0);
  const lists = await Promise.all(['usage:wait', 'usage:active'].map((list) => redis.llen(`{deja:queue}:${list}`)));
  return {
    'queued events': lists.reduce((total, n) => total + n, 0),
    'spool files': spooled(cluster),
    'open operations': await sum('deja:ops:*:open', (key) => redis.hlen(key)),
    'places of limits': await sum('deja:limits:*:flights', async (key) => Number((await redis.get(key)) ?? 0)),
    'places of credentials': await sum('deja:pool:{credentials}:*', async (key) => ((await redis.type(key)) === 'zset' ? redis.zcount(key, Date.now(), '+inf') : 0)),
    'money held': await sum('deja:budget:*', async (key) => Number((await redis.hget(key, 'held')) ?? 0)),
  };
}

function spooled(cluster: TestCluster): number {
  try {
    return readdirSync(join(cluster.dataDir, 'spool')).filter((name) => name.endsWith('.jsonl')).length;
  } catch {
    return 0; // there never was one
  }
}

const [ALONE, TOGETHER] = ['decided by their degraded modes', 'decides limits and budgets again'];

/** When which gateway decided limits by itself, as its log has it: a busy machine is a slow Redis. */
export function decidedAlone({ lines }: TestCluster): Evidence['alone'] {
  const said = lines.filter(({ text }) => text.includes(ALONE) || text.includes(TOGETHER)).map(({ from, text }) => ({ from, isAlone: text.includes(ALONE), atMs: Date.parse(/"time":"([^"]+)"/.exec(text)?.[1] ?? '') }));
  return said.flatMap(({ from, isAlone, atMs }, i) => {
    if (!isAlone) return [];
    const end = said.slice(i + 1).find((other) => other.from === from && !other.isAlone);
    return [{ gateway: Number(from.split('-').at(-1)) - 1, fromMs: atMs, untilMs: end?.atMs ?? Date.now() }];
  });
}

const nano = (text: string | null): bigint | null => (text === null ? null : BigInt(text));

/** What the ledger has of the load. */
export async function ledgerOf(cluster: TestCluster): Promise<{ operations: LedgerOperation[]; attempts: LedgerCall[] }> {
  const operations = await cluster.sql<Omit<LedgerOperation, 'costNanoUsd' | 'receivedMs'> & { cost: string | null; received: Date }>(
    `select id, tenant, (tags->>'m') || '.' || (tags->>'t') as mark, tags->>'q' as question, status, outcome, error_code as "errorCode", cache, cost_nano_usd::text as cost, received_at as received, duration_ms::float as "durationMs"
     from usage.operations where tags ? 'm'`);
  const attempts = await cluster.sql<Omit<LedgerCall, 'costNanoUsd'> & { cost: string | null }>(
    `select a.operation_id as operation, o.tags->>'q' as question, a.provider, a.status, a.outcome, a.usage_source as "usageSource", a.prompt_tokens as "promptTokens",
       a.cached_tokens as "cachedTokens", a.completion_tokens as "completionTokens", a.cost_nano_usd::text as cost
     from usage.attempts a join usage.operations o on o.id = a.operation_id where o.tags ? 'm' and not a.shadow`);
  return {
    operations: operations.map(({ cost, received, ...row }) => ({ ...row, receivedMs: received.getTime(), costNanoUsd: nano(cost) })),
    attempts: attempts.map(({ cost, ...row }) => ({ ...row, costNanoUsd: nano(cost) })),
  };
}

/** Where a secret of this cluster stands in clear, and how many were looked for. */
export async function secretsFound({ cluster, providers, keys }: ChaosStage): Promise<{ found: string[]; sought: number }> {
  const clients = [...Object.entries(keys.free), ...[keys.limited, keys.narrow, keys.poor].map(({ tenant, key }): [string, string] => [tenant, key])];
  const planted: Planted = {
    'admin key': cluster.adminKey,
    'bootstrap key': cluster.key,
    'master key': readFileSync(join(cluster.dataDir, 'secrets', 'master-key'), 'utf8').trim(),
    ...Object.fromEntries(clients.map(([tenant, key]) => [`client key of ${tenant}`, key])),
    ...Object.fromEntries(providers.flatMap(({ name, credentials }) => Object.entries(credentials).map(([which, value]) => [`credential ${name}/${which}`, value]))),
  };
  const found = new Set(secretsIn(await placesOf(cluster, {}, { postgres: false }), planted));
  // After half an hour Postgres has more than one text can hold.
  for await (const postgres of pagesOf(cluster)) for (const one of secretsIn({ postgres }, planted)) found.add(one);
  return { found: [...found], sought: Object.keys(planted).length };
}

/** Every row of every table and view, so many in one text. */
async function* pagesOf(cluster: TestCluster): AsyncGenerator<string> {
  for (const name of await tablesOf(cluster)) {
    await cluster.sql('begin');
    await cluster.sql(`declare page no scroll cursor for select t::text as row from ${name} t`);
    for (let rows = [{ row: name }]; rows.length > 0; rows = await cluster.sql<{ row: string }>(`fetch ${PAGE_ROWS} from page`)) yield rows.map(({ row }) => row).join('\n');
    await cluster.sql('commit');
  }
}

export async function notReady(cluster: TestCluster): Promise<string[]> {
  const all = await Promise.all(cluster.apps.map(async ({ app, n }) => (await whatIsMissing(cluster, app, n)).map((what) => `${app}-${n}: ${what}`)));
  return all.flat().slice(0, MOST_SHOWN);
}
