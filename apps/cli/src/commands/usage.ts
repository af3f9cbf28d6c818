import { GROUPS, type Invoice, type UsageRow } from '@deja/admin-api';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { count, dollars, duration, exactDollars, minuteOf, NOTHING, orNothing, rate } from '../output/readable.ts';
import { fields, type Column } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { ledgerQuery, requestQuery, withLedgerFilters, withRequestFilters, type LedgerFilters, type RequestFilters } from './ledger-filters.ts';
import { listedIn, rowsWanted, withExtent, type Extent } from './options.ts';

const HELP = `
Without a command it is show:
  deja usage --by day,model --from 7d
  deja usage invoice --tenant acme --month 2026-11 --zone Europe/Zurich
  deja usage export --format parquet --from 2026-11-01 --to 2026-12-01 > november.parquet`;

export const usageCommands: Commands = (program, cli) => {
  const usage = program.command('usage').description('what was used: in groups, as an invoice, or row by row').addHelpText('after', HELP);
  withExtent(withLedgerFilters(usage.command('show', { isDefault: true }).description('requests, tokens, cost and times, in groups'), cli))
    .option('--by <groups>', `groups with commas between: ${GROUPS.join(', ')}`, listedIn(GROUPS))
    .option('--zone <zone>', 'time zone of hours, days, weeks and months, as Europe/Zurich (UTC unless said)')
    .action(async (options: LedgerFilters & Extent & { by?: string; zone?: string }, command: Command) => {
      const { by, zone } = options;
      const pages = cli.api.pages('getUsage', { query: { group_by: by, time_zone: zone, ...ledgerQuery(options) } }, rowsWanted(options, command));
      await cli.print.list<'getUsage'>(pages, usageColumns(by?.split(',').map((name) => name.trim()) ?? []), 'Nothing was used.');
    });
  usage.command('invoice').description('what a tenant used in a calendar month, by model and price; amounts are exact')
    .addOption(new Option('--month <month>', 'as 2026-11').argParser(parseMonth).makeOptionMandatory())
    .option('--tenant <id>', 'whose; a token of one tenant needs none')
    .option('--zone <zone>', 'in which the month begins and ends, as Europe/Zurich (UTC unless said)')
    .action(async ({ month, tenant, zone }: { month: string; tenant?: string; zone?: string }) => {
      await cli.print.answer(await cli.api.call('getInvoice', { query: { tenant, month, time_zone: zone } }), (invoice) => invoiceLines(invoice, cli));
    });
  withRequestFilters(usage.command('export').description('all rows of requests: lines, or a Parquet file'), cli)
    .addOption(new Option('--format <format>', 'parquet goes into a file: > requests.parquet').choices(['jsonl', 'csv', 'parquet']).default('jsonl'))
    .action(async ({ format, ...filters }: RequestFilters & { format: string }) => {
      if (format === 'parquet' && cli.print.isForTerminal) throw new CliFailure(EXIT.usage, 'Parquet is not for reading on a terminal: send it into a file, as > requests.parquet.');
      for await (const bytes of cli.api.lines('exportUsage', { query: { format, ...requestQuery(filters) } })) await cli.print.bytes(bytes);
    });
};

function parseMonth(text: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) throw new InvalidArgumentError('write a month as 2026-11');
  return text;
}

const titleOf = (group: string): string => group.replaceAll('_', ' ').toUpperCase();

function usageColumns(groups: string[]): Column<UsageRow>[] {
  return [
    ...groups.map((name): Column<UsageRow> => ({ title: titleOf(name), cell: (row) => orNothing(row[name as (typeof GROUPS)[number]]), ...(name !== 'key' && { shrinks: true }) })),
    { title: 'REQUESTS', cell: ({ requests }) => count(requests), align: 'right' },
    { title: 'ERRORS', cell: ({ errors }) => count(errors), align: 'right', tone: ({ errors }) => (errors > 0 ? 'yellow' : null) },
    { title: 'ERROR %', cell: (row) => rate(row.error_rate), align: 'right', tone: ({ errors }) => (errors > 0 ? 'yellow' : null) },
    { title: 'HIT %', cell: (row) => rate(row.cache_hit_rate), align: 'right' },
    { title: 'TOKENS IN', cell: (row) => count(row.prompt_tokens), align: 'right' },
    { title: 'OUT', cell: (row) => count(row.completion_tokens), align: 'right' },
    { title: 'COST', cell: (row) => dollars(row.cost_usd), align: 'right' },
    { title: 'UNPRICED', cell: (row) => (row.unpriced_requests === 0 ? NOTHING : count(row.unpriced_requests)), align: 'right', optional: true, tone: () => 'yellow' },
    { title: 'SAVED', cell: (row) => dollars(row.saved_usd), align: 'right' },
    { title: 'P50', cell: (row) => duration(row.latency_p50_ms), align: 'right' },
    { title: 'P95', cell: (row) => duration(row.latency_p95_ms), align: 'right' },
    { title: 'P99', cell: (row) => duration(row.latency_p99_ms), align: 'right' },
  ];
}

function invoiceLines(invoice: Invoice, { print }: Cli): string[] {
  return [
    ...fields([
      ['tenant', invoice.tenant],
      ['month', `${invoice.month} in ${invoice.time_zone}`],
      ['from', `${minuteOf(invoice.from)} UTC`],
      ['to', `${minuteOf(invoice.to)} UTC`],
      ['state', invoice.final ? 'final' : 'not final: more may come'],
      ['requests', count(invoice.requests)],
      ['cost', exactDollars(invoice.cost_usd)],
      ['saved', exactDollars(invoice.saved_usd)],
      ['without a known cost', invoice.unpriced_requests === 0 ? [] : `${count(invoice.unpriced_requests)} requests, which are not in it`],
    ], print.paint),
    ...(invoice.lines.length === 0 ? [] : ['', ...print.tableLines(invoice.lines, INVOICE_COLUMNS)]),
  ];
}

const INVOICE_COLUMNS: Column<Invoice['lines'][number]>[] = [
  { title: 'MODEL', cell: ({ model }) => orNothing(model), shrinks: true },
  { title: 'PROVIDER', cell: ({ provider }) => orNothing(provider), optional: true },
  { title: 'PRICE', cell: (line) => orNothing(line.price_version), optional: true, shrinks: true },
  { title: 'REQUESTS', cell: ({ requests }) => count(requests), align: 'right' },
  { title: 'TOKENS IN', cell: (line) => count(line.prompt_tokens), align: 'right' },
  { title: 'CACHED', cell: (line) => count(line.cached_tokens), align: 'right' },
  { title: 'WRITTEN', cell: (line) => (line.cache_write_tokens === 0 ? NOTHING : count(line.cache_write_tokens)), align: 'right', optional: true },
  { title: 'OUT', cell: (line) => count(line.completion_tokens), align: 'right' },
  { title: 'COST', cell: (line) => exactDollars(line.cost_usd), align: 'right' },
  { title: 'UNPRICED', cell: (line) => (line.unpriced_requests === 0 ? NOTHING : count(line.unpriced_requests)), align: 'right', optional: true, tone: () => 'yellow' },
];
