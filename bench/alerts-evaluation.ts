/**
 * What one evaluation of alerts costs: a rule of each metric that the ledger answers, over 1,000 client keys of 200 tenants that are all in use, with eight
 * weeks of history. Its own Postgres; the readings of the usage-worker in this process. `node --conditions=@deja/source bench/alerts-evaluation.ts [keys]`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlertCondition, AlertSettings, RoutingSnapshot } from '@deja/contracts';
import { startPostgres } from '@deja/launcher';
import { migrate, openPool } from '@deja/postgres';
import { createLogger } from '@deja/telemetry';
import pg from 'pg';
import { RuleReader } from '../apps/usage-worker/src/alerts/readings/read-rules.ts';
import { ruleInForce } from '../apps/usage-worker/src/alerts/rule.ts';

const KEYS = Number(process.argv[2] ?? 1000);
const TENANTS = KEYS / 5;
const HOUR_MS = 3_600_000;
const NOW = Math.floor(Date.now() / HOUR_MS) * HOUR_MS + 0.7 * HOUR_MS;
const WHENS: AlertCondition[] = [
  { metric: 'error_rate' }, { metric: 'error_rate', tenant: '*', key: '*' }, { metric: 'latency_ms', above: 4000, model: '*' }, { metric: 'unknown_price' }, { metric: 'new_model' }, { metric: 'new_user' },
  { metric: 'token_spike' }, { metric: 'cost_spike' }, { metric: 'budget_used_share', above: 0.5 }, { metric: 'budget_used_share' }, { metric: 'budget_used_share', above: 1 }, { metric: 'budget_forecast_share' },
];

const FIGURES = 'requests, errors, cancelled, blocked, orphaned, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, reasoning_tokens, cost_nano_usd, saved_nano_usd, saved_ms, unpriced_requests';
const sums = (table: string, from: string, to: string, step: string): string => `
  insert into usage.${table} (tenant, at, series, ${FIGURES}, l32, l33, l36)
  select tenant, at, id, 10, 0, 0, 0, 0, 40000, 0, 0, 20000, 0, 1000000, 0, 0, 0, 5, 4, 1 from usage.series, generate_series(${from}, ${to}, interval '${step}') at where cube = 'all'`;
const FILL = (now: string): string[] => [
  `select usage.ensure_minutes(${now}::date), usage.ensure_minutes(${now}::date - 1), usage.ensure_quarters(date_trunc('month', ${now})::date), usage.ensure_quarters(date_trunc('month', ${now} - interval '1 day')::date)`,
  `insert into usage.series (id, cube, tenant, key, "user", endpoint, requested_model, model, provider, first_at)
   select gen_random_uuid(), cube, 't' || k % ${TENANTS}, 'k' || k, case cube when 'user' then 'u' || m end, 'chat/completions', 'm' || m, 'm' || m, 'p', ${now} - interval '60 days'
   from generate_series(1, ${KEYS}) k, generate_series(1, 2) m, unnest(array['all', 'user']) cube`,
  sums('rollup_minutes', `date_trunc('minute', ${now}) - interval '3 hours'`, now, '1 minute'),
  sums('rollup_quarters', `date_trunc('hour', ${now}) - interval '5 hours'`, now, '15 minutes'),
  `insert into usage.key_hours (tenant, key, model, at, tokens, cost_nano_usd)
   select distinct on (tenant, key, at) tenant, key, 'm1', at, 500000 + (random() * 100000)::int, 100000000 from usage.series, generate_series(date_trunc('hour', ${now}) - interval '56 days', date_trunc('hour', ${now}) - interval '1 hour', interval '1 hour') at where cube = 'all'`,
  `insert into usage.key_hours_made select generate_series(date_trunc('hour', ${now}) - interval '56 days', date_trunc('hour', ${now}) - interval '1 hour', interval '1 hour')`,
  `insert into usage.spend (who, at, model, tenant, key, "user", nano_usd)
   select usage.spender(tenant, key, null), at, 'm1', tenant, key, null, 1000000 from (select distinct tenant, key from usage.series) s, generate_series(date_trunc('hour', ${now}) - interval '30 days', ${now}, interval '30 minutes') at`,
  'vacuum analyze',
];

const dir = await mkdtemp(join(tmpdir(), 'deja-bench-alerts-'));
const postgres = await startPostgres({ dir });
const logger = createLogger({ service: 'bench', instance: 'bench', level: 'warn' });
const databaseUrl = await postgres.createDatabase('bench');
const pool = openPool(databaseUrl, { name: 'bench', logger, max: 3 });
try {
  await migrate(pool, { folder: new URL('../apps/usage-worker/migrations', import.meta.url), schema: 'usage', logger });
  // Without the pool's time-out: filling may take longer than a question may.
  const filling = new pg.Client({ connectionString: databaseUrl });
  await filling.connect();
  for (const text of FILL(`'${new Date(NOW).toISOString()}'::timestamptz`)) await filling.query(text);
  await filling.end();
  const month = { usd: '10', period: 'month', mode: 'soft', time_zone: 'UTC' } as const;
  const snapshot = { deployments: [], settings: { budgets: { global: [month], per_tenant: [month], per_key: [month], per_user: [] } } } as unknown as RoutingSnapshot;
  const settings: AlertSettings = {
    version: '1', silences: [], smtp: null, rules: WHENS.map((when, i) => ({ id: `r${i}`, name: `r${i}`, source: 'file', enabled: true, when, group_by: [], repeat_s: null, receivers: '' })),
    budgets: { tenants: [], keys: Array.from({ length: KEYS }, (_, k) => ({ key: `k${k + 1}`, tenant: `t${(k + 1) % TENANTS}`, budgets: [], perUser: [] })) },
  };
  const reader = new RuleReader({ pool, logger, metrics: { readingFailed: (metric) => console.log(`${metric} failed`) }, snapshot: () => snapshot, queueLagS: async () => 0, drift: () => null, wrongRates: async () => [] });
  const measure = async (name: string, atMs: number, whens = settings.rules): Promise<void> => {
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    const read = await reader.read(whens.map(ruleInForce), settings, atMs);
    const { user, system } = process.cpuUsage(cpu);
    const readings = [...read.values()].reduce((sum, one) => sum + (one?.length ?? 0), 0);
    console.log(`${name}: ${(performance.now() - begun).toFixed(0)} ms, of which ${((user + system) / 1000).toFixed(0)} ms of this process's CPU; ${readings} readings`);
  };
  await measure(`${WHENS.length} rules, ${KEYS} keys, the first time`, NOW);
  for (let i = 1; i <= 14; i += 1) await measure('ten seconds later', NOW + i * 10_000);
  for (const rule of settings.rules) await measure(`  ${JSON.stringify(rule.when)} alone`, NOW + 180_000, [rule]);
  await measure('in the next hour', NOW + HOUR_MS / 2);
} finally {
  await pool.end();
  await postgres.stop();
  await rm(dir, { recursive: true, force: true });
}
