import { InvalidArgumentError, Option } from 'commander';
import { CliFailure, EXIT } from '../failure.ts';
import { parseSeconds } from '../notation/times.ts';
import { cacheFigureLines, matchLines } from '../output/cache-figures.ts';
import { count } from '../output/readable.ts';
import type { Commands } from '../cli.ts';
import { evaluateCommand, simulateCommand } from './cache-rehearsal.ts';
import { withWindow, type Window } from './options.ts';

interface Conditions {
  tenant?: string;
  model?: string;
  entry?: string;
  tag?: string;
  olderThan?: number;
  similarTo?: string;
  minSimilarity?: number;
}

export const cacheCommands: Commands = (program, cli) => {
  const cache = program.command('cache').description('cached answers');
  withWindow(cache.command('stats').description('what the caches hold and saved, why they missed, how often semantic answers were wrong').option('--tenant <id>', 'of this tenant'), cli)
    .action(async ({ tenant, from, to }: Window & { tenant?: string }) => {
      await cli.print.answer(await cli.api.call('cacheStats', { query: { tenant, from, to } }), (stats) => cacheFigureLines(stats, cli.print));
    });
  cache.command('invalidate').description('serve cached answers no more; all conditions must hold')
    .option('--tenant <id>', 'of this tenant')
    .option('--model <name>', 'of this public model')
    .option('--entry <id>', 'this one, as x-cache-entry names it')
    .option('--tag <name=value>', 'of requests with this tag', parseTag)
    .option('--older-than <duration>', 'stored longer ago than 15m, 24h, 7d', parseSeconds)
    .option('--similar-to <text>', 'to questions like this one')
    .option('--min-similarity <cosine>', 'how like, from 0.3 to 1; 0.8 unless given', parseSimilarity)
    .addOption(new Option('--everything', 'without any condition').conflicts(['tenant', 'model', 'entry', 'tag', 'olderThan', 'similarTo']))
    .option('--dry-run', 'only count them')
    .action(async ({ everything, dryRun = false, ...conditions }: Conditions & { everything?: true; dryRun?: boolean }) => {
      if (everything !== true && Object.keys(conditions).length === 0) throw new CliFailure(EXIT.usage, 'Say which answers, or --everything.');
      const { olderThan, similarTo, minSimilarity, ...others } = conditions;
      const body = {
        ...others,
        ...(olderThan !== undefined && { older_than_s: olderThan }),
        ...(similarTo !== undefined && { similar_to: similarTo }),
        ...(minSimilarity !== undefined && { min_similarity: minSimilarity }),
        dry_run: dryRun,
      };
      await cli.print.answer(await cli.api.call('invalidateCache', { body }), ({ entries, partial, dry_run: dry, matches = [] }) => {
        const what = `${count(entries)}${partial ? ' or more' : ''} cached ${entries === 1 && !partial ? 'answer' : 'answers'}`;
        return [...matchLines(matches, cli.print), `${what} ${dry ? 'would be' : 'will be'} served no more.`];
      });
    });
  cache.command('feedback <entry>').description('say whether a cached answer was the right one; a wrong one is served no more')
    .addOption(new Option('--correct', 'it was').conflicts('wrong'))
    .option('--wrong', 'it was not')
    .option('--tenant <id>', 'whose entry it is')
    .action(async (entry: string, { correct = false, wrong = false, tenant }: { correct?: boolean; wrong?: boolean; tenant?: string }) => {
      if (!correct && !wrong) throw new CliFailure(EXIT.usage, 'Say --correct or --wrong.');
      const answer = await cli.api.call('cacheFeedback', { body: { entry, correct, ...(tenant !== undefined && { tenant }) } });
      await cli.print.answer(answer, ({ invalidated }) => [`Noted${invalidated ? ': it is served no more' : ''}.`]);
    });
  simulateCommand(cache, cli);
  evaluateCommand(cache, cli);
};

function parseTag(text: string): string {
  if (!/^[^=,]+=[^=,]+$/.test(text)) throw new InvalidArgumentError('write a tag as name=value');
  return text;
}

function parseSimilarity(text: string): number {
  const cosine = Number(text);
  if (!(cosine >= 0.3 && cosine <= 1)) throw new InvalidArgumentError('write a number from 0.3 to 1');
  return cosine;
}
