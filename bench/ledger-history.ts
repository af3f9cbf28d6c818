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
import { thisMachine } from './added-latency/report.ts';
import { DAY_MS, END_MS, generate } from './ledger-history/generate.ts';
import { accessesOf, isHistoryScan, outline, plansOf } from './ledger-history/plans.ts';
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
  const { rows: [known] } = await pool.query<{ id: string; trace_id: string; cache_entry: string }>(
    `select id, trace_id, cache_entry from usage.operations where id < usage.first_id_at($1::timestamptz) and cache_entry is not null order by id desc limit 1`, [new Date(END_MS - 20 * DAY_MS)],
  );
  if (known === undefined) throw new Error('there is no history');
  log('\n| question | first ms | then ms | read |\n|---|--:|--:|---|');
  let bad = 0;
  for (const question of questions(known)) bad += await ask(question, { pool, reader });
  await reader.close();
  log(bad === 0 ? '\nNo plan reads a table of history from end to end.' : `\n${bad} plans read a table of history from end to end.`);
  if (bad > 0) process.exitCode = 1;
}

/** Returns how many of its plans read history from end to end. */
async function ask({ name, span, ask: asked }: Question, { pool, reader }: { pool: Pool; reader: WatchedReader }): Promise<number> {
  reader.statements.length = 0;
  const times: number[] = [];
  for (let n = 0; n < 4; n += 1) {
    const startedMs = performance.now();
    await reader.read(asked, LONGEST_MS);
    times.push(performance.now() - startedMs);
    if ((times[0] ?? 0) > PATIENCE_MS) break;
  }
  let bad = 0;
  const read = new Set<string>();
  const plans = await plansOf(pool, different(reader.statements));
  for (const access of plans.flatMap(accessesOf)) {
    const mark = isHistoryScan(access, span) ? '**' : '';
    if (mark !== '') bad += 1;
    if (access.how.includes('pg_')) continue; // the catalogue
    read.add(`${mark}${access.how}${mark}: ${Math.round(access.rows)} rows of ${access.partitions.size}`);
  }
  const [first = 0, ...then] = times.map(Math.round);
  log(`| ${name} | ${first > PATIENCE_MS ? `**${first}**` : first} | ${then.toSorted((a, b) => a - b)[Math.floor(then.length / 2)] ?? ''} | ${[...read].join('; ')} |`);
  if (options.plans) for (const plan of plans) log(`\n\`\`\`\n${outline(plan)}\n\`\`\``);
  return bad;
}

/** Each run of a question asks the same. */
function different(statements: readonly Statement[]): Statement[] {
  return [...new Map(statements.map((statement) => [`${statement.text} ${statement.values.map(String).join(' ')}`, statement])).values()];
}

function megabytes(bytes: number | string): string {
  return (Number(bytes) / 1e6).toFixed(1);
}
