import type { BodyInput, Reconciliation, RejectedEventObject } from '@deja/admin-api';
import { Option, type Command } from 'commander';
import { parseMoment } from '../notation/times.ts';
import { count, minuteOf, NOTHING, secondOf } from '../output/readable.ts';
import { fields, type Column } from '../output/table.ts';
import type { Cli, Commands } from '../cli.ts';
import { printJob, withWait, type Waiting } from './job-options.ts';
import { rowsWanted, withExtent, type Extent } from './options.ts';

interface RepriceOptions extends Waiting {
  from: string;
  to: string;
  tenant?: string;
  provider?: string;
  model?: string;
  onlyUnpriced?: boolean;
  dryRun?: boolean;
}
type Quarter = Reconciliation['quarters'][number];

const REPRICE_HELP = `
What it would change first, then the change:
  deja ledger reprice --from 2026-11-01 --to 2026-12-01 --only-unpriced --dry-run --wait
  deja ledger reprice --from 2026-11-01 --to 2026-12-01 --only-unpriced --wait`;

export const ledgerCommands: Commands = (program, cli) => {
  const ledger = program.command('ledger').description('the ledger itself: pricing anew, events that nobody could read, whether it is complete');
  const moment = (text: string): string => parseMoment(text, cli.nowMs(), -1);
  withWait(ledger.command('reprice').description('compute costs of recorded requests anew, at the prices in force for their time; the old figures are kept')
    .addOption(new Option('--from <moment>', 'received from then on: 2026-11-01, or 7d ago').argParser(moment).makeOptionMandatory())
    .addOption(new Option('--to <moment>', 'received before then').argParser(moment).makeOptionMandatory())
    .option('--tenant <id>', 'of this tenant')
    .option('--provider <name>', 'served by this provider')
    .option('--model <name>', 'for this public model')
    .option('--only-unpriced', 'whose cost is unknown')
    .option('--dry-run', 'only count and add up')
    .addHelpText('after', REPRICE_HELP))
    .action(async (options: RepriceOptions) => {
      await printJob(await cli.api.call('repriceLedger', { body: repriceBody(options) }), options, cli);
    });

  const rejected = ledger.command('rejected').description('usage events that nobody could read: they were set aside, and the rest of their batch recorded');
  withExtent(rejected.command('list').description('the latest first; --json has what they say')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listRejectedEvents'>(cli.api.pages('listRejectedEvents', {}, rowsWanted(options, command)), REJECTED_COLUMNS, 'No event was set aside.');
  });
  withWait(rejected.command('replay [ids...]').description('try again to record them, all unless some are named; what is still not readable stays')).action(async (ids: string[], options: Waiting) => {
    await printJob(await cli.api.call('replayRejectedEvents', { body: ids.length === 0 ? {} : { ids } }), options, cli);
  });

  ledger.command('reconciliation').description('whether all that gateways accepted is in the ledger, as last compared')
    .option('--all', 'also the quarters of an hour in which it is')
    .action(async ({ all = false }: { all?: boolean }) => {
      await cli.print.answer(await cli.api.call('getReconciliation'), (found) => reconciliationLines(found, all, cli));
    });
};

const repriceBody = ({ from, to, tenant, provider, model, onlyUnpriced = false, dryRun = false }: RepriceOptions): BodyInput<'repriceLedger'> => ({
  from,
  to,
  ...(tenant !== undefined && { tenant }),
  ...(provider !== undefined && { provider }),
  ...(model !== undefined && { model }),
  only_unpriced: onlyUnpriced,
  dry_run: dryRun,
});

const REJECTED_COLUMNS: Column<RejectedEventObject>[] = [
  { title: 'SET ASIDE (UTC)', cell: (row) => secondOf(row.rejected_at) },
  { title: 'ID', cell: ({ id }) => id },
  { title: 'REASON', cell: ({ reason }) => reason, shrinks: true },
];

function reconciliationLines({ at, missing, surplus, sums_differ: sumsDiffer, quarters }: Reconciliation, all: boolean, { print }: Cli): string[] {
  const shown = quarters.filter((quarter) => all || isOdd(quarter));
  return [
    ...fields([
      ['compared', at === null ? 'not yet' : `${secondOf(at)} UTC`],
      ['missing', count(missing)],
      ['too many', count(surplus)],
      ['sums that differ', count(sumsDiffer)],
      ['quarters', `${count(quarters.length)} of an hour, in ${count(quarters.filter(isOdd).length)} of which accepted and recorded differ`],
    ], print.paint),
    ...(shown.length === 0 ? [] : ['', ...print.tableLines(shown, QUARTER_COLUMNS)]),
  ];
}

const isOdd = ({ accepted, recorded, missing, surplus }: Quarter): boolean => accepted !== recorded || missing > 0 || surplus > 0;

const orDash = (value: number): string => (value === 0 ? NOTHING : count(value));
const QUARTER_COLUMNS: Column<Quarter>[] = [
  { title: 'QUARTER (UTC)', cell: ({ at }) => minuteOf(at) },
  { title: 'ACCEPTED', cell: ({ accepted }) => count(accepted), align: 'right' },
  { title: 'RECORDED', cell: ({ recorded }) => count(recorded), align: 'right' },
  { title: 'ON THE WAY', cell: (row) => orDash(row.on_the_way), align: 'right' },
  { title: 'UNSURE', cell: ({ unsure }) => orDash(unsure), align: 'right' },
  { title: 'MISSING', cell: ({ missing }) => orDash(missing), align: 'right', tone: ({ missing }) => (missing > 0 ? 'red' : null) },
  { title: 'TOO MANY', cell: ({ surplus }) => orDash(surplus), align: 'right', tone: ({ surplus }) => (surplus > 0 ? 'red' : null) },
];
