import type { JobObject } from '@deja/admin-api';
import type { Command } from 'commander';
import { minuteOf, orNothing, secondOf } from '../output/readable.ts';
import type { Column, Tone } from '../output/table.ts';
import type { Commands } from '../cli.ts';
import { printJob, resultWords, withWait, type Waiting } from './job-options.ts';
import { rowsWanted, withExtent, type Extent } from './options.ts';

export const jobCommands: Commands = (program, cli) => {
  const jobs = program.command('jobs').description('work on the ledger that takes its time: repricing, erasing a user, replaying events');
  withExtent(jobs.command('list').description('the latest first')).action(async (options: Extent, command: Command) => {
    await cli.print.list<'listJobs'>(cli.api.pages('listJobs', {}, rowsWanted(options, command)), COLUMNS, 'There are no jobs.');
  });
  withWait(jobs.command('get <id>').description('one job, with what it has done so far')).action(async (id: string, options: Waiting) => {
    await printJob(await cli.api.call('getJob', { path: { id } }), options, cli);
  });
};

const toneOf = ({ state }: JobObject): Tone | null => (state === 'failed' ? 'red' : null);

const COLUMNS: Column<JobObject>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'STATE', cell: ({ state }) => state, tone: toneOf },
  { title: 'RESULT', cell: ({ result, error }) => orNothing(error ?? resultWords(result).join(', ')), shrinks: true },
  { title: 'BY', cell: (row) => row.created_by, shrinks: true },
  { title: 'CREATED (UTC)', cell: (row) => secondOf(row.created_at) },
  { title: 'ENDED', cell: (row) => minuteOf(row.finished_at), optional: true },
];
