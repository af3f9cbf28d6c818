import type { PoolClient } from '@deja/postgres';
import { arrayLiteral, ColumnArrays } from '../ledger/column-arrays.ts';
import { series as seriesTable, type OperationRow, type SeriesRow } from '../schema/tables.ts';
import { add, FIGURES, figuresOf, isNothing, nothing, type Counted, type Figures, type Sum } from './figures.ts';
import { beginningOf, GRAINS, partitionOf, type Grain } from './grains.ts';
import { BUCKET_COLUMNS } from './latency-buckets.ts';
import { describe, seriesId, seriesOf, type Described, type SeriesName } from './series.ts';

/** What sums need of an operation's row. */
export type Summed = Described & Counted & Pick<OperationRow, 'received_at'>;

/** An operation that sums count from now on, or, with -1, no longer. */
export interface RollupChange {
  operation: Summed;
  sign: 1 | -1;
}

/** Whether there are sums of this grain at this moment (Unix ms). */
export type KeptSums = (grain: Grain, ms: number) => boolean;

interface SumRow extends Sum {
  tenant: string;
  atMs: number;
  series: string;
}

/** Changes of one series: its row, and its sums of each grain by the beginning of their time. */
interface SeriesChanges {
  row: Omit<SeriesRow, 'first_at'>;
  firstMs: number;
  sums: Record<Grain, Map<number, Sum>>;
}

/** As an insert would: whoever rewrites series locks the table against it and is waited for, before it is asked what there is. */
const LOCK_SERIES = 'lock table usage.series in row exclusive mode';
const MISSING_SERIES = 'select s.id from unnest($1::uuid[]) s (id) where not exists (select from usage.series known where known.id = s.id)';
const seriesArrays = new ColumnArrays<SeriesRow>(seriesTable, ['id', 'cube', 'tenant', 'key', 'user', 'tag', 'endpoint', 'requested_model', 'model', 'provider', 'cache', 'cache_reason', 'price_version', 'first_at']);
const ADD_SERIES = `insert into usage.series (${seriesArrays.columns}) ${seriesArrays.select} on conflict (id) do nothing`;

const PARTITIONS = `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent in ('usage.rollup_minutes'::regclass, 'usage.rollup_quarters'::regclass)`;

/**
 * Adds operations to the sums, and takes off those with -1, in the transaction that changes their rows, after them. Where sums are not `kept`
 * nothing is written; without `kept`, that is where they have no partition (any more), so that nobody who corrects old rows needs to know of retention.
 * All tables in the same order, and each in the order of its keys: two that do this at once never wait for each other in a circle.
 */
export async function addToRollups(client: PoolClient, changes: readonly RollupChange[], kept?: KeptSums): Promise<void> {
  if (changes.length === 0) return;
  const all = [...changesBySeries(changes, kept ?? (await sumsThereAre(client)))].toSorted((a, b) => (a.row.id < b.row.id ? -1 : 1));
  await addSeries(client, all);
  for (const grain of GRAINS) {
    const sums = all.flatMap(({ row, sums: of }) => [...of[grain]].map(([atMs, sum]): SumRow => ({ tenant: row.tenant, atMs, series: row.id, ...sum }))).filter((sum) => !isNothing(sum));
    if (sums.length > 0) await addSums(client, grain, sums.toSorted(byKey));
  }
}

/** In the order of ids. That a series is known is asked each time: only Postgres knows what became of it. */
async function addSeries(client: PoolClient, all: readonly SeriesChanges[]): Promise<void> {
  await client.query(LOCK_SERIES);
  const { rows } = await client.query<{ id: string }>({ name: 'missing-series', text: MISSING_SERIES, values: [arrayLiteral(all.map(({ row }) => row.id))] });
  if (rows.length === 0) return;
  const missing = new Set(rows.map(({ id }) => id));
  const added = all.filter(({ row }) => missing.has(row.id)).map(({ row, firstMs }): SeriesRow => ({ ...row, first_at: new Date(firstMs).toISOString() }));
  await client.query({ name: 'add-series', text: ADD_SERIES, values: seriesArrays.values(added) });
}

function changesBySeries(changes: readonly RollupChange[], kept: KeptSums): Iterable<SeriesChanges> {
  const known = new Map<string, SeriesChanges>();
  // Of a batch, many operations are told apart by nothing: their series are looked up together.
  const alike = new Map<string, SeriesChanges[]>();
  for (const { operation, sign } of changes) {
    const receivedMs = Date.parse(operation.received_at);
    const figures = figuresOf(operation);
    const grains = GRAINS.filter((grain) => kept(grain, receivedMs));
    const description = describe(operation);
    let all = alike.get(description);
    if (!all) alike.set(description, (all = seriesOf(operation).map((name) => changesOf(name, known))));
    for (const series of all) {
      series.firstMs = Math.min(series.firstMs, receivedMs);
      for (const grain of grains) {
        if (grain === 'minutes' && series.row.cube !== 'all') continue;
        const atMs = beginningOf(grain, receivedMs);
        let sum = series.sums[grain].get(atMs);
        if (!sum) series.sums[grain].set(atMs, (sum = nothing()));
        add(sum, figures, sign);
      }
    }
  }
  return known.values();
}

