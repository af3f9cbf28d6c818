import { GROUPS, type BudgetState, type RequestObject, type UsageRow } from '@deja/admin-api';
import { Option, type Command } from 'commander';
import { count, dollars, duration, minuteOf, NOTHING, orNothing, percent, secondOf } from '../output/readable.ts';
import { fields, type Column, type Tone } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { listedIn, rowsWanted, withExtent, withWindow, type Extent, type Window } from './options.ts';

interface Filters extends Window {
  tenant?: string;
  key?: string;
  user?: string;
  model?: string;
}
interface RequestFilters extends Filters {
  status?: string;
  cache?: string;
}

export const usageCommands: Commands = (program, cli) => {
  const usage = program.command('usage').description('what was used, in groups, or row by row')
    .addHelpText('after', '\nWithout a command it is show: deja usage --by day,model --from 7d');
  withExtent(withFilters(usage.command('show', { isDefault: true }).description('requests, tokens, cost and times, in groups'), cli))
    .option('--by <groups>', `groups with commas between: ${GROUPS.join(', ')}`, listedIn(GROUPS))
    .option('--zone <zone>', 'time zone of days and months, as Europe/Zurich (UTC unless said)')
    .action(async ({ by, zone, tenant, key, user, model, from, to, ...extent }: Filters & Extent & { by?: string; zone?: string }, command: Command) => {
      const query = { group_by: by, time_zone: zone, tenant, key, user, model, from, to };
      await cli.print.list<'getUsage'>(cli.api.pages('getUsage', { query }, rowsWanted(extent, command)), usageColumns(by?.split(',').map((name) => name.trim()) ?? []), 'Nothing was used.');
    });
  withRequestFilters(withFilters(usage.command('export').description('all rows of requests, one a line'), cli))
    .addOption(new Option('--format <format>', 'of the lines').choices(['jsonl', 'csv']).default('jsonl'))
    .action(async ({ format, tenant, key, user, model, status, cache, from, to }: RequestFilters & { format: string }) => {
      for await (const bytes of cli.api.lines('exportUsage', { query: { format, tenant, key, user, model, status, cache, from, to } })) await cli.print.bytes(bytes);
    });
};

export const requestCommands: Commands = (program, cli) => {
  const requests = program.command('requests').description('requests, as the ledger has them');
  withExtent(withRequestFilters(withFilters(requests.command('list').description('the latest first'), cli)))
    .action(async ({ tenant, key, user, model, status, cache, from, to, ...extent }: RequestFilters & Extent, command: Command) => {
      const pages = cli.api.pages('listRequests', { query: { tenant, key, user, model, status, cache, from, to } }, rowsWanted(extent, command));
      await cli.print.list<'listRequests'>(pages, REQUEST_COLUMNS, 'There are no such requests.');
    });
  requests.command('get <id>').description('one request with its attempts').action(async (id: string) => {
    await cli.print.answer(await cli.api.call('getRequest', { path: { id } }), (request) => describedRequest(request, cli));
  });
};

export const budgetCommands: Commands = (program, cli) => {
  const budgets = program.command('budgets').description('budgets in force, and what is used of them');
  withExtent(budgets.command('list').description('budgets').option('--tenant <id>', 'of this tenant').option('--key <id>', 'of this key').option('--user <user>', 'of this end user'))
    .action(async ({ tenant, key, user, ...extent }: Pick<Filters, 'tenant' | 'key' | 'user'> & Extent, command: Command) => {
      await cli.print.list<'listBudgets'>(cli.api.pages('listBudgets', { query: { tenant, key, user } }, rowsWanted(extent, command)), BUDGET_COLUMNS, 'There are no budgets.');
    });
};

function withFilters(command: Command, cli: Cli): Command {
  command.option('--tenant <id>', 'of this tenant').option('--key <id>', 'with this key').option('--user <user>', 'of this end user').option('--model <name>', 'for this public model');
  return withWindow(command, cli);
}

const withRequestFilters = (command: Command): Command =>
  command.option('--status <status>', 'HTTP status, as 429 or 4xx').addOption(new Option('--cache <outcome>', 'what the cache had').choices(['HIT-EXACT', 'HIT-SEMANTIC', 'MISS', 'BYPASS']));

function usageColumns(groups: string[]): Column<UsageRow>[] {
  return [
    ...groups.map((name): Column<UsageRow> => ({ title: name.toUpperCase(), cell: (row) => orNothing(row[name as (typeof GROUPS)[number]]), ...(name !== 'key' && { shrinks: true }) })),
    { title: 'REQUESTS', cell: ({ requests }) => count(requests), align: 'right' },
    { title: 'ERRORS', cell: ({ errors }) => count(errors), align: 'right', tone: ({ errors }) => (errors > 0 ? 'yellow' : null) },
    { title: 'HITS', cell: (row) => count(row.cache_hits_exact + row.cache_hits_semantic), align: 'right' },
    { title: 'TOKENS IN', cell: (row) => count(row.prompt_tokens), align: 'right' },
    { title: 'OUT', cell: (row) => count(row.completion_tokens), align: 'right' },
    { title: 'COST', cell: (row) => dollars(row.cost_usd), align: 'right' },
    { title: 'UNPRICED', cell: (row) => (row.unpriced_requests === 0 ? NOTHING : count(row.unpriced_requests)), align: 'right', optional: true, tone: () => 'yellow' },
    { title: 'SAVED', cell: (row) => dollars(row.saved_usd), align: 'right' },
    { title: 'P50', cell: (row) => duration(row.latency_p50_ms), align: 'right' },
    { title: 'P95', cell: (row) => duration(row.latency_p95_ms), align: 'right' },
  ];
}

