import type { BudgetState } from '@deja/admin-api';
import type { Command } from 'commander';
import { dollars, minuteOf, NOTHING, orNothing, percent } from '../output/readable.ts';
import type { Column } from '../output/table.ts';
import type { Commands } from '../cli.ts';
import type { LedgerFilters } from './ledger-filters.ts';
import { rowsWanted, withExtent, type Extent } from './options.ts';

export const budgetCommands: Commands = (program, cli) => {
  const budgets = program.command('budgets').description('budgets in force, and what is used of them');
  withExtent(budgets.command('list').description('budgets').option('--tenant <id>', 'of this tenant').option('--key <id>', 'of this key').option('--user <user>', 'of this end user'))
    .action(async ({ tenant, key, user, ...extent }: Pick<LedgerFilters, 'tenant' | 'key' | 'user'> & Extent, command: Command) => {
      await cli.print.list<'listBudgets'>(cli.api.pages('listBudgets', { query: { tenant, key, user } }, rowsWanted(extent, command)), BUDGET_COLUMNS, tenant === undefined ? 'There are no global budgets. Those of a tenant: --tenant <id>.' : 'There are no budgets.');
    });
};

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