function changesOf(name: SeriesName, known: Map<string, SeriesChanges>): SeriesChanges {
  let series = known.get(name.json);
  if (!series) known.set(name.json, (series = { row: { id: seriesId(name), ...name.row }, firstMs: Infinity, sums: { minutes: new Map(), quarters: new Map(), days: new Map() } }));
  return series;
}

const byKey = (a: SumRow, b: SumRow): number => {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1;
  return a.atMs - b.atMs || (a.series < b.series ? -1 : 1);
};

/** Figures that most batches add nothing to. */
const RARE: ReadonlySet<keyof Figures> = new Set(['errors', 'cancelled', 'blocked', 'orphaned', 'cached_tokens', 'cache_write_tokens', 'reasoning_tokens', 'saved_nano_usd', 'saved_ms', 'unpriced_requests']);
/** Buckets are added by so many neighbours. */
const BLOCK = 8;

/** What one statement adds: of close to 100 columns a batch needs a few, and Postgres takes time for each. */
interface AddedColumns {
  figures: readonly (keyof Figures)[];
  buckets: readonly number[];
  /** Equal for equal columns. There are few of them, so that each connection can keep the statement and plans it once. */
  name: string;
}

function columnsFor(sums: readonly SumRow[]): AddedColumns {
  const hasRare = sums.some((sum) => FIGURES.some((name) => RARE.has(name) && sum.figures[name]));
  const blocks = new Set(sums.flatMap((sum) => Array.from(sum.buckets.keys(), (bucket) => Math.floor(bucket / BLOCK))));
  const [from, to] = blocks.size === 0 ? [0, 0] : [Math.min(...blocks) * BLOCK, (Math.max(...blocks) + 1) * BLOCK];
  return {
    figures: hasRare ? FIGURES : FIGURES.filter((name) => !RARE.has(name)),
    buckets: Array.from({ length: to - from }, (_, i) => from + i),
    name: `${hasRare ? 'all' : 'usual'}-${from}-${to}`,
  };
}

async function addSums(client: PoolClient, grain: Grain, sums: readonly SumRow[]): Promise<void> {
  const columns = columnsFor(sums);
  const { figures, buckets } = columns;
  await client.query({
    name: `add-${grain}-${columns.name}`,
    text: additionOf(grain, columns),
    values: [...keysOf(sums), ...figures.map((name) => arrayLiteral(sums.map((sum) => sum.figures[name]))), arrayLiteral(sums.map((sum) => countsOf(sum, buckets)))],
  });
  const less = sums.filter((sum) => sum.figures.requests < 0);
  if (less.length > 0) await removeEmpty(client, grain, less);
}

function additionOf(grain: Grain, { figures, buckets }: AddedColumns): string {
  const durations = buckets.map((bucket) => BUCKET_COLUMNS[bucket]);
  const columns = ['tenant', 'at', 'series', ...figures, ...durations];
  const types = ['text', 'timestamptz', 'uuid', ...figures.map((name) => (name.endsWith('_usd') ? 'numeric' : 'bigint')), 'text'];
  const read = ['s.tenant', 's.at', 's.series', ...figures.map((name) => `s.${name}`), ...buckets.map((_, i) => `nullif(s.counts[${i + 1}], 0)`)];
  const added = [
    ...figures.map((name) => `${name} = known.${name} + excluded.${name}`),
    ...durations.map((name) => `${name} = coalesce(known.${name} + excluded.${name}, known.${name}, excluded.${name})`),
  ];
  return `
    insert into usage.rollup_${grain} as known (${columns.join(', ')})
    select ${read.join(', ')} from (
      select ${['tenant', 'at', 'series', ...figures].join(', ')}, counts::bigint[]
      from unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')}) s (${['tenant', 'at', 'series', ...figures, 'counts'].join(', ')})
      offset 0 -- else counts would be read again for each of its members
    ) s
    on conflict (tenant, at, series) do update set ${added.join(', ')}`;
}

/** Durations, counted, of these buckets. */
function countsOf({ buckets: counted }: Sum, buckets: readonly number[]): string {
  const counts = buckets.map(() => 0);
  for (const [bucket, count] of counted) counts[bucket - (buckets[0] ?? 0)] = count;
  return `{${counts.join(',')}}`;
}

/** A sum of no operations is none: as if there had never been any. */
async function removeEmpty(client: PoolClient, grain: Grain, sums: readonly SumRow[]): Promise<void> {
  await client.query(
    `delete from usage.rollup_${grain} known using unnest($1::text[], $2::timestamptz[], $3::uuid[]) s (tenant, at, series)
     where known.tenant = s.tenant and known.at = s.at and known.series = s.series and known.requests = 0`,
    keysOf(sums),
  );
}

const keysOf = (sums: readonly SumRow[]): string[] => [
  arrayLiteral(sums.map(({ tenant }) => tenant)),
  arrayLiteral(sums.map(({ atMs }) => new Date(atMs).toISOString())),
  arrayLiteral(sums.map(({ series }) => series)),
];

async function sumsThereAre(client: PoolClient): Promise<KeptSums> {
  const { rows } = await client.query<{ name: string }>(PARTITIONS);
  const names = new Set(rows.map(({ name }) => name));
  return (grain, ms) => {
    const partition = partitionOf(grain, ms);
    return partition === null || names.has(partition);
  };
}
