/**
 * What the ledger's history weighs, and how long a dashboard waits for it: generates operations of 60 days with their sums in a Postgres of its own, then asks
 * what dashboards ask, through the usage-worker's own code, and reads the plans: none may read a table of history from end to end.
 * `node --conditions=@deja/source bench/ledger-history.ts [operations = 10000000] [--plans] [--database URL: of an earlier run, or to keep it]`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '@deja/launcher';
import { migrate, type Pool } from '@deja/postgres';
import { createLogger } from '@deja/telemetry';
import pg from 'pg';
import { UsageQueries } from '../apps/usage-worker/src/queries/usage-queries.ts';
import { thisMachine } from './added-latency/report.ts';
import { DAY_MS, END_MS, generate } from './ledger-history/generate.ts';
import { accessesOf, isHistoryScan } from './ledger-history/plans.ts';
import { questions, type Question } from './ledger-history/questions.ts';
import { WatchedReader, type Statement } from './ledger-history/watched-reader.ts';

/** Longer than any caller waits, to see how long it takes. */
const LONGEST_MS = 120_000;
/** How long one who asks waits (LedgerReader). */
const PATIENCE_MS = 10_000;
const SIDE_TABLES = ['operations', 'attempts', 'series', 'rollup_minutes', 'rollup_quarters', 'rollup_days'];

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { plans: { type: 'boolean', default: false }, database: { type: 'string' } } });
const operations = Number(positionals[0] ?? 10_000_000);
const log = (line: string): void => console.log(line);
const logger = createLogger({ service: 'bench', instance: 'bench', level: 'error' });

