import { InvalidArgumentError, Option, type Command } from 'commander';
import type { EvaluateOptions } from '../cache/evaluate.ts';
import type { SimulateOptions } from '../cache/simulate.ts';
import { parseSeconds } from '../notation/times.ts';
import { jsonText } from '../output/plain-text.ts';
import type { Commands } from '../cli.ts';

// Both need no cluster. What they do it with is loaded when one of them runs: all other commands start without it.

const SIMULATE_HELP = `
Lines, in order of time: {"request": <chat completion body>, "tenant", "user", "key", "at": ISO 8601 or Unix time,
"response": <completion with usage>, "cost_usd", "duration_ms"}, all but the request optional; a bare body; or a
line of OpenAI's batch files. Exports of the ledger have no bodies: the log comes as a file from whoever has them.`;
const EVALUATE_HELP = `
Lines: {"a", "b", "same": true or false, "kind"}, or {"text_a", "text_b", "label": 0 or 1}.`;
const DEFAULT_TTLS_S = [300, 3600, 86_400];
const MOST_TTLS = 16;

/** `deja cache simulate`. */
export const simulateCommand: Commands = (cache, { print }) => {
  cache.command('simulate <file>').description('what exact and semantic caching would have saved on a log of requests; serves nothing, calls nobody')
    .addOption(new Option('--scope <scope>', 'who would share answers').choices(['tenant', 'user', 'key']).default('tenant'))
    .addOption(new Option('--ttl <durations>', 'how long answers would be kept, several with commas between').argParser(parseTtls).default(DEFAULT_TTLS_S, '300,3600,86400'))
    .option('--exact-ttl <duration>', 'for exact answers, where it is another', parseTtl)
    .addOption(verificationOption('strict'))
    .option('--max-wrong-rate <share>', 'share of semantic answers that may be wrong', parseShare, 0.01)
    .option('--pairs <count>', 'how many of the questions that would have shared an answer to print, the riskiest first', parseCount, 20)
    .option('--pairs-out <file>', 'write all of them, as JSONL')
    .option('--limit <count>', 'read so many requests at most', parseCount)
    .addHelpText('after', SIMULATE_HELP)
    .action(async (file: string, options: SimulateFlags, command: Command) => {
      const [{ simulate }, { simulationLines }] = await Promise.all([import('../cache/simulate.ts'), import('../cache/simulation-text.ts')]);
      const { ttl: ttlsS, exactTtl: exactTtlS = null, pairsOut = null, limit = null, ...others } = options;
      const report = await simulate({ file, ttlsS, exactTtlS, pairsOut, limit, ...others }, process.stdin, (text) => print.note(text));
      await print.lines(wantsJson(command) ? [jsonText(report)] : simulationLines(report, print));
    });
};

/** `deja cache evaluate`. */
export const evaluateCommand: Commands = (cache, { print }) => {
  cache.command('evaluate <file>').description('precision and recall of what the semantic cache takes for the same, on labelled pairs of questions (.gz too)')
    .addOption(verificationOption('balanced'))
    .option('--errors <count>', 'print so many pairs that would be served wrongly', parseCount, 0)
    .option('--limit <count>', 'read so many pairs at most', parseCount)
    .addHelpText('after', EVALUATE_HELP)
    .action(async (file: string, options: EvaluateFlags, command: Command) => {
      const [{ evaluate }, { evaluationLines }] = await Promise.all([import('../cache/evaluate.ts'), import('../cache/evaluation-text.ts')]);
      const { limit = null, ...others } = options;
      const report = await evaluate({ file, limit, ...others }, process.stdin, (text) => print.note(text));
      await print.lines(wantsJson(command) ? [jsonText(report)] : evaluationLines(report, print));
    });
};

interface SimulateFlags extends Pick<SimulateOptions, 'scope' | 'verification' | 'maxWrongRate' | 'pairs'> {
  ttl: number[];
  exactTtl?: number;
  pairsOut?: string;
  limit?: number;
}
interface EvaluateFlags extends Pick<EvaluateOptions, 'verification' | 'errors'> {
  limit?: number;
}

const verificationOption = (unlessSaid: EvaluateOptions['verification']): Option =>
  new Option('--verification <how>', 'words alone (strict), or also a neural verifier where they leave it open (balanced, slower)').choices(['strict', 'balanced']).default(unlessSaid);

const wantsJson = (command: Command): boolean => command.optsWithGlobals<{ json?: true }>().json === true;

function parseTtl(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds === 0) throw new InvalidArgumentError('write a duration of at least a second');
  return seconds;
}

function parseTtls(text: string): number[] {
  const seconds = [...new Set(text.split(',').map((part) => parseTtl(part.trim())))].sort((a, b) => a - b);
  if (seconds.length > MOST_TTLS) throw new InvalidArgumentError(`write ${MOST_TTLS} at most`);
  return seconds;
}

function parseShare(text: string): number {
  if (!/^(?:0|1|0?\.\d+|[01]\.0+)$/.test(text)) throw new InvalidArgumentError('write a share from 0 to 1, as 0.01');
  return Number(text);
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('write a number from 0 on');
  return Number(text);
}