const requestTone = ({ outcome, status }: RequestObject): Tone | null => (outcome === 'ok' && (status ?? 0) < 400 ? null : 'red');

const REQUEST_COLUMNS: Column<RequestObject>[] = [
  { title: 'RECEIVED (UTC)', cell: (row) => secondOf(row.received_at) },
  { title: 'ID', cell: ({ id }) => id },
  { title: 'TENANT', cell: ({ tenant }) => tenant, shrinks: true },
  { title: 'MODEL', cell: (row) => row.requested_model, shrinks: true },
  { title: 'STATUS', cell: (row) => (row.outcome === 'ok' ? String(row.status ?? NOTHING) : `${row.status ?? ''} ${row.outcome}`.trim()), tone: requestTone },
  { title: 'CACHE', cell: ({ cache }) => orNothing(cache?.replace('HIT-', '').toLowerCase()) },
  { title: 'TOKENS', cell: ({ usage }) => count(usage?.total_tokens), align: 'right' },
  { title: 'COST', cell: (row) => dollars(row.cost_usd), align: 'right' },
  { title: 'TOOK', cell: (row) => duration(row.duration_ms), align: 'right' },
];

const ATTEMPT_COLUMNS: Column<RequestObject['attempts'][number]>[] = [
  { title: 'ATTEMPT', cell: ({ n }) => String(n), align: 'right' },
  { title: 'DEPLOYMENT', cell: ({ deployment }) => deployment, shrinks: true },
  { title: 'CREDENTIAL', cell: ({ credential }) => orNothing(credential), optional: true },
  { title: 'STATUS', cell: (row) => [row.status === null ? '' : String(row.status), row.outcome === 'ok' ? '' : row.outcome, row.error_code ?? ''].filter((part) => part !== '').join(' ') || NOTHING },
  { title: 'AS', cell: ({ hedge, shadow }) => (shadow ? 'shadow' : hedge ? 'hedge' : NOTHING), optional: true },
  { title: 'TOKENS', cell: ({ usage }) => count(usage?.total_tokens), align: 'right' },
  { title: 'COST', cell: (row) => dollars(row.cost_usd), align: 'right' },
  { title: 'FIRST BYTE', cell: (row) => duration(row.first_byte_ms), align: 'right' },
  { title: 'TOOK', cell: (row) => duration(row.duration_ms), align: 'right' },
];

const BUDGET_COLUMNS: Column<BudgetState>[] = [
  { title: 'SCOPE', cell: ({ scope }) => scope },
  { title: 'TENANT', cell: ({ tenant }) => orNothing(tenant), optional: true },
  { title: 'KEY', cell: ({ key }) => orNothing(key), optional: true },
  { title: 'USER', cell: ({ user }) => orNothing(user), optional: true, shrinks: true },
  { title: 'MODEL', cell: ({ model }) => orNothing(model), optional: true, shrinks: true },
  { title: 'PERIOD', cell: ({ period, time_zone: zone }) => (zone === 'UTC' || period === 'total' ? period : `${period} (${zone})`) },
  { title: 'MODE', cell: ({ mode }) => mode },
  { title: 'SPENT', cell: (row) => dollars(row.spent_usd), align: 'right' },
  { title: 'HELD', cell: (row) => (row.held_usd === '0' ? NOTHING : dollars(row.held_usd)), align: 'right', optional: true },
  { title: 'OF', cell: ({ usd }) => dollars(usd), align: 'right' },
  { title: 'USED', cell: (row) => percent(row.used_share), align: 'right', tone: (row) => (row.used_share >= 1 ? 'red' : row.used_share >= 0.8 ? 'yellow' : null) },
  { title: 'RESETS (UTC)', cell: (row) => minuteOf(row.resets_at), optional: true },
];

function describedRequest(request: RequestObject, { print }: Cli): string[] {
  const { usage } = request;
  const similarity = request.cache_similarity === null ? '' : `, similarity ${request.cache_similarity}`;
  return [
    ...fields([
      ['id', request.id],
      ['received', `${secondOf(request.received_at)} UTC`],
      ['took', request.first_byte_ms === null ? duration(request.duration_ms) : `${duration(request.duration_ms)}, first byte after ${duration(request.first_byte_ms)}`],
      ['tenant', request.tenant],
      ['key', orNothing(request.key)],
      ['user', orNothing(request.user)],
      ['tags', Object.entries(request.tags).map(([name, value]) => `${name}=${value}`)],
      ['endpoint', request.stream ? `${request.endpoint}, streamed` : request.endpoint],
      ['model', request.model === null || request.model === request.requested_model ? request.requested_model : `${request.requested_model}, which became ${request.model}`],
      ['outcome', [request.status === null ? '' : String(request.status), request.outcome, request.error_code ?? ''].filter((part) => part !== '').join(' ')],
      ['cache', orNothing(request.cache)],
      ['cache reason', request.cache_reason ?? []],
      ['cache entry', request.cache_entry === null ? [] : `${request.cache_entry}${similarity}`],
      ['tokens in', usage === null ? NOTHING : `${count(usage.prompt_tokens)}, of these ${count(usage.cached_tokens)} cached`],
      ['tokens out', usage === null ? NOTHING : `${count(usage.completion_tokens)}, of these ${count(usage.reasoning_tokens)} for reasoning`],
      ['counted by', request.usage_source],
      ['cost', request.cost_usd === null ? 'unknown' : `$${request.cost_usd}`],
      ['saved', request.saved_usd === null || request.saved_usd === '0' ? [] : `$${request.saved_usd}`],
      ['safety', request.safety_flags],
      ['trace', request.trace_id ?? []],
    ], print.paint),
    ...(request.attempts.length === 0 ? [] : ['', ...print.tableLines(request.attempts, ATTEMPT_COLUMNS)]),
  ];
}
