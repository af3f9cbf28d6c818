import { BUCKET_COLUMNS } from '../../rollups/latency-buckets.ts';

/**
 * What is added up, by name: as a sum `r` of the series `s` has it, and as it is counted from operations `o`. Tokens are those that were bought: a
 * hit repeats the numbers of the call it saved.
 */
const FIGURES = {
  requests: ['r.requests', 'count(*)'],
  errors: ['r.errors', counted(`o.outcome = 'error'`)],
  cancelled: ['r.cancelled', counted(`o.outcome = 'cancelled'`)],
  blocked: ['r.blocked', counted(`o.outcome = 'blocked'`)],
  orphaned: ['r.orphaned', counted(`o.outcome = 'orphaned'`)],
  cache_hits_exact: [`case when s.cache = 'HIT-EXACT' then r.requests else 0 end`, counted(`o.cache = 'HIT-EXACT'`)],
  cache_hits_semantic: [`case when s.cache = 'HIT-SEMANTIC' then r.requests else 0 end`, counted(`o.cache = 'HIT-SEMANTIC'`)],
  cache_misses: [`case when s.cache = 'MISS' then r.requests else 0 end`, counted(`o.cache = 'MISS'`)],
  prompt_tokens: ['r.prompt_tokens', bought('prompt_tokens')],
  cached_tokens: ['r.cached_tokens', bought('cached_tokens')],
  cache_write_tokens: ['r.cache_write_tokens', bought('cache_write_tokens')],
  completion_tokens: ['r.completion_tokens', bought('completion_tokens')],
  reasoning_tokens: ['r.reasoning_tokens', bought('reasoning_tokens')],
  cost: ['r.cost_nano_usd', 'coalesce(sum(o.cost_nano_usd), 0)'],
  saved: ['r.saved_nano_usd', 'coalesce(sum(o.saved_nano_usd), 0)'],
  // Rounded as in usage.operation_sums, from which the sums are.
  saved_ms: ['r.saved_ms', 'coalesce(sum(floor(greatest(least(coalesce(o.saved_ms, 0), 1e12), -1e12) + 0.5)), 0)::bigint'],
  unpriced_requests: ['r.unpriced_requests', counted('o.cost_nano_usd is null')],
} as const satisfies Record<string, readonly [sum: string, count: string]>;

export type Figure = keyof typeof FIGURES;
const NAMES = Object.keys(FIGURES) as Figure[];

function counted(condition: string): string {
  return `count(*) filter (where ${condition})`;
}

function bought(column: string): string {
  return `coalesce(sum(o.${column}) filter (where o.usage_source <> 'cache'), 0)`;
}

/** Select list of the figures of one sum `r`, whose series is `s`; each times `factor`, as SQL with its sign. */
export function figuresOfSum(latency: boolean, factor: string): string {
  const figures = NAMES.map((name) => `${factor}${FIGURES[name][0]} as ${name}`);
  return [...figures, ...(latency ? BUCKET_COLUMNS.map((name) => `${factor}r.${name} as ${name}`) : [])].join(', ');
}

/** Select list of the figures counted from operations `o`. */
export const figuresOfRows = (): string => NAMES.map((name) => `${FIGURES[name][1]} as ${name}`).join(', ');
export const figureNames = (): string => NAMES.join(', ');

/** The latency bucket of an operation `o`; null where its duration is not known. */
export const BUCKET_OF_ROW = 'usage.latency_bucket(o.duration_ms)';
/** Select list of latencies: of requests that are all in the bucket `bucket`. */
export const latenciesOfBucket = (): string => BUCKET_COLUMNS.map((name, i) => `case when bucket = ${i} then requests end as ${name}`).join(', ');

const MONEY: readonly Figure[] = ['cost', 'saved'];
const COUNTS = NAMES.filter((name) => !MONEY.includes(name));

/**
 * Select list that adds the figures up, and the latencies as an array. Money is added in decimals and read as text, exactly; anything else as doubles, which
 * are exact up to 2^53 and take a tenth of the time and memory.
 */
export function addedUp(latency: boolean): string {
  const counts = COUNTS.map((name) => `coalesce(sum(${name}::double precision), 0) as ${name}`);
  const money = MONEY.map((name) => `coalesce(sum(${name}), 0)::text as ${name}`);
  return [...counts, ...money, ...(latency ? [`array[${BUCKET_COLUMNS.map((name) => `coalesce(sum(${name}::double precision), 0)`).join(', ')}] as latency`] : [])].join(', ');
}

/** As the driver reads them. */
export type FiguresRead = Record<Exclude<Figure, 'cost' | 'saved'>, number> & {
  /** Integer nano-USD. */
  cost: string;
  saved: string;
  /** The groups' names, in the order of the columns asked for. */
  groups: (string | null)[];
};
export type LatencyRead = { /** Requests in each latency bucket. */ latency: number[] };
