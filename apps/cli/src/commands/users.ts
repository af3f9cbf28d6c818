import type { Command } from 'commander';
import { count, exactDollars, secondOf } from '../output/readable.ts';
import { fields } from '../output/table.ts';
import type { Commands } from '../cli.ts';
import { printJob, withWait, type Waiting } from './job-options.ts';

interface EndUser {
  tenant?: string;
  user: string;
}

export const userCommands: Commands = (program, cli) => {
  const users = program.command('users').description('what is kept of an end user of a tenant');
  withUser(users.command('data').description('how many requests and bodies are kept, from when to when')).action(async ({ tenant, user }: EndUser) => {
    await cli.print.answer(await cli.api.call('findUserData', { query: { tenant, user } }), (data) => fields([
      ['tenant', data.tenant],
      ['user', data.user],
      ['requests', count(data.requests)],
      ['of these with bodies', count(data.captured)],
      ['cost', exactDollars(data.cost_usd)],
      ['first', data.first_at === null ? 'never' : `${secondOf(data.first_at)} UTC`],
      ['last', data.last_at === null ? 'never' : `${secondOf(data.last_at)} UTC`],
    ], cli.print.paint));
  });
  withWait(withUser(users.command('erase').description('erase captured bodies and the name of a user for good; figures stay').option('--yes', 'without asking')))
    .action(async ({ tenant, user, yes, ...waiting }: EndUser & Waiting & { yes?: true }) => {
      if (yes !== true) await cli.input.confirmed(`Erase the bodies and the name of user ${JSON.stringify(user)}${tenant === undefined ? '' : ` of tenant ${tenant}`} for good?`);
      await printJob(await cli.api.call('eraseUserData', { body: { user, ...(tenant !== undefined && { tenant }) } }), waiting, cli);
    });
};

const withUser = (command: Command): Command => command.option('--tenant <id>', 'whose end user; a token of one tenant needs none').requiredOption('--user <user>', 'as requests name it');
