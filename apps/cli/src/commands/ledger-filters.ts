import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Cli } from '../cli.ts';
import { parseUsd } from '../notation/budgets.ts';
import { parseMs } from '../notation/times.ts';
import { withWindow, type Window } from './options.ts';

/** What rows and sums both are found by. */
export interface LedgerFilters extends Window {
  tenant?: string;
  key?: string;
  user?: string;
  model?: string;
  provider?: string;
  endpoint?: string;
  cache?: string;
  tag?: string;
}

/** What single rows are found by, too. */
export interface RequestFilters extends LedgerFilters {
  status?: string;
  outcome?: string;
  errorCode?: string;
  requestedModel?: string;
  deployment?: string;
  credential?: string;
  cacheReason?: string;
  cacheEntry?: string;
  usageSource?: string;
  priceVersion?: string;
  traceId?: string;
  safetyFlag?: string;
  stream?: boolean;
  minCost?: string;
  minDuration?: number;
  unpriced?: boolean;
  search?: string;
}

export function withLedgerFilters(command: Command, cli: Cli): Command {
  command
    .option('--tenant <id>', 'of this tenant')
    .option('--key <id>', 'with this key')
    .option('--user <user>', 'of this end user')
    .option('--model <name>', 'for this public model')
    .option('--provider <name>', 'served by this provider')
    .option('--endpoint <name>', 'of this endpoint, as chat/completions')
    .addOption(new Option('--cache <outcome>', 'what the cache had').choices(['HIT-EXACT', 'HIT-SEMANTIC', 'MISS', 'BYPASS']))
    .option('--tag <name=value>', 'with this tag; a name alone is any value of it', parseTag);
  return withWindow(command, cli);
}

export function withRequestFilters(command: Command, cli: Cli): Command {
  return withLedgerFilters(command, cli)
    .option('--status <status>', 'HTTP status, as 429 or 4xx')
    .addOption(new Option('--outcome <outcome>', 'how it ended').choices(['ok', 'error', 'cancelled', 'blocked', 'orphaned']))
    .option('--error-code <code>', 'as rate_limit_exceeded')
    .option('--requested-model <name>', 'that asked for this model, whoever served')
    .option('--deployment <id>', 'served by this deployment, as openai/gpt-4o')
    .option('--credential <id>', 'served with this credential, as openai/main')
    .option('--cache-reason <reason>', 'why the cache had nothing, as too_short')
    .option('--cache-entry <id>', 'answered with this cached answer')
    .addOption(new Option('--usage-source <source>', 'who counted its tokens').choices(['upstream', 'estimated', 'cache', 'none']))
    .option('--price-version <version>', 'priced by this table')
    .option('--trace-id <id>', 'of this trace')
    .option('--safety-flag <rule>', 'that met this rule of content safety')
    .option('--stream', 'streamed')
    .option('--no-stream', 'answered whole')
    .option('--min-cost <usd>', 'that cost at least so many US dollars', parseUsd)
    .option('--min-duration <duration>', 'that took at least 500ms, 2s, 1m', parseMs)
    .option('--unpriced', 'whose cost is unknown')
    .option('--no-unpriced', 'whose cost is known')
    .option('--search <words>', 'whose prompt has these words, where deja.yaml has request_log.search: "…", or and - as in a web search');
}

type Query = Record<string, string | undefined>;

/** As the API has them. */
export const ledgerQuery = ({ tenant, key, user, model, provider, endpoint, cache, tag, from, to }: LedgerFilters): Query => ({ tenant, key, user, model, provider, endpoint, cache, tag, from, to });

export const requestQuery = (filters: RequestFilters): Query => ({
  ...ledgerQuery(filters),
  status: filters.status,
  outcome: filters.outcome,
  error_code: filters.errorCode,
  requested_model: filters.requestedModel,
  deployment: filters.deployment,
  credential: filters.credential,
  cache_reason: filters.cacheReason,
  cache_entry: filters.cacheEntry,
  usage_source: filters.usageSource,
  price_version: filters.priceVersion,
  trace_id: filters.traceId,
  safety_flag: filters.safetyFlag,
  stream: filters.stream?.toString(),
  min_cost_usd: filters.minCost,
  min_duration_ms: filters.minDuration?.toString(),
  unpriced: filters.unpriced?.toString(),
  q: filters.search,
});

function parseTag(text: string): string {
  if (!/^[^=,]+(?:=[^=,]+)?$/.test(text)) throw new InvalidArgumentError('write a tag as name=value, or its name alone');
  return text;
}