const { cpu, cores, memory_gib: memory } = thisMachine();
log(`${cpu}, ${cores} cores, ${memory} GiB`);
if (options.database !== undefined) await over(options.database);
else {
  const dir = await mkdtemp(join(tmpdir(), 'deja-bench-history-'));
  const postgres = await startPostgres({ dir: join(dir, 'postgres'), durable: false });
  try {
    await over(await postgres.createDatabase('bench'));
  } finally {
    await postgres.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function over(url: string): Promise<void> {
  const pool = poolOf(url, 2);
  try {
    await migrate(pool, { folder: new URL('../apps/usage-worker/migrations', import.meta.url), schema: 'usage', logger });
    const { rows: [found] } = await pool.query<{ id: string | null }>('select max(id::text) as id from (select id from usage.operations limit 1) o');
    if (found?.id == null) {
      const startedMs = performance.now();
      await generate(pool, { operations, days: 60, tenants: 50, keysOfTenant: 12, usersOfKey: 50 }, log);
      log(`generated in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
    }
    await weigh(pool);
    await askAll(url, pool);
  } finally {
    await pool.end();
  }
}

/** Without the limits on time that apps have. */
function poolOf(connectionString: string, max: number): Pool {
  return new pg.Pool({ connectionString, max });
}

/** Rows, and bytes of tables and their indexes, also by operation. */
async function weigh(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string; rows: string; table: string; indexes: string }>(
    `select p.name, sum(c.reltuples)::bigint as rows, sum(pg_table_size(c.oid)) as table, sum(pg_indexes_size(c.oid)) as indexes
     from unnest($1::text[]) with ordinality p (name, n) join pg_class c on c.relkind = 'r' and c.relnamespace = 'usage'::regnamespace and (c.relname = p.name or c.relname ~ ('^' || p.name || '_\\d+$'))
     group by p.name, p.n order by p.n`,
    [SIDE_TABLES],
  );
  const count = Number(rows[0]?.rows ?? 0);
  log('\n| table | rows | MB | indexes MB | bytes/operation |\n|---|--:|--:|--:|--:|');
  let total = 0;
  for (const row of rows) {
    const bytes = Number(row.table) + Number(row.indexes);
    total += bytes;
    log(`| ${row.name} | ${row.rows} | ${megabytes(row.table)} | ${megabytes(row.indexes)} | ${(bytes / count).toFixed(0)} |`);
  }
  log(`| together | | ${megabytes(total)} | | ${(total / count).toFixed(0)} |`);
}

async function askAll(url: string, pool: Pool): Promise<void> {
  const reader = new WatchedReader(poolOf(url, 1), LONGEST_MS);
  const queries = new UsageQueries(reader);
  const { rows: [latest] } = await pool.query<{ id: string; trace_id: string; cache_entry: string }>(
    `select id, trace_id, cache_entry from usage.operations where id < usage.first_id_at($1::timestamptz) and cache_entry is not null order by id desc limit 1`, [new Date(END_MS - 20 * DAY_MS)],
  );
  if (latest === undefined) throw new Error('there is no history');
  log('\n| question | first ms | then ms | read |\n|---|--:|--:|---|');
  let bad = 0;
  for (const question of questions(latest)) bad += await ask(question.name, () => answer(queries, question), spanOf(question), { pool, reader });
  const savings = { tenant: null, fromMs: END_MS - 30 * DAY_MS, toMs: END_MS };
  for (const tenant of [null, 'tenant-0']) bad += await ask(`cache savings${tenant === null ? '' : ' of the largest tenant'}`, () => queries.cacheSavings({ ...savings, tenant }, LONGEST_MS), savings, { pool, reader });
  await queries.close();
  log(bad === 0 ? '\nNo plan reads a table of history from end to end.' : `\n${bad} plans read a table of history from end to end.`);
  if (bad > 0) process.exitCode = 1;
}

/** Returns how many of its plans read history from end to end. */
async function ask(name: string, asked: () => Promise<unknown>, span: { fromMs: number; toMs: number }, { pool, reader }: { pool: Pool; reader: WatchedReader }): Promise<number> {
  reader.statements.length = 0;
  const times: number[] = [];
  for (let n = 0; n < 4; n += 1) {
    const startedMs = performance.now();
    await asked();
    times.push(performance.now() - startedMs);
    if ((times[0] ?? 0) > PATIENCE_MS) break;
  }
  let bad = 0;
  const read: string[] = [];
  for (const statement of different(reader.statements.splice(0))) {
    const accesses = await accessesOf(pool, statement);
    for (const access of accesses) {
      const isBad = isHistoryScan(access, span);
      if (isBad) bad += 1;
      read.push(`${isBad ? '**' : ''}${access.how}${isBad ? '**' : ''}: ${access.rows} rows of ${access.partitions.size}`);
    }
    if (options.plans) log((await pool.query<{ 'QUERY PLAN': string }>(`explain (analyze, buffers) ${statement.text}`, statement.values)).rows.map((row) => row['QUERY PLAN']).join('\n'));
  }
  const [first = 0, ...then] = times;
  log(`| ${name} | ${first > PATIENCE_MS ? `**${first.toFixed(0)}**` : first.toFixed(0)} | ${then.length === 0 ? '' : (then.toSorted((a, b) => a - b)[Math.floor(then.length / 2)] ?? 0).toFixed(0)} | ${[...new Set(read)].join('; ')} |`);
  return bad;
}

/** Each run of a question asks the same. */
function different(statements: readonly Statement[]): Statement[] {
  return [...new Map(statements.map((statement) => [`${statement.text} ${statement.values.map(String).join(' ')}`, statement])).values()];
}

function answer(queries: UsageQueries, { operation, query, params = {} }: Question): Promise<unknown> {
  return queries.answer({ operation, params, query, by: { role: 'owner', tenant: null }, after: null }, END_MS, LONGEST_MS);
}

/** What it asks for, as far as partitions tell. */
function spanOf({ query }: Question): { fromMs: number; toMs: number } {
  if (query['month'] !== undefined) return { fromMs: Date.parse(`${query['month']}-01`) - DAY_MS, toMs: Date.parse(`${query['month']}-01`) + 32 * DAY_MS };
  return { fromMs: query['from'] === undefined ? END_MS - 30 * DAY_MS : Date.parse(query['from']), toMs: END_MS + 2 * DAY_MS };
}

function megabytes(bytes: number | string): string {
  return (Number(bytes) / 1e6).toFixed(1);
}
