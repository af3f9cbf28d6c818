import type { JobObject } from '@deja/admin-api';
import type { Command } from 'commander';
import type { Answer } from '../admin-api.ts';
import type { Cli } from '../cli.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { count, exactDollars, orNothing, secondOf } from '../output/readable.ts';
import { fields } from '../output/table.ts';

export interface Waiting {
  wait?: true;
}
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/** `--wait` of what makes a job. */
export const withWait = (command: Command): Command => command.option('--wait', 'until the job has ended, telling how far it is; without it, deja jobs get <id> tells');

/** A job as it was answered, or, told to wait, as it ended. Throws a CliFailure for one that failed while it was waited for. */
export async function printJob(made: Answer<JobObject>, { wait = false }: { wait?: boolean }, cli: Cli): Promise<void> {
  const answer = wait ? await ended(made, cli) : made;
  await cli.print.answer(answer, (job) => describedJob(job, cli));
  if (wait && answer.value.state === 'failed') throw new CliFailure(EXIT.refused, `The job failed: ${answer.value.error ?? 'its log says why'}`);
}

/** Looks at it more and more rarely, and tells what is new. */
async function ended(made: Answer<JobObject>, cli: Cli): Promise<Answer<JobObject>> {
  const { id } = made.value;
  let [answer, told] = [made, ''];
  for (let pauseMs = FIRST_PAUSE_MS; !hasEnded(answer.value); pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const news = [`Job ${id} is ${answer.value.state}`, ...resultWords(answer.value.result)].join(', ');
    if (news !== told) await cli.print.note(`${news}.`);
    told = news;
    await cli.wait(pauseMs);
    answer = await cli.api.call('getJob', { path: { id } }).catch((error: unknown) => {
      if (!(error instanceof CliFailure)) throw error;
      throw new CliFailure(error.exitCode, error.message, [...error.hints, `The job goes on all the same: deja jobs get ${id} --wait`]);
    });
  }
  return answer;
}

const hasEnded = ({ state }: JobObject): boolean => state === 'done' || state === 'failed';

/** `requests 1,200`, `before usd $1.5`: each kind of job has its own. */
export const resultWords = (result: JobObject['result']): string[] => Object.entries(result).map(([name, value]) => `${name.replaceAll('_', ' ')} ${wordOf(name, value)}`);

function wordOf(name: string, value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : String(value);
  if (typeof value !== 'string') return value === null ? orNothing(null) : JSON.stringify(value);
  return name.endsWith('_usd') ? exactDollars(value) : value;
}

function describedJob(job: JobObject, { print }: Cli): string[] {
  return fields([
    ['id', job.id],
    ['kind', job.kind],
    ['state', job.state],
    ['asked for', Object.entries(job.request).map(([name, value]) => `${name.replaceAll('_', ' ')} ${wordOf(name, value)}`)],
    ['result', resultWords(job.result)],
    ['error', job.error ?? []],
    ['by', job.created_by],
    ['created', `${secondOf(job.created_at)} UTC`],
    ['ended', job.finished_at === null ? [] : `${secondOf(job.finished_at)} UTC`],
  ], print.paint);
}
