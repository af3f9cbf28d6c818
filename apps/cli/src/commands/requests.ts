import type { RequestObject } from '@deja/admin-api';
import type { Command } from 'commander';
import { shownJson } from '../output/plain-text.ts';
import { count, dollars, duration, NOTHING, orNothing, secondOf } from '../output/readable.ts';
import { fields, type Column, type Tone } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { requestQuery, withRequestFilters, type RequestFilters } from './ledger-filters.ts';
import { rowsWanted, withExtent, type Extent } from './options.ts';

const HELP = `
For example:
  deja requests list --from 24h --outcome error --tag team=search
  deja requests list --search '"refund policy" -test' --min-duration 2s
  deja requests get <x-request-id> --bodies`;

export const requestCommands: Commands = (program, cli) => {
  const requests = program.command('requests').description('requests, as the ledger has them').addHelpText('after', HELP);
  withExtent(withRequestFilters(requests.command('list').description('the latest first'), cli)).action(async (options: RequestFilters & Extent, command: Command) => {
    await cli.print.list<'listRequests'>(cli.api.pages('listRequests', { query: requestQuery(options) }, rowsWanted(options, command)), REQUEST_COLUMNS, 'There are no such requests.');
  });
  requests.command('get <id>').description('one request with its attempts').option('--bodies', 'and what was captured of request and answer').action(async (id: string, { bodies = false }: { bodies?: boolean }) => {
    await cli.print.answer(await cli.api.call('getRequest', { path: { id } }), (request) => [...describedRequest(request, cli), ...(bodies ? bodyLines(request, cli) : [])]);
  });
};

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
      ['price', request.price_version ?? []],
      ['trace', request.trace_id ?? []],
      ['bodies', bodiesWords(request)],
    ], print.paint),
    ...(request.attempts.length === 0 ? [] : ['', ...print.tableLines(request.attempts, ATTEMPT_COLUMNS)]),
  ];
}

/** What there is to be seen of its bodies; an API that says nothing of them has none, or shows them to operators only. */
function bodiesWords({ captured }: RequestObject): string | string[] {
  if (captured === null || captured === undefined) return [];
  if (captured.shredded) return 'shredded: their key was destroyed';
  return `${captured.mode === 'full' ? 'kept' : 'their shape is kept'}${captured.truncated ? ', too long to be kept whole' : ''} (--bodies shows them)`;
}

/** JSON, also where a body is a text that ends early: whatever it holds commands no terminal. */
function bodyLines({ captured }: RequestObject, { print }: Cli): string[] {
  if (captured === null || captured === undefined) return ['', 'Nothing is kept of its bodies, or this key may not read them: that takes an operator.'];
  if (captured.shredded) return [];
  const parts = [['Request', captured.request], ['Answer', captured.response]] as const;
  return parts.flatMap(([title, body]) => ['', print.paint(title, 'bold'), body === null || body === undefined ? 'Nothing is kept of it.' : shownJson(body)]);
}
